"""Read lists of millions of scored photographs in chunks: ids as bytes, scores and users as numbers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from relattr.errors import BadInput
from relattr.identity import code_digest
from relattr.sampling import random_words
from relattr.system.atomic import write_arrays
from relattr.system.digests import digest_files, digest_text
from relattr.system.npz import read_npz
from relattr.system.numbers import parse_float
from relattr.system.paths import cache_dir

from ._csv_tables import CsvColumns, has_control, open_csv, parse_number
from ._release_files import file_state

COLUMNS = CsvColumns(("id", "score"), ("user",))
_ID = re.compile(r"(?!\.)[!-.0-\[\]-~]+")
"""Printable ASCII without space, / and \\, and no leading dot: a valid file name on every system."""
_CHUNK_LINES = 1 << 16
"""Lines held as Python objects at a time; arrays of them take a tenth of the memory."""


@dataclass(frozen=True, eq=False)
class PopularityScores:
    """The photographs of one list, sorted by id: ``ids`` ``(n,)`` bytes, ``score`` ``(n,)``.

    ``user`` ``(n,)`` is an index into ``users``, which are in the order of first mention; both are empty where the
    list has no user column.
    """

    path: Path
    ids: NDArray[np.bytes_]
    score: NDArray[np.float64]
    user: NDArray[np.int32]
    users: tuple[str, ...]

    def of_user(self, name: str) -> NDArray[np.int64]:
        """Return the positions of a user's photographs, ascending."""
        return np.flatnonzero(self.user == self.users.index(name))


class FileNames(Sequence[str]):
    """``<id>.jpg`` for each id, built on access: two million strings would take 200 MB."""

    def __init__(self, ids: NDArray[np.bytes_]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return int(self._ids.size)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return FileNames(self._ids[index])
        return bytes(self._ids[index]).decode() + ".jpg"

    def __iter__(self) -> Iterator[str]:
        return (self[k] for k in range(len(self)))


def read_scores_list(path: Path) -> PopularityScores:
    """Read a list. Raises `BadInput`, naming file, line and value, for anything invalid."""
    # a million lines take seconds to read, and every task of a plan needs them
    return _read_cached(path, file_state(path))


@lru_cache(maxsize=2)
def _read_cached(path: Path, state: tuple[int, ...]) -> PopularityScores:
    """Read a list from the cache folder, or parse it and write it there: every cell is a process that needs it."""
    code = code_digest("relattr.datasets._popularity_lists")
    key = digest_text(digest_files(path.parent, [path.name]), code)
    cached = cache_dir() / "lists" / f"{key[:40]}.npz"
    scores = _load_cached(path, cached)
    if scores is None:
        scores = _parse_list(path)
        users = np.frombuffer("\n".join(scores.users).encode(), np.uint8)
        with contextlib.suppress(OSError):  # without a writable cache it is parsed every time
            write_arrays(cached, {"ids": scores.ids, "score": scores.score, "user": scores.user, "users": users})
    for array in (scores.ids, scores.score, scores.user):
        array.flags.writeable = False  # callers share the cached arrays
    return scores


def _load_cached(path: Path, cached: Path) -> PopularityScores | None:
    """Load the arrays of a list from the cache; None where the file is missing or damaged."""
    try:
        arrays = read_npz(cached)
        text = arrays["users"].tobytes().decode()
        return PopularityScores(
            path, arrays["ids"], arrays["score"], arrays["user"], tuple(text.split("\n")) if text else ()
        )
    except (OSError, ValueError, KeyError):
        return None


def _parse_list(path: Path) -> PopularityScores:
    chunks: list[tuple[NDArray[np.bytes_], NDArray[np.float64], NDArray[np.int32]]] = []
    index: dict[str, int] = {}
    ids: list[bytes] = []
    scores: list[float] = []
    users: list[int] = []

    def flush() -> None:
        chunks.append((np.array(ids, np.bytes_), np.array(scores, np.float64), np.array(users, np.int32)))
        for values in (ids, scores, users):
            values.clear()

    with open_csv(path, (COLUMNS,)) as table:
        has_users = "user" in table.present
        for line, (name, score, user) in table.rows:
            if not _ID.fullmatch(name):
                raise BadInput(
                    f"{path}, line {line}: id is {name[:80]!r}; expected the name of a file below images/ without .jpg"
                )
            ids.append(name.encode())
            value, _ = parse_float(score)
            if value is None:  # formatting the location for two million valid lines would take long
                value = parse_number(score, f"{path}, line {line}: score")
            scores.append(value)
            if has_users:
                if user not in index and ("/" in user or has_control(user)):
                    raise BadInput(
                        f"{path}, line {line}: user is {user[:80]!r}; expected text without / and control characters"
                    )
                users.append(index.setdefault(user, len(index)))
            if len(ids) == _CHUNK_LINES:
                flush()
    flush()
    all_ids, all_scores, all_users = (np.concatenate(part) for part in zip(*chunks, strict=True))
    order = np.argsort(all_ids, kind="stable")
    repeated = np.flatnonzero(all_ids[order[1:]] == all_ids[order[:-1]])
    if repeated.size:
        first, second = order[repeated[0]], order[repeated[0] + 1]
        raise BadInput(
            f"{path}: id {all_ids[first].decode()!r} is listed twice, with the scores {all_scores[first]:g} and "
            f"{all_scores[second]:g}; expected one line per photograph"
        )
    # sorted, so that nothing depends on the order of the lines
    users_in_order = all_users[order] if all_users.size else all_users
    return PopularityScores(path, all_ids[order], all_scores[order], users_in_order, tuple(index))


def identify_photographs(ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """A pseudo-random integer for each id ``(n,)``, which depends on that id alone."""
    width = -(-ids.dtype.itemsize // 8) * 8
    columns = ids.astype(f"S{width}").view("<u8").reshape(ids.size, width // 8)
    words = np.zeros(ids.size, np.uint64)
    for k in range(columns.shape[1]):
        column = columns[:, k].astype(np.uint64)
        mixed = random_words((words ^ column).view(np.int64), k)
        words = np.where(column != 0, mixed, words)  # the padding does not count: it depends on the longest id
    return words.view(np.int64)
