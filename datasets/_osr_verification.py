"""Check the files of OSR against its known checksums, classes, training images, class orders and pair counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from relattr.dataset import VerificationResult
from relattr.errors import BadInput
from relattr.pairs import Pairs
from relattr.system.manifest import ManifestEntry
from relattr.system.reading import read_json

from ._matlab import cell_texts, numeric_array, read_mat
from ._osr_classes import CLASS_RANKS, CLASSES, class_of
from ._osr_files import OFFICIAL_DATA, SPLIT_FILES, OSRRelease
from ._release_files import compare_with_manifest, identical_files
from ._verification import join_first, run_check

DECIDES_RESULTS = False

IMAGES_PER_CLASS = (356, 308, 292, 260, 360, 410, 374, 328)
ORDERED_TRAINING_PAIRS = (18_900, 20_700, 24_300, 22_500, 23_400, 16_200)
ORDERED_TEST_PAIRS = (1_857_012, 2_154_896, 2_511_068, 2_334_124, 2_410_024, 1_838_916)
TRAINING_NAMES = "fba36bee3b17fc4e3beb4fc79711d43731cde7301e3d85ef8652efafd3409baf"
"""SHA-256 of the 240 names in outdoor_scenes.mat, sorted, joined by newlines."""

DUPLICATES = (
    ("images/insidecity_urb992.jpg", "images/tallbuilding_urb992.jpg"),
    ("images/mountain_sclos4.jpg", "images/mountain_sharp59.jpg"),
)
TABLE = "relative_ordering_table1.json"


def verify_osr(release: OSRRelease) -> list[VerificationResult]:
    """Check the files of a release all of whose images exist."""
    findings = [
        run_check("images have their checksums", partial(_check_content, release)),
        run_check("images of each class", partial(_check_classes, release)),
        run_check("training images", partial(_check_training, release)),
        run_check("identical images, and none on both sides of the split", partial(_check_duplicates, release)),
    ]
    for file in OFFICIAL_DATA:
        if (release.root / file).is_file():
            what = f"{file} has the same names, classes and class order"
            findings.append(run_check(what, partial(_check_official_data, release, file)))
    if (release.root / TABLE).is_file():
        findings.append(run_check(f"{TABLE} agrees with the class order", partial(_check_table, release.root / TABLE)))
    for i, attribute in enumerate(CLASS_RANKS):
        findings.append(run_check(f"pairs of {attribute}", partial(_check_pairs, release, i, attribute)))
    return findings


def _check_content(release: OSRRelease) -> tuple[bool, str]:
    named = zip(release.entries, release.names, strict=True)
    return compare_with_manifest(
        release.root, [ManifestEntry(f"{release.image_folder}/{name}", e.sha256, e.size) for e, name in named]
    )


def _check_classes(release: OSRRelease) -> tuple[bool, str]:
    of_class = Counter(map(class_of, release.names))
    counts = tuple(of_class[name] for name in CLASSES)
    return counts == IMAGES_PER_CLASS, f"{counts}, expected {IMAGES_PER_CLASS} of {', '.join(CLASSES)}"


def _check_training(release: OSRRelease) -> tuple[bool, str]:
    sets = {file: release.training_names(file) for file in SPLIT_FILES if (release.root / file).is_file()}
    training = release.training_names(release.split_file)
    of_class = Counter(map(class_of, training))
    if {of_class[name] for name in CLASSES} != {release.n_train_per_class}:
        return False, f"{dict(of_class)} per class, expected {release.n_train_per_class} of each"
    if len(set(sets.values())) > 1:
        return False, f"{' and '.join(sets)} name different training images"
    digest = sha256("\n".join(sorted(training)).encode()).hexdigest()
    verdict = "the known ones" if digest == TRAINING_NAMES else f"not the known ones (SHA-256 {digest})"
    return digest == TRAINING_NAMES, f"{release.n_train_per_class} per class, from {' and '.join(sets)}; {verdict}"


def _check_duplicates(release: OSRRelease) -> tuple[bool, str]:
    groups = identical_files(release.entries)
    training = release.training_names(release.split_file)
    across = [group for group in groups if len({Path(path).name in training for path in group}) > 1]
    detail = join_first(" = ".join(group) for group in groups) or "none"
    where = f"on both sides: {join_first(' = '.join(group) for group in across)}" if across else "none on both sides"
    return tuple(groups) == DUPLICATES and not across, f"{detail}; {where}"


def _check_table(path: Path) -> tuple[bool, str]:
    try:
        table = read_json(path)
        wrong = _order_differences(table["attributes"], table["classes"], table["relative_ordering"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInput(f"{path} is not a table of class orders: {error!r}") from error
    return not wrong, join_first(wrong) or "the same for all attributes"


def _check_official_data(release: OSRRelease, file: str) -> tuple[bool, str]:
    path = release.root / file
    data = read_mat(path, ("im_names", "class_names", "class_labels", "attribute_names", "relative_ordering"))
    names, classes, attributes = (
        cell_texts(data[name], f"{path}: {name}") for name in ("im_names", "class_names", "attribute_names")
    )
    labels = [int(x) for x in numeric_array(data["class_labels"], f"{path}: class_labels").ravel()]
    wrong: list[str] = []
    if sorted(names) != list(release.names):
        wrong.append(f"its {len(names):,} image names are not those of the images")
    if len(labels) != len(names):
        wrong.append(f"{len(labels)} class labels for {len(names)} images")
    for name, label in zip(names, labels, strict=False):
        if not 1 <= label <= len(classes) or classes[label - 1] != class_of(name):
            wrong.append(f"class {label} for {name}")
    ranks = numeric_array(data["relative_ordering"], f"{path}: relative_ordering")
    if ranks.shape != (len(attributes), len(classes)):
        wrong.append(f"relative_ordering is {ranks.shape}, expected {len(attributes), len(classes)}")
    else:
        wrong += _order_differences(attributes, classes, ranks.tolist())
    return not wrong, join_first(wrong) or f"{len(names):,} names, their classes and six orders are the same"


def _check_pairs(release: OSRRelease, i: int, attribute: str) -> tuple[bool, str]:
    parts = (release.is_training, ~release.is_training)
    counts = tuple(Pairs.from_classes(release.classes[part], CLASS_RANKS[attribute]).n_ordered for part in parts)
    expected = ORDERED_TRAINING_PAIRS[i], ORDERED_TEST_PAIRS[i]
    return counts == expected, (
        "{:,} ordered training pairs and {:,} ordered test pairs, expected {:,} and {:,}".format(*counts, *expected)
    )


def _order_differences(
    attributes: Sequence[str], classes: Sequence[str], ranks: Sequence[Sequence[float]]
) -> list[str]:
    """The attributes whose class order, whatever integers express it, differs from `CLASS_RANKS`."""
    if sorted(attributes) != sorted(CLASS_RANKS) or sorted(classes) != sorted(CLASSES):
        return [f"attributes {list(attributes)} of classes {list(classes)}"]
    wrong = []
    for attribute, row in zip(attributes, ranks, strict=True):
        rank_of = dict(zip(classes, row, strict=True))
        levels = sorted(set(row))
        if tuple(levels.index(rank_of[name]) + 1 for name in CLASSES) != CLASS_RANKS[attribute]:
            wrong.append(f"another order for {attribute}: {rank_of}")
    return wrong
