"""Lists of millions of scored photographs, read in pieces: ids as bytes, scores, users as numbers."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

from relattr.errors import BadInput

from . import _csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = _csv.Layout(("id", "score"), ("user",))
_ID = re.compile(r"(?!\.)[!-.0-\[\]-~]+")
"""Printable ASCII without space, / and \\, and no point in front: a file name wherever it is put."""
_PIECE = 1 << 16
"""Lines held as Python objects at a time; arrays of them take a tenth of the memory."""


@dataclass(frozen=True, eq=False)
class PopularityScores:
    """The photographs of one list, in its order: ``ids`` ``(n,)`` bytes, ``score`` ``(n,)``.

    ``user`` ``(n,)`` is an index into ``users``, which are in the order in which the list first names them; both
    are empty where the list has no users.
    """

    path: Path
    ids: NDArray[np.bytes_]
    score: NDArray[np.float64]
    user: NDArray[np.int32]
    users: tuple[str, ...]

    def of_user(self, name: str) -> NDArray[np.int64]:
        """The positions of a user's photographs, ascending."""
        import numpy as np

        return np.flatnonzero(self.user == self.users.index(name))


class FileNames(Sequence[str]):
    """``<id>.jpg`` for each id, made when asked for: two million strings would take 200 MB."""

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


def read(path: Path) -> PopularityScores:
    """The photographs of a list. Raises `BadInput`, naming file, line and value, for anything that is not right."""
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    # a million lines take seconds to read, and every task of a plan asks for them
    return _read(path, (state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@lru_cache(maxsize=2)
def _read(path: Path, state: tuple[int, ...]) -> PopularityScores:
    """The photographs of a list, kept as arrays in the cache folder: every cell is a process that asks for them."""
    import numpy as np

    from relattr.identity import code_digest
    from relattr.system.atomic import write_arrays
    from relattr.system.digests import digest_files, digest_text
    from relattr.system.paths import cache_dir

    code = code_digest("relattr.datasets._popularity_files")
    key = digest_text(digest_files(path.parent, [path.name]), code)
    kept = cache_dir() / "lists" / f"{key[:40]}.npz"
    found = _kept(path, kept)
    if found is None:
        found = _parse(path)
        users = np.frombuffer("\n".join(found.users).encode(), np.uint8)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(kept, {"ids": found.ids, "score": found.score, "user": found.user, "users": users})
    for array in (found.ids, found.score, found.user):
        array.flags.writeable = False  # they are shared
    return found


def _kept(path: Path, kept: Path) -> PopularityScores | None:
    """What `_read` kept of a list; None where it is not there or not whole."""
    import numpy as np

    try:
        with kept.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
            text = arrays["users"].tobytes().decode()
            return PopularityScores(
                path, arrays["ids"], arrays["score"], arrays["user"], tuple(text.split("\n")) if text else ()
            )
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None


def _parse(path: Path) -> PopularityScores:
    import numpy as np

    pieces: list[tuple[NDArray[np.bytes_], NDArray[np.float64], NDArray[np.int32]]] = []
    index: dict[str, int] = {}
    ids: list[bytes] = []
    scores: list[float] = []
    users: list[int] = []

    def flush() -> None:
        pieces.append((np.array(ids, np.bytes_), np.array(scores, np.float64), np.array(users, np.int32)))
        for values in (ids, scores, users):
            values.clear()

    with _csv.opened(path, (COLUMNS,)) as table:
        with_users = "user" in table.present
        for line, (name, score, user) in table.rows:
            if not _ID.fullmatch(name):
                raise BadInput(
                    f"{path}, line {line}: id is {name[:80]!r}; expected the name of a file below images/ without .jpg"
                )
            ids.append(name.encode())
            try:
                value = float(score)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):  # only now, as two million messages take a while to be made
                value = _csv.number(score, f"{path}, line {line}: score")
            scores.append(value)
            if with_users:
                if user not in index and ("/" in user or not user.isprintable()):
                    raise BadInput(f"{path}, line {line}: user is {user[:80]!r}; expected text without /")
                users.append(index.setdefault(user, len(index)))
            if len(ids) == _PIECE:
                flush()
    flush()
    found = [np.concatenate(part) for part in zip(*pieces, strict=True)]
    order = np.argsort(found[0], kind="stable")
    again = np.flatnonzero(found[0][order[1:]] == found[0][order[:-1]])
    if again.size:
        first, second = order[again[0]], order[again[0] + 1]
        raise BadInput(
            f"{path}: id {found[0][first].decode()!r} is there twice, with the scores {found[1][first]:g} and "
            f"{found[1][second]:g}; expected one line a photograph"
        )
    return PopularityScores(path, found[0], found[1], found[2], tuple(index))
