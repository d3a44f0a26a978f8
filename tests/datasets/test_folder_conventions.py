"""CSV files as users write them: conventions, encodings, file names, and sets of pairs that cannot be split."""

from __future__ import annotations

import errno
import itertools
import os
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from relattr.datasets import _folder_pairs, _folder_split
from relattr.datasets.folder import Folder

from relattr.errors import BadInput
from relattr.harness.data_identity import identify_data
from relattr.registry import registry
from relattr.task import TaskName

N = 40
NAMES = [f"p/{k:02}.png" for k in range(N)]
ALL = list(itertools.combinations(range(N), 2))


def make_folder(**values: Any) -> Folder:
    split = {} if values.keys() & {"split", "test"} else {"split": "held-out"}
    dataset = registry.dataset("folder").create({**split, **values})
    assert isinstance(dataset, Folder)
    return dataset


def write(root: Path, *lines: str, encoding: str = "utf-8", names: list[str] = NAMES) -> Folder:
    """A folder with different images and these lines in `any.csv`."""
    (root / "p").mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        Image.fromarray(np.full((3, 3, 3), k, np.uint8)).save(root / name, format="PNG")
    (root / "any.csv").write_bytes("".join(line + "\n" for line in lines).encode(encoding))
    return make_folder(path=str(root))


def labels(dataset: Folder) -> dict[tuple[str, str], int]:
    """The label of each pair of the file, with the image that sorts first on the left."""
    images = dataset.comparisons.images
    pairs = dataset.comparisons.pairs["any"]
    return {(images[a], images[b]): y for a, b, y in zip(*(side.tolist() for side in pairs.arrays), strict=True)}


def error_of(dataset: Folder) -> str:
    with pytest.raises(BadInput) as error:
        dataset.task(TaskName("folder", "any", "standard"))
    return str(error.value)


# ---------------------------------------------------------------------- other conventions


@pytest.mark.parametrize(("one", "absent", "side"), [("1", "-1", "right"), ("-1", "1", "left")])
@pytest.mark.parametrize("n_rows", [2, 300])
def test_labels_0_and_1_are_refused(tmp_path: Path, one: str, absent: str, side: str, n_rows: int) -> None:
    rows = [f"{NAMES[a]},{NAMES[b]},{one if k % 2 else 0}" for k, (a, b) in enumerate(ALL[:n_rows])]
    message = error_of(write(tmp_path, "left,right,label", *rows))
    assert f"labels are {one} ({n_rows // 2} rows) and 0 ({n_rows // 2} rows), and none is {absent}" in message
    assert f"write {absent} or {side}" in message
    assert "write similar in place of 0" in message


def test_one_attribute_with_labels_0_and_1_is_refused(tmp_path: Path) -> None:
    sound = [f"{NAMES[a]},{NAMES[b]},{k % 3 - 1},sound" for k, (a, b) in enumerate(ALL[:60])]
    for n_rows, refused in ((18, False), (20, True)):
        odd = [f"{NAMES[a]},{NAMES[b]},{k % 2},odd" for k, (a, b) in enumerate(ALL[:n_rows])]
        problem = write(tmp_path, "left,right,label,attribute", *sound, *odd).missing() or ""
        assert ("labels of 'odd' are 1 (10 rows) and 0 (10 rows), and none is -1" in problem) == refused
        words = [row.replace(",0,odd", ",similar,odd") for row in odd]
        assert write(tmp_path, "left,right,label,attribute", *sound, *words).missing() is None


@pytest.mark.parametrize("kind", ["pairs", "scores"])
def test_attributes_that_differ_in_case_are_one_attribute(tmp_path: Path, kind: str) -> None:
    lines = {
        "pairs": ["left,right,label,attribute", "p/00.png,p/01.png,1,Ripe", "p/00.png,p/02.png,1,ripe"],
        "scores": ["image,score,attribute", "p/00.png,1,Ripe", "p/01.png,1,ri pe"],
    }[kind]
    assert "differ only in case or spaces; write one of them" in error_of(write(tmp_path, *lines))


def test_labels_as_words_and_zeros_that_are_meant(tmp_path: Path) -> None:
    words = ["left", "Right", "EQUAL", "similar", "same", "tie", "1.0", "-1.0", "+1"]
    rows = [f"{NAMES[a]},{NAMES[b]},{word}" for (a, b), word in zip(ALL, words, strict=False)]
    result = labels(write(tmp_path, "left,right,label", *rows))
    assert [result[NAMES[a], NAMES[b]] for a, b in ALL[: len(words)]] == [1, -1, 0, 0, 0, 0, 1, -1, 1]
    only_left = labels(write(tmp_path, "left,right,label", "p/01.png,p/02.png,1", "p/02.png,p/03.png,similar"))
    assert set(only_left.values()) == {0, 1}


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("2", "write left and right"),
        ("True", "Write left where"),
        ("L", "expected 1 or left"),
        (">", "Write left"),
        ("\u22121", "U+2212"),
    ],
)
def test_other_labels_get_a_hint(tmp_path: Path, label: str, hint: str) -> None:
    assert hint in error_of(write(tmp_path, "left,right,label", f"p/00.png,p/01.png,{label}"))


def test_raters_on_separate_rows_are_told_what_to_write(tmp_path: Path) -> None:
    rows = ["p/00.png,p/01.png,1", "p/01.png,p/00.png,-1", "p/00.png,p/01.png,-1", "p/00.png,p/01.png,0"]
    message = error_of(write(tmp_path, "left,right,label", *rows))
    assert "line 4: images 'p/00.png' and 'p/01.png' are compared again" in message
    assert (
        "the columns left,right,first,second,equal and one row for each pair, here p/00.png,p/01.png,2,1,1" in message
    )
    message = error_of(write(tmp_path, "image,score", "p/00.png,1", "p/00.png,2"))
    assert "write one row with their mean" in message


def test_the_advice_to_raters_can_be_followed(tmp_path: Path) -> None:
    rows = ["p/00.png,p/01.png,1,age", "p/00.png,p/01.png,-1,age"]
    message = error_of(write(tmp_path, "left,right,label,attribute", *rows))
    advice = message.rpartition("here ")[2]
    header = message.partition("the columns ")[2].split(" ")[0]
    assert list(write(tmp_path, header, advice).attributes()) == ["age"]


def test_votes_of_a_pair_in_several_rows_are_added(tmp_path: Path) -> None:
    rows = ["p/00.png,p/01.png,2,1,0", "p/01.png,p/00.png,3,1,0", "p/02.png,p/03.png,1,0,0", "p/03.png,p/02.png,2,0,0"]
    dataset = write(tmp_path, "left,right,first,second,equal", *rows)
    assert labels(dataset) == {("p/00.png", "p/01.png"): -1, ("p/02.png", "p/03.png"): -1}  # 3:4 and 1:2
    assert dataset.comparisons.notes["any"] == (
        "2 rows compare two images that an earlier row compares; their votes are added",
    )


def test_the_same_label_twice_is_one_pair(tmp_path: Path) -> None:
    dataset = write(tmp_path, "left,right,label", "p/00.png,p/01.png,1", "p/01.png,p/00.png,-1")
    assert labels(dataset) == {("p/00.png", "p/01.png"): 1}
    assert "each pair is counted once" in dataset.comparisons.notes["any"][0]


def test_votes_without_a_majority_are_similar_and_counted(tmp_path: Path) -> None:
    votes = {"2,2,0": 0, "2,2,1": 0, "2,0,2": 0, "0,2,2": 0, "1,1,1": 0, "2,1,1": 1, "1,2,1": -1, "1,1,2": 0}
    rows = [f"{NAMES[a]},{NAMES[b]},{v}" for (a, b), v in zip(ALL, votes, strict=False)]
    dataset = write(tmp_path, "left,right,first,second,equal", *rows)
    assert list(labels(dataset).values()) == list(votes.values())
    assert dataset.comparisons.notes["any"] == ("5 of 8 pairs have no majority and count as similar",)


def test_only_tied_votes_is_an_error_that_says_so(tmp_path: Path) -> None:
    rows = [f"{NAMES[a]},{NAMES[b]},2,2,0" for a, b in ALL]
    dataset = write(tmp_path, "left,right,first,second,equal", *rows)
    assert "all 780 pairs are similar or without a majority" in error_of(dataset)


# ---------------------------------------------------------------------- names decide, not positions


def score_rows(names: list[str]) -> list[str]:
    return ["image,score", *(f"{name},{NAMES.index(name)}" for name in names)]


def pairs_by_name(dataset: Folder) -> dict[str, list[tuple[str, str, int]]]:
    """The training and test pairs with their sides, in their order."""
    task = dataset.task(TaskName("folder", "any", "standard"))
    parts = {"train": (task.train.images, task.train.pairs), "test": (task.tests[0].images, task.tests[0].pairs)}
    return {
        part: [
            (images.names[a], images.names[b], y)
            for a, b, y in zip(*(side.tolist() for side in pairs.arrays), strict=True)
        ]
        for part, (images, pairs) in parts.items()
    }


def held_out(dataset: Folder) -> set[str]:
    return {dataset.comparisons.images[k] for k in dataset.parts[1]}


@pytest.mark.parametrize("kind", ["scores", "sampled", "pairs", "votes"])
def test_the_order_of_rows_and_sides_changes_nothing(tmp_path: Path, kind: str) -> None:
    draw = random.Random(2)
    some = draw.sample(ALL, 300)
    header, rows = {
        "scores": ("image,score", [f"{name},{k % 7}" for k, name in enumerate(NAMES)]),
        "sampled": ("image,score", [f"{name},{k % 7}" for k, name in enumerate(NAMES)]),
        "pairs": ("left,right,label", [f"{NAMES[a]},{NAMES[b]},{(a + b) % 3 - 1}" for a, b in some]),
        "votes": ("left,right,first,second,equal", [f"{NAMES[a]},{NAMES[b]},{a % 3},{b % 4},1" for a, b in some]),
    }[kind]
    values = {"n_train_pairs": 60, "n_test_pairs": 9} if kind == "sampled" else {}
    write(tmp_path / "one", header, *rows)
    one = pairs_by_name(make_folder(path=str(tmp_path / "one"), **values))
    shuffled = draw.sample(rows, len(rows))
    if kind == "pairs":
        turned = [row.split(",") for row in shuffled]
        shuffled = [f"{right},{left},{-int(label)}" for left, right, label in turned]
    write(tmp_path / "two", header, *shuffled)
    assert pairs_by_name(make_folder(path=str(tmp_path / "two"), **values)) == one
    assert one["train"]
    assert one["test"]


@pytest.mark.parametrize("new", ["p/000.png", "p/new.png", "a.png"])
def test_an_added_image_moves_no_other(tmp_path: Path, new: str) -> None:
    for seed in range(3):
        write(tmp_path / "one", *score_rows(NAMES))
        before = held_out(make_folder(path=str(tmp_path / "one"), seed=seed))
        write(tmp_path / "two", "image,score", f"{new},0.5", *score_rows(NAMES)[1:], names=[*NAMES, new])
        assert held_out(make_folder(path=str(tmp_path / "two"), seed=seed)) - {new} == before
        write(tmp_path / "few", *score_rows(NAMES[5:]))
        assert held_out(make_folder(path=str(tmp_path / "few"), seed=seed)) == before - set(NAMES[:5])


def test_a_row_that_joins_two_groups_moves_only_their_images() -> None:
    names = [f"{k:03}" for k in range(200)]
    left, right = np.arange(0, 200, 2, dtype=np.int32), np.arange(1, 200, 2, dtype=np.int32)
    for seed in range(10):
        before = _folder_split.draw_held_out(names, left, right, 0.3, seed)
        after = _folder_split.draw_held_out(
            names, np.append(left, 7).astype(np.int32), np.append(right, 100).astype(np.int32), 0.3, seed
        )
        assert set(np.flatnonzero(before != after)) <= {6, 7, 100, 101}


def test_the_form_of_unicode_does_not_decide() -> None:
    names = [f"caf\u00e9 {k}.png" for k in range(50)]
    none = np.empty(0, np.int32)
    decomposed = [unicodedata.normalize("NFD", name) for name in names]
    assert names != decomposed
    one, other = (_folder_split.draw_held_out(n, none, none, 0.3, seed=1) for n in (names, decomposed))
    assert (one == other).all()


@pytest.mark.parametrize(("n", "count"), [(60, 100), (60, 1000), (60, 1770), (5, 10), (3, 0)])
def test_sampled_pairs_are_distinct(n: int, count: int) -> None:
    identities = np.random.default_rng(0).permutation(10**6)[:n]
    left, right = _folder_pairs.sample_pairs(identities, count, seed=4)
    assert len({frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}) == count
    assert (left < right).all()
    order = np.random.default_rng(1).permutation(n)
    again = _folder_pairs.sample_pairs(identities[order], count, seed=4)
    assert {frozenset(identities[order][[a, b]]) for a, b in zip(*again, strict=True)} == {
        frozenset(identities[[a, b]]) for a, b in zip(left, right, strict=True)
    }


@pytest.mark.parametrize("count", [300, 8000])
def test_an_added_image_changes_few_sampled_pairs(count: int) -> None:
    identities = np.random.default_rng(0).permutation(10**6)[:201]
    samples = []
    for n in (200, 201):
        left, right = _folder_pairs.sample_pairs(identities[:n], count, seed=4)
        samples.append({frozenset(identities[[a, b]]) for a, b in zip(left, right, strict=True)})
    assert len(samples[0] & samples[1]) > 0.95 * count


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("score", "hint"),
    [
        ("1_000", "in the digits 0 to 9"),
        ("\uff11\uff12", "in the digits 0 to 9"),
        ("\u0663", "in the digits 0 to 9"),
        ("infinity", "expected a finite number"),
        ("1e999", "expected a finite number"),
        ("0x10", "expected a finite number"),
        ("\u22123", "minus sign '-'"),
        ("9007199254740993", "beyond 2^53 is rounded"),
        ("1e-400", "too small"),
    ],
)
def test_scores_must_be_plain_numbers(tmp_path: Path, score: str, hint: str) -> None:
    message = error_of(write(tmp_path, "image,score", "p/00.png,1", f"p/01.png,{score}"))
    assert "line 3: score is " in message
    assert hint in message


def test_scores_that_rounding_would_make_equal_are_refused(tmp_path: Path) -> None:
    message = error_of(write(tmp_path, "image,score", "p/00.png,0.10000000000000000001", "p/01.png,0.1"))
    assert (
        "line 3: score is '0.1', which as a double-precision number equals '0.10000000000000000001' of line 2"
        in message
    )
    equal = write(tmp_path, "image,score", *(f"{name},{'0.10' if k % 2 else '1e-1'}" for k, name in enumerate(NAMES)))
    assert set(equal.comparisons.scores["any"][1].tolist()) == {0.1}


def test_votes_are_counts_of_a_sensible_size(tmp_path: Path) -> None:
    for votes in ("1e30,1,0", "2147483648,1,0", "1_0,1,0"):
        assert "line 2: first is" in error_of(
            write(tmp_path, "left,right,first,second,equal", f"p/00.png,p/01.png,{votes}")
        )


# ---------------------------------------------------------------------- files as spreadsheets write them

PLAIN = score_rows(NAMES)
EXPORTS: dict[str, Callable[[], bytes]] = {
    "semicolons": lambda: "\n".join(PLAIN).replace(",", ";").encode(),
    "tabs": lambda: "\n".join(PLAIN).replace(",", "\t").encode(),
    "sep line": lambda: "\r\n".join(["sep=;", *PLAIN]).replace(",", ";").encode(),
    "sep line with a comma": lambda: "\n".join(["sep=,", *PLAIN]).encode(),
    "sep line as a cell": lambda: "\n".join(['"sep=,"', *PLAIN]).encode(),
    "capitals": lambda: "\n".join(["Image,SCORE", *PLAIN[1:]]).encode(),
    "UTF-8 with a mark": lambda: "\r\n".join(PLAIN).encode("utf-8-sig"),
    "UTF-16": lambda: "\r\n".join(PLAIN).encode("utf-16"),
    "UTF-32": lambda: "\n".join(PLAIN).encode("utf-32"),
    "UTF-16 with semicolons and a sep line": lambda: "\n".join(["sep=;", *PLAIN]).replace(",", ";").encode("utf-16"),
    "trailing commas": lambda: "\n".join(line + ",," for line in PLAIN).encode(),
    "trailing commas in the header only": lambda: "\n".join([PLAIN[0] + ",", *(x + "," for x in PLAIN[1:])]).encode(),
    "empty rows": lambda: "\n".join(["", *PLAIN[:5], ",", "", " , ", *PLAIN[5:], ",", ","]).encode(),
    "carriage returns": lambda: "\r".join(PLAIN).encode(),
    "quotes": lambda: "\n".join(f'"{a}","{b}"' for a, b in (line.split(",") for line in PLAIN)).encode(),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_spreadsheet_exports_are_read(tmp_path: Path, export: str) -> None:
    expected = write(tmp_path, *PLAIN)
    scores = expected.comparisons.scores["any"][1].tolist()
    (tmp_path / "any.csv").write_bytes(EXPORTS[export]())
    dataset = make_folder(path=str(tmp_path))
    assert dataset.comparisons.images == tuple(NAMES)
    assert dataset.comparisons.scores["any"][1].tolist() == scores
    assert dataset.missing() is None


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"image;score\np/00.png;0,5\n", "'0,5'; expected a finite number with a decimal point, not a comma"),
        (b"image,score\np/00.png,0,5\n", "line 2: 3 cells; expected 2, one for each column; is there a decimal comma?"),
        ("image,score\np/00.png,1\n".encode("utf-16-le"), "UTF-16 text without a byte order mark"),
        (b"image,score\n" + 13 * b"p/00.png,1\n" + b"p/caf\xe9.png,1\n", "line 15: is not UTF-8 text (byte 0xe9)"),
        (b"image,sc\xf6re\n", "line 1: is not UTF-8 text"),
        (b"p/00.png,1\np/01.png,2\n", "The file needs a header"),
        (b"image,,score\np/00.png,1,2\n", "unknown column ''"),
        (b"image,score\np\\00.png,1\n", "has a backslash"),
        (b"image,score\nC:/p/00.png,1\n", "is an absolute path"),
        (b"image,score\np/0\x070.png,1\n", "has a control character"),
    ],
)
def test_the_message_is_about_the_likely_cause(tmp_path: Path, content: bytes, hint: str) -> None:
    dataset = write(tmp_path, *PLAIN)
    (tmp_path / "any.csv").write_bytes(content)
    assert hint in error_of(dataset).replace("sc\xf6re", "")


# ---------------------------------------------------------------------- names of files

INVISIBLE = ["\u202f", "\u00a0", "\u3000", "\u200d", "\u200c", "\u00ad", "\u2009", "\ufe0f", "\ufeff"]


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("place", ["p/a{}b.png", "p/{}ab.png"])
def test_invisible_characters_in_names(tmp_path: Path, character: str, place: str) -> None:
    names = [*NAMES, place.format(character)]
    dataset = write(tmp_path, *PLAIN, f"{names[-1]},3", names=names)
    assert dataset.missing() is None
    assert names[-1] in dataset.comparisons.images
    assert all(check.ok for check in dataset.verify()[:2])


def test_a_name_in_the_other_form_of_unicode_is_found(tmp_path: Path) -> None:
    for on_disk, in_file in itertools.permutations(["NFC", "NFD"]):
        root = tmp_path / on_disk
        name = "p/caf\u00e9.png"
        disk, file = (unicodedata.normalize(form, name) for form in (on_disk, in_file))
        dataset = write(root, *PLAIN, f"{file},3", names=[*NAMES, disk])
        assert dataset.missing() is None
        assert disk in dataset.task(TaskName("folder", "any", "standard")).train.images.names + (
            dataset.task(TaskName("folder", "any", "standard")).tests[0].images.names
        )
        both = write(root, *PLAIN, f"{file},3", f"{disk},4", names=[*NAMES, disk])
        assert "in two forms of Unicode" in str(both.missing())


def test_names_that_differ_only_in_form_are_two_images(tmp_path: Path) -> None:
    pair = [unicodedata.normalize(form, "p/caf\u00e9.png") for form in ("NFC", "NFD")]
    dataset = write(tmp_path, *PLAIN, f"{pair[0]},3", f"{pair[1]},4", names=[*NAMES, *pair])
    if len(list((tmp_path / "p").iterdir())) == N + 2:  # not where the file system has one form only
        assert dataset.missing() is None
        assert len(dataset.comparisons.images) == N + 2


@pytest.mark.parametrize(("name", "suggestion"), [("p/00.PNG", "p/00.png"), ("P/00.jpg", "p/00.png")])
def test_a_missing_image_is_suggested(tmp_path: Path, name: str, suggestion: str) -> None:
    dataset = write(tmp_path, *PLAIN, f"{name},1")
    assert f"{name} (is it {suggestion}?)" in str(dataset.missing())


def test_a_folder_that_begins_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "~old_photos", *PLAIN)
    assert make_folder(path="~old_photos").missing() is None
    assert "does not exist" in str(make_folder(path="~nobody_is_called_so").missing())


@pytest.mark.parametrize("path", ["$RELATTR_DATA/faces", "$RELATTR_DATA/faces/any.csv"])
def test_a_path_below_the_folder_of_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    write(tmp_path / "faces", *PLAIN)
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    dataset = make_folder(path=path)
    assert dataset.missing() is None
    assert dataset.root == tmp_path / "faces"
    assert identify_data(dataset).location == {"path": path}  # the same on every machine
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path / "other"))
    assert str(tmp_path / "other" / "faces") in str(make_folder(path=path).missing())


# ---------------------------------------------------------------------- designs


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_a_star_cannot_be_split(tmp_path: Path, share: float, seed: int) -> None:
    write(tmp_path, "left,right,label", *(f"p/00.png,{NAMES[k]},-1" for k in range(1, 24)))
    message = error_of(make_folder(path=str(tmp_path), test=share, seed=seed))
    assert "no share and no seed can change that, because every ordered pair has the image p/00.png" in message
    assert message.endswith("compare other images with one another")


def test_a_triangle_cannot_be_split(tmp_path: Path) -> None:
    rows = ["p/00.png,p/01.png,1", "p/01.png,p/02.png,1", "p/00.png,p/02.png,1", "p/03.png,p/04.png,similar"]
    assert "two of the same three images" in error_of(write(tmp_path, "left,right,label", *rows))


def test_a_few_anchors_are_named_with_a_seed_that_works(tmp_path: Path) -> None:
    rows = [f"{NAMES[a]},{NAMES[k]},{1 if (a + k) % 2 else -1}" for a in range(3) for k in range(3, 30)]
    dataset = write(tmp_path, "left,right,label", *rows)
    messages = {}
    for seed in range(20):
        try:
            make_folder(path=str(tmp_path), seed=seed).pairs("any")
        except BadInput as error:
            messages[seed] = str(error)
    assert messages
    for message in messages.values():
        assert "every ordered pair has one of 3 images" in message
        suggested = int(message.rpartition("folder.seed=")[2].split(" ")[0])
        assert suggested not in messages
    assert dataset.comparisons.images[0] == NAMES[0]


@pytest.mark.parametrize(
    ("counts", "parts"),
    [
        (
            {"1": 40, "0": 45, "-1": 1},
            ["1 (40 rows), -1 (1) and 0 (45), and 0 is read as similar", "write -1 or right"],
        ),
        ({"1": 2, "0": 45, "-1": 40}, ["write 1 or left"]),
        ({"1": 40, "0": 45, "-1": 41}, []),  # sides at random
        ({"1": 40, "similar": 45, "-1": 1}, []),  # a word has one meaning
    ],
)
def test_zeros_beside_one_sided_labels_are_noted(tmp_path: Path, counts: dict[str, int], parts: list[str]) -> None:
    words = [label for label, count in counts.items() for _ in range(count)]
    rows = [f"{NAMES[a]},{NAMES[b]},{label}" for (a, b), label in zip(ALL, words, strict=False)]
    notes = "; ".join(write(tmp_path, "left,right,label", *rows).comparisons.notes["any"])
    assert all(part in notes for part in parts)
    assert bool(notes) == bool(parts)


def test_a_folder_without_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write(tmp_path, *PLAIN)
    listdir = os.listdir

    def refuse(path: Any) -> list[str]:
        if Path(path).name == "p":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert "p/00.png (its folder cannot be read: Permission denied)" in (dataset.missing() or "")
