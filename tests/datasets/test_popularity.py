"""Image popularity: small lists of every kind compared with plain loops, error messages, and memory use."""

from __future__ import annotations

import itertools
import random
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from relattr.datasets import _popularity_lists
from relattr.datasets._popularity_lists import FileNames, identify_photographs
from relattr.datasets.popularity import EACH_USER, LISTS, ONE_PER_USER, USER_MIX, USER_SPECIFIC, Popularity

from relattr.check import dataset_checks
from relattr.errors import BadImage, BadInput, Blocked, UnknownName
from relattr.images import Images, SampledFileSource
from relattr.registry import registry
from relattr.task import TaskName

ALONE, MIXED = 60, 90
USERS = ["12345@N00", "b", "c"]


def rows_of(kind: str) -> list[tuple[str, float, str]]:
    """Id, score and user; some scores are equal, so that some pairs are ties."""
    draw = random.Random(kind)
    n = ALONE if kind == ONE_PER_USER else MIXED
    first = 100_000 if kind == ONE_PER_USER else 200_000
    names = [f"{first + 7 * k}" for k in range(n)]
    users = [f"u{k}" for k in range(n)] if kind == ONE_PER_USER else [USERS[k % 3] for k in range(n)]
    return [(name, draw.randrange(20) / 4, user) for name, user in zip(names, users, strict=True)]


def write_list(root: Path, kind: str, rows: list[tuple[str, float, str]]) -> None:
    lines = ["id,score,user", *(f"{name},{score},{user}" for name, score, user in rows)]
    (root / LISTS[kind]).write_text("\n".join(lines) + "\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both lists and their photographs: those of one-per-user in one folder, the others in its subfolders."""
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    root = tmp_path / "popularity"
    (root / "images").mkdir(parents=True)
    for kind in (ONE_PER_USER, USER_MIX):
        rows = rows_of(kind)
        write_list(root, kind, rows)
        for name, _, _ in rows:
            folder = root / "images" if kind == ONE_PER_USER else root / "images" / name[:3]
            folder.mkdir(exist_ok=True)
            Image.fromarray(np.full((3, 4, 3), int(name) % 251, np.uint8)).save(folder / f"{name}.jpg")
    return root


def make(**values: Any) -> Popularity:
    dataset = registry.dataset("popularity").create({"n_pairs": 300, "n_user_pairs": 40, **values})
    assert isinstance(dataset, Popularity)
    return dataset


TASKS = [(ONE_PER_USER, "standard"), (USER_MIX, "standard"), *((USER_SPECIFIC, user) for user in USERS)]


def test_the_tasks(root: Path) -> None:
    assert [(t.attribute, t.split) for t in make().tasks()] == TASKS


@pytest.mark.parametrize(("setting", "split"), TASKS)
def test_a_task_has_pairs_within_each_half(root: Path, setting: str, split: str) -> None:
    rows = rows_of(ONE_PER_USER if setting == ONE_PER_USER else USER_MIX)
    score = {f"{name}.jpg": value for name, value, user in rows if setting != USER_SPECIFIC or user == split}
    task = make().task(TaskName("popularity", setting, split))
    (test,) = task.tests
    assert task.train.scores is not None
    assert test.scores is not None
    halves = []
    for images, pairs, scores in (
        (task.train.images, task.train.pairs, task.train.scores),
        (test.images, test.pairs, test.scores),
    ):
        names = images.names
        halves.append(set(names))
        assert [score[name] for name in names] == scores.tolist()
        seen = set()
        for a, b, y in zip(*(side.tolist() for side in pairs.arrays), strict=True):
            assert (score[names[a]] > score[names[b]]) - (score[names[a]] < score[names[b]]) == y != 0
            seen.add(frozenset((a, b)))
        assert len(seen) == len(pairs) == (40 if setting == USER_SPECIFIC else 300)
        k = len(names) // 2
        assert (images[k] == int(names[k][:-4]) % 251).mean() > 0.9  # JPEG of one colour
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(score)
    assert abs(len(halves[0]) - len(halves[1])) <= 1


def test_fewer_pairs_than_requested_are_all_used(root: Path) -> None:
    dataset = make(n_pairs=10**6)
    task = dataset.task(TaskName("popularity", ONE_PER_USER, "standard"))
    for images, pairs in ((task.train.images, task.train.pairs), (task.tests[0].images, task.tests[0].pairs)):
        score = {f"{name}.jpg": value for name, value, _ in rows_of(ONE_PER_USER)}
        some = [score[name] for name in images.names]
        assert len(pairs) == sum(a != b for a, b in itertools.combinations(some, 2))


def test_the_seed_determines_halves_and_pairs(root: Path) -> None:
    name = TaskName("popularity", USER_MIX, "standard")
    first, again, other = (make(seed=seed).task(name) for seed in (0, 0, 1))
    assert first.train.images.names == again.train.images.names != other.train.images.names
    assert first.tests[0].pairs.fingerprint() == again.tests[0].pairs.fingerprint()


@pytest.mark.parametrize("setting", [ONE_PER_USER, USER_MIX])
def test_the_order_of_lines_changes_nothing(root: Path, setting: str) -> None:
    name = TaskName("popularity", setting, "standard")
    first = make().task(name)
    path = root / f"{setting}.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *sorted(lines, reverse=True)]))
    again = make().task(name)
    assert first.train.images.names == again.train.images.names
    assert first.train.pairs.fingerprint() == again.train.pairs.fingerprint()
    assert first.tests[0].pairs.fingerprint() == again.tests[0].pairs.fingerprint()


@pytest.mark.parametrize("new", ["1", "424242", "zzzzzzzzzzzzzzzzzzzzzzzzz"])
def test_an_added_photograph_moves_at_most_one_other(root: Path, new: str) -> None:
    before = make().task(TaskName("popularity", ONE_PER_USER, "standard")).train.images.names
    path = root / "one-per-user.csv"
    path.write_text(f"{path.read_text().rstrip()}\n{new},1.5,somebody\n")
    shutil.copy(next((root / "images").glob("*.jpg")), root / "images" / f"{new}.jpg")
    after = make().task(TaskName("popularity", ONE_PER_USER, "standard")).train.images.names
    assert len(set(before) ^ set(after)) <= 2


def test_photographs_are_identified_by_their_ids_alone() -> None:
    ids = np.array([b"1", b"12345678", b"123456789", b"a_b"])
    longer = np.append(ids, b"x" * 40)
    assert (identify_photographs(ids) == identify_photographs(longer)[:4]).all()
    assert np.unique(identify_photographs(longer)).size == 5


def test_users_need_not_be_named(root: Path) -> None:
    lines = ["score,id", *(f"{score},{name}" for name, score, _ in rows_of(ONE_PER_USER))]
    (root / "one-per-user.csv").write_text("\n".join(lines))
    assert make().task(TaskName("popularity", ONE_PER_USER, "standard")).train.pairs.n_ordered == 300


def test_one_list_is_enough_for_its_settings(root: Path) -> None:
    (root / "user-mix.csv").unlink()
    dataset = make()
    assert dataset.missing() is None
    assert [(t.attribute, t.split) for t in dataset.tasks()] == [*TASKS[:2], (USER_SPECIFIC, EACH_USER)]
    dataset.task(TaskName("popularity", ONE_PER_USER, "standard"))
    for setting, split in ((USER_MIX, "standard"), (USER_SPECIFIC, EACH_USER)):
        with pytest.raises(Blocked, match=r"no list user-mix.csv \(columns id,score\[,user\]\)"):
            dataset.task(TaskName("popularity", setting, split))


def test_contract(root: Path) -> None:
    findings = [check.run() for check in dataset_checks("popularity", values={"n_pairs": 300, "n_user_pairs": 60})]
    assert {f.law.name: f.detail for f in findings if f.outcome != "passed"} == {}


def test_contract_without_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATTR_DATA", str(tmp_path))
    for finding in (check.run() for check in dataset_checks("popularity")):
        assert finding.outcome in ("passed", "blocked"), finding.detail
        if finding.outcome == "blocked":
            assert "neither one-per-user.csv nor user-mix.csv" in finding.detail
            assert str(tmp_path / "popularity") in finding.detail


# ---------------------------------------------------------------------- two million of them


def test_nothing_is_opened_before_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    locate = Popularity.locate
    monkeypatch.setattr(Popularity, "locate", lambda self, name: opened.append(Path(name)) or locate(self, name))
    monkeypatch.setenv("RELATTR_DECODE_LIMIT", "0")  # streamed, as two million are
    monkeypatch.setattr(SampledFileSource.__init__, "__defaults__", (5,))
    dataset = make()
    task = dataset.task(TaskName("popularity", ONE_PER_USER, "standard"))
    assert len(opened) == 10  # five of each list, looked for
    opened.clear()
    assert task.train.images[3].shape == (3, 4, 3)
    assert len(opened) <= 6  # five that tell how much all would take, and that one


def test_an_image_that_is_gone_fails_when_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SampledFileSource.__init__, "__defaults__", (2,))
    dataset = make()
    images = dataset.task(TaskName("popularity", ONE_PER_USER, "standard")).train.images
    name = images.names[10]
    (root / "images" / name).unlink()
    assert dataset.missing() is None
    monkeypatch.setenv("RELATTR_DECODE_LIMIT", "0")  # streamed, as two million are
    streamed = Images(dataset._source(ONE_PER_USER)).subset(images.indices)
    assert streamed[9].shape == (3, 4, 3)
    with pytest.raises(BadImage, match=name):
        streamed[10]
    wrong = [finding for finding in dataset.verify() if not finding.ok]
    assert [f.detail for f in wrong] == [name]


def test_the_fingerprint_follows_lists_and_the_images_looked_at(root: Path) -> None:
    first = make().fingerprint()
    assert make().fingerprint() == first
    for file in (root / "images" / f"{rows_of(ONE_PER_USER)[0][0]}.jpg", root / "one-per-user.csv"):
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert make().fingerprint() != first
        file.write_bytes(content)


def test_a_list_is_read_once_on_a_machine(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _popularity_lists
    first = {kind: files.read_scores_list(root / LISTS[kind]) for kind in (ONE_PER_USER, USER_MIX)}
    with monkeypatch.context() as patch:
        patch.delattr(files, "open_csv")
        files._read_cached.cache_clear()  # as in another process
        for kind, known in first.items():
            again = files.read_scores_list(root / LISTS[kind])
            for one, other in ((again.ids, known.ids), (again.score, known.score), (again.user, known.user)):
                assert one.dtype == other.dtype
                assert one.tolist() == other.tolist()
            assert again.users == known.users
    for cached in (cache / "lists").iterdir():
        cached.write_bytes(cached.read_bytes()[:200])
    files._read_cached.cache_clear()
    assert files.read_scores_list(root / LISTS[USER_MIX]).users == tuple(USERS)


def test_a_long_list_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 30_000
    monkeypatch.setattr(_popularity_lists, "_CHUNK_LINES", 1_000)
    lines = ["id,score,user", *(f"{10**9 + 31 * k},{k % 97 / 8},user{k % 100}" for k in range(n))]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    del lines
    tracemalloc.start()
    scores = _popularity_lists.read_scores_list(tmp_path / "list.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scores.ids.size == n
    assert len(scores.users) == 100
    assert peak < 100 * n + 4e6  # as Python objects each line takes more than 200 bytes
    names = FileNames(scores.ids)
    assert (len(names), names[0], names[-1]) == (n, "1000000000.jpg", f"{10**9 + 31 * (n - 1)}.jpg")
    assert list(names[2:4]) == [names[2], names[3]]
    assert names[np.int32(5)] == names[5]


# ---------------------------------------------------------------------- faults


def edit(kind: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], Any]:
    def do(root: Path) -> None:
        path = root / LISTS[kind]
        path.write_text("\n".join(change(path.read_text().splitlines())))

    return do


def third(line: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[:2], line, *lines[3:]]


FAULTS: dict[str, tuple[Callable[[Path], Any], tuple[str, str], str]] = {
    "no score": (
        edit(ONE_PER_USER, lambda lines: ["id,views,user", *lines[1:]]),
        TASKS[0],
        "one-per-user.csv has .*no column 'score'",
    ),
    "no id": (
        edit(USER_MIX, lambda lines: ["photo,score,user", *lines[1:]]),
        TASKS[1],
        "user-mix.csv has .*no column 'id'",
    ),
    "no user": (
        edit(USER_MIX, lambda lines: [line.rpartition(",")[0] for line in lines]),
        (USER_SPECIFIC, EACH_USER),
        "user-mix.csv has no column 'user', which user-specific needs",
    ),
    "NaN": (
        edit(USER_MIX, third("7,nan,b")),
        TASKS[1],
        "user-mix.csv, line 3: score is 'nan'; expected a finite number",
    ),
    "text": (edit(USER_MIX, third("7,many,b")), TASKS[1], "line 3: score is 'many'"),
    "twice": (
        edit(ONE_PER_USER, lambda lines: [*lines, f"{lines[1].split(',')[0]},9.25,new"]),
        TASKS[0],
        "id '100000' is listed twice, with the scores .* and 9.25",
    ),
    "id out of the folder": (
        edit(USER_MIX, third("../7,1,b")),
        TASKS[1],
        "line 3: id is '../7'; expected the name of a file",
    ),
    "user": (edit(USER_MIX, third("7,1,b/c")), TASKS[1], "line 3: user is 'b/c'"),
    "empty": (edit(USER_MIX, third("7,,b")), TASKS[1], "line 3: score is empty"),
    "short": (edit(USER_MIX, third("7,1")), TASKS[1], "line 3: 2 cells; expected 3"),
    "no rows": (edit(USER_MIX, lambda lines: lines[:1]), TASKS[1], "user-mix.csv has a header and no rows"),
    "a user twice": (
        edit(ONE_PER_USER, lambda lines: [*lines, "777,1,u3"]),
        TASKS[0],
        "61 photographs of 60 users; expected one of each",
    ),
    "one score": (
        edit(USER_MIX, lambda lines: [lines[0], *(f"{line.split(',')[0]},1,b" for line in lines[1:])]),
        TASKS[1],
        "the 45 photographs to train of user-mix .standard. all have the same score",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(root: Path, fault: str) -> None:
    change, (setting, split), match = FAULTS[fault]
    change(root)
    with pytest.raises(BadInput, match=match):
        make().task(TaskName("popularity", setting, split))
    make().missing()  # and a plan goes on


def test_a_missing_photograph_is_reported(root: Path) -> None:
    (root / "images" / "100007.jpg").unlink()
    with pytest.raises(Blocked, match=r"1 are not in images \(first 100007.jpg\)"):
        make().task(TaskName("popularity", ONE_PER_USER, "standard"))
    with pytest.raises(Blocked, match="100007"):
        make().fingerprint()


def test_an_unknown_task_raises(root: Path) -> None:
    for setting, split in ((ONE_PER_USER, "b"), (USER_SPECIFIC, "standard"), ("views", "standard")):
        with pytest.raises((UnknownName, KeyError)):
            make().task(TaskName("popularity", setting, split))


@pytest.mark.parametrize("values", [{"n_pairs": 0}, {"n_user_pairs": 0}, {"seed": -1}])
def test_parameters_out_of_range(values: dict[str, int]) -> None:
    with pytest.raises(BadInput, match=next(iter(values))):
        make(**values)
