"""The columns of a released file: the data dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from relattr.harness.result import VERSION, Status

Kind = Literal["text", "integer", "number", "flag", "texts", "integers", "numbers"]
"""The type of a column: a value that may be missing, or a list of values."""
Record = Literal["result", "array", "test set", "audit"]
"""What a row has: see `RECORDS`."""

RECORDS: dict[Record, str] = {
    "result": "the numbers of a cell on one test set, or a cell without numbers and its reason",
    "array": "another array of the cell, such as the boxes of a spatial transformer",
    "test set": "the images and pairs of a test set",
    "audit": "the audit of the data that a result was computed on: leaks and contradictions",
}
"""The records of a released file, and what they are."""


@dataclass(frozen=True)
class Column:
    """A column of a released file."""

    name: str
    kind: Kind
    records: tuple[Record, ...]
    """The records that have a value in it."""
    meaning: str
    unit: str
    """The unit, ``JSON`` for a structured value; empty for text and counts without unit."""
    range: str
    source: str
    """Where the values come from."""


_RESULT: tuple[Record, ...] = ("result",)
_ARRAY: tuple[Record, ...] = ("array",)
_TEST_SET: tuple[Record, ...] = ("test set",)
_FRACTION = "0 to 1"
_COUNT = "at least 0"

COLUMNS: tuple[Column, ...] = (
    Column("record", "text", tuple(RECORDS), "what the row has", "", ", ".join(RECORDS), "relattr"),
    Column("key", "text", tuple(RECORDS), "identifier: of the cell, of the test set, or of the audit", "",
           "hexadecimal digits", "relattr"),
    Column("test_set", "text", _RESULT, "`key` of the row with the images and pairs of the test set", "",
           "empty if they are not in the file", "relattr"),
    # the cell
    Column("method", "text", _RESULT, "name of the method", "", "", "benchmark"),
    Column("method_label", "text", _RESULT, "name of the method in tables", "", "", "method"),
    Column("method_parameters", "text", _RESULT, "parameters of the method", "JSON", "null: the preset's value",
           "benchmark"),
    Column("method_files", "text", _RESULT, "SHA-256 of files that parameters name", "JSON", "", "files"),
    Column("dataset", "text", ("result", "test set"), "name of the dataset", "", "", "benchmark"),
    Column("dataset_label", "text", _RESULT, "name of the dataset in tables", "", "", "dataset"),
    Column("dataset_parameters", "text", _RESULT, "parameters of the dataset", "JSON", "", "benchmark"),
    Column("dataset_location", "text", _RESULT, "where own data was; it does not identify the cell", "JSON", "",
           "command"),
    Column("data", "text", _RESULT, "digest of own data", "", "empty for released datasets", "dataset"),
    Column("attribute", "text", ("result", "test set"), "the attribute that pairs are compared on", "", "", "dataset"),
    Column("split", "text", ("result", "test set"), "the division into training and test images", "", "", "dataset"),
    Column("seed", "integer", _RESULT, "seed of all randomness", "", _COUNT, "benchmark"),
    # its state
    Column("version", "integer", _RESULT, "version of the format of results", "", str(VERSION), "relattr"),
    Column("status", "text", _RESULT, "how the cell ended", "", ", ".join(get_args(Status)), "execution"),
    Column("reason", "text", _RESULT, "why it is not ok", "", "", "execution"),
    Column("traceback", "text", _RESULT, "Python's traceback of a failure", "", "", "execution"),
    Column("log", "text", _RESULT, "what the cell printed", "", "", "execution"),
    # its numbers
    Column("test", "text", ("result", "test set"), "name of the test set", "", "", "dataset"),
    Column("n_images", "integer", _RESULT, "images that are in a test pair", "images", _COUNT, "dataset"),
    Column("n_pairs", "integer", _RESULT, "test pairs", "pairs", _COUNT, "dataset"),
    Column("n_ordered", "integer", _RESULT, "test pairs that are not similar", "pairs", "0 to `n_pairs`", "dataset"),
    Column("n_correct", "integer", _RESULT, "ordered pairs that the method orders correctly", "pairs",
           "0 to `n_ordered`", "evaluation"),
    Column("n_tied", "integer", _RESULT, "ordered pairs whose images have the same strength", "pairs",
           "0 to `n_ordered`", "evaluation"),
    Column("ties", "text", _RESULT, "how tied pairs count in `accuracy`: wrong, half right, or not at all", "",
           "error, half, drop", "method"),
    Column("fold", "flag", _RESULT, "whether the pairs are one fold of a cross-validation", "", "", "dataset"),
    Column("accuracy", "number", _RESULT, "share of the ordered pairs that are correct", "fraction", _FRACTION,
           "evaluation"),
    Column("spearman", "number", _RESULT, "rank correlation of strengths and scores", "", "-1 to 1", "evaluation"),
    Column("box_centre", "number", _RESULT, "share of true boxes with the centre of a box of the method", "fraction",
           _FRACTION, "evaluation"),
    Column("box_iou", "number", _RESULT, "mean intersection over union with the true boxes", "fraction", _FRACTION,
           "evaluation"),
    Column("first_box_centre", "number", _RESULT, "`box_centre` before training", "fraction", _FRACTION, "evaluation"),
    Column("first_box_iou", "number", _RESULT, "`box_iou` before training", "fraction", _FRACTION, "evaluation"),
    Column("test_note", "text", _RESULT, "what readers must know about the test set", "", "", "dataset"),
    Column("test_deviation", "text", _RESULT, "how the pairs differ from the published ones", "", "", "dataset"),
    Column("strengths", "numbers", _RESULT, "strength of each image of the test set; larger means more", "none",
           "finite; NaN (null in text) for images in no pair", "method"),
    Column("margins", "numbers", _RESULT, "margin of each pair, of methods without strengths; positive: left has more",
           "none", "finite", "method"),
    # what readers must know
    Column("protocol", "text", _RESULT, "how the task was set up", "", "", "dataset"),
    Column("notes", "text", _RESULT, "notes on the task", "JSON", "", "dataset"),
    Column("task_deviations", "text", _RESULT, "how the task differs from the published one", "JSON", "", "dataset"),
    Column("method_notes", "text", _RESULT, "notes on the method", "JSON", "", "method"),
    Column("deviations", "text", _RESULT, "how the method differs from the published one", "JSON", "", "method"),
    Column("fitted", "text", _RESULT, "what the method chose when it was fitted, such as `C_`", "JSON", "", "method"),
    Column("warnings", "text", _RESULT, "Python warnings", "JSON", "", "execution"),
    # what it cost
    Column("seconds_fit", "number", _RESULT, "time to fit", "seconds", _COUNT, "clock"),
    Column("seconds_compare", "number", _RESULT, "time to apply the method to the test sets", "seconds", _COUNT,
           "clock"),
    Column("seconds", "number", _RESULT, "time of the whole process, with loading", "seconds", _COUNT, "clock"),
    Column("peak_memory_bytes", "integer", _RESULT, "largest memory use of its processes together", "bytes", _COUNT,
           "operating system"),
    Column("attempts", "integer", _RESULT, "how often it was started", "", "at least 1", "execution"),
    Column("limits", "text", _RESULT, "limits on time, memory and file size", "JSON", "", "command"),
    # what decided it, and where it ran
    Column("fingerprints", "text", _RESULT, "SHA-256 of the code, data and weights that decided it", "JSON", "",
           "files"),
    Column("commit", "text", _RESULT, "commit of relattr", "", "", "git"),
    Column("dirty", "flag", _RESULT, "whether files differed from the commit", "", "missing: no git checkout", "git"),
    Column("command", "text", _RESULT, "command that computed it", "", "", "command"),
    Column("python", "text", _RESULT, "version of Python", "", "", "machine"),
    Column("versions", "text", _RESULT, "versions of packages", "JSON", "", "machine"),
    Column("system", "text", _RESULT, "operating system", "", "", "machine"),
    Column("host", "text", _RESULT, "name of the machine", "", "", "machine"),
    Column("cpu", "text", _RESULT, "processor", "", "", "machine"),
    Column("threads", "integer", _RESULT, "processor threads of the cell", "", "at least 1", "command"),
    Column("memory_bytes", "integer", _RESULT, "memory of the machine", "bytes", _COUNT, "machine"),
    Column("device", "text", _RESULT, "where networks ran", "", "", "machine"),
    Column("gpu", "text", _RESULT, "GPU that the cell could use", "", "", "machine"),
    Column("started", "text", _RESULT, "when it started", "ISO 8601, UTC", "", "clock"),
    Column("arrays_bytes", "integer", _RESULT, "size of the file of arrays in the results folder", "bytes", _COUNT,
           "results folder"),
    Column("arrays_sha256", "text", _RESULT, "SHA-256 of that file", "", "64 hexadecimal digits", "results folder"),
    # other arrays
    Column("name", "text", _ARRAY, "name of the array in the file of arrays", "", "", "method"),
    Column("dtype", "text", _ARRAY, "its NumPy type", "", "such as float32; str for text", "method"),
    Column("shape", "integers", _ARRAY, "its shape", "", _COUNT, "method"),
    Column("numbers", "numbers", _ARRAY, "its values, row by row, if they are real numbers", "none", "", "method"),
    Column("integers", "integers", _ARRAY, "its values, if they are integers or truth values", "none", "64 bits",
           "method"),
    Column("texts", "texts", _ARRAY, "its values, if they are text", "", "", "method"),
    # test sets
    Column("images", "texts", _TEST_SET, "names of its images, in the order of `strengths`", "",
           "missing if they are not known", "dataset"),
    Column("image_ids", "integers", _TEST_SET, "index of each image in the dataset", "", _COUNT, "dataset"),
    Column("left", "integers", _TEST_SET, "left image of each pair, an index into `images`", "", "below the number of "
           "images", "dataset"),
    Column("right", "integers", _TEST_SET, "right image of each pair", "", "below the number of images", "dataset"),
    Column("label", "integers", _TEST_SET, "1: the left image has more; -1: the right one; 0: they are similar", "",
           "-1, 0, 1", "dataset"),
    Column("ordered_images", "integers", _TEST_SET,
           "in place of `left`, `right`, `label`: images of which all pairs are tested", "",
           "below the number of images", "dataset"),
    Column("ordered_by", "numbers", _TEST_SET, "number of each of these images; more means more of the attribute, "
           "equal means similar", "none", "finite", "dataset"),
    Column("side_seed", "text", _TEST_SET, "seed that decides which image of such a pair is on the left", "",
           "decimal digits", "dataset"),
    # audits
    Column("audit", "text", ("audit",), "the audit, as relattr stores it", "JSON", "", "relattr audit"),
)  # fmt: skip
"""All columns, in the order of the file."""


def dictionary_table(columns: Iterable[Column] = COLUMNS) -> str:
    """Return the data dictionary as a Markdown table, one line for each column."""
    lines = ["| column | type | rows | meaning | unit | range | source |", "|---|---|---|---|---|---|---|"]
    for column in columns:
        rows = "all" if len(column.records) == len(RECORDS) else ", ".join(column.records)
        cells = (f"`{column.name}`", column.kind, rows, column.meaning, column.unit, column.range, column.source)
        lines.append(table_line(cells))
    return "\n".join(lines) + "\n"


def table_line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


def records_table() -> str:
    """Return the records of a released file as a Markdown table."""
    lines = ["| `record` | a row has |", "|---|---|", *(f"| {name} | {text} |" for name, text in RECORDS.items())]
    return "\n".join(lines) + "\n"
