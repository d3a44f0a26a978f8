"""Safe unpacking of zip files from untrusted sources.

The folder appears only when it is complete: members are written to a temporary folder in the same parent, which is
renamed at the end.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.atomic import write_text
from relattr.system.manifest import check_path
from relattr.system.reading import open_regular, read_text

STAMP = ".unpacked"
"""The name of the file in an unpacked folder that has the SHA-256 of its archive."""

MAX_BYTES = 200 * 1024**3
MAX_MEMBERS = 2_000_000
_BLOCK = 1 << 20
ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,  # without a number: of the decompressor of bzip2
    EOFError,
    RuntimeError,  # an encrypted member, or a compression that this Python does not have
    ValueError,
    MemoryError,
)
"""The exceptions that `zipfile` raises for a damaged file; an OSError with a number is of the system."""


def is_unpacked(folder: Path, sha256: str) -> bool:
    """Whether ``folder`` has the contents of the archive with this SHA-256."""
    try:
        return read_text(folder / STAMP).strip() == sha256
    except (OSError, UnicodeDecodeError):
        return False


def unpack_zip(
    archive: Path, folder: Path, sha256: str, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> None:
    """Unpack a zip file into ``folder``, which must not exist, and store the archive's SHA-256 there.

    Raises `BadInput`, and leaves no files behind, if the file is not a zip file or is damaged; if a member is a link
    or device, is encrypted, is listed twice, or would be written outside the folder; if there are more than
    ``max_members`` members or ``max_bytes`` bytes; and if the folder exists.
    """
    if folder.exists() or folder.is_symlink():
        raise BadInput(f"{folder} exists, but was not unpacked from {archive.name}; move it away and download again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    try:
        inside = temporary / "unpacked"  # mkdtemp creates folders that only their owner can read
        inside.mkdir()
        try:
            with open_regular(archive) as content, zipfile.ZipFile(content) as file:
                members = _validate_members(archive, file, max_bytes, max_members)
                free = shutil.disk_usage(temporary).free
                needed = sum(member.file_size for member in members)
                if needed > free:
                    raise BadInput(f"{archive} unpacks to {needed:,} bytes, but {folder.parent} has {free:,} free")
                for member in members:
                    _extract(file, member, inside)
        except ZIP_DAMAGE as error:
            if isinstance(error, BadInput) or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise BadInput(f"{archive} is not a complete zip file ({error}); delete it and download again") from error
        write_text(inside / STAMP, sha256 + "\n")
        inside.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _validate_members(archive: Path, file: zipfile.ZipFile, max_bytes: int, max_members: int) -> list[zipfile.ZipInfo]:
    """The files of an archive. Raises `BadInput` if the name, type or size of any member is not acceptable."""
    infos = file.infolist()
    if len(infos) > max_members:
        raise BadInput(f"{archive} has {len(infos):,} members; at most {max_members:,} are accepted")
    total, seen, files = 0, set(), []
    for info in infos:
        name = info.filename.removesuffix("/")
        try:
            check_path(name)
        except BadInput:
            raise BadInput(f"{archive} has a member {info.filename!r} outside the folder") from None
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadInput(f"{archive} has a member {info.filename!r} that is a link or device, not a file")
        if info.flag_bits & 1:
            raise BadInput(f"{archive} has an encrypted member {info.filename!r}")
        if name in seen or name == STAMP:
            raise BadInput(f"{archive} has a member {info.filename!r} twice, or with a reserved name")
        seen.add(name)
        total += info.file_size
        if not info.is_dir():
            files.append(info)
    if total > max_bytes:
        raise BadInput(f"{archive} unpacks to {total:,} bytes; at most {max_bytes:,} are accepted")
    plain = {info.filename for info in files}
    for name in seen:
        parents = name.split("/")[:-1]
        if any("/".join(parents[:k]) in plain for k in range(1, len(parents) + 1)):
            raise BadInput(f"{archive} has a member {name!r} below another member that is a file")
    return files


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with file.open(member) as source, target.open("xb") as copy:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > member.file_size:  # a zip bomb: larger than its directory declares
                raise BadInput(f"{member.filename} is larger than the {member.file_size:,} bytes it declares")
            copy.write(block)
    if written != member.file_size:
        raise BadInput(f"{member.filename} has {written:,} bytes, but declares {member.file_size:,}")
