"""The versions of the code that a result comes from: relattr's commit, and the distributions imported."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec

from relattr.system.cached import read_cached, write_cached
from relattr.system.digests import digest_text
from relattr.system.paths import cache_dir

_n_scanned = 0
_imported: dict[str, str] = {}


@cache
def relattr_revision() -> tuple[str, bool | None]:
    """Return the commit that relattr runs from and whether the working tree differs from it.

    Where relattr does not run from a git repository: its version, and None.
    """
    import relattr

    root = Path(relattr.__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() == root:
            return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        pass
    return f"relattr {relattr.__version__}", None


def imported_versions() -> dict[str, str]:
    """Return the version of every distribution that has been imported into this process.

    Only modules imported since the last call are examined: in a forked process, reading the names of thousands of
    modules copies the memory pages that hold them.
    """
    global _n_scanned
    distributions = _distributions_of_modules()
    new = itertools.islice(reversed(sys.modules), max(0, len(sys.modules) - _n_scanned))
    _n_scanned = len(sys.modules)
    for module in {name.partition(".")[0] for name in list(new)}:
        for distribution in distributions.get(module, []):
            if distribution not in _imported and _version(distribution):
                _imported[distribution] = _version(distribution)
    return dict(sorted(_imported.items()))


@cache
def _distributions_of_modules() -> dict[str, list[str]]:
    """Return the distributions of each top-level module; cached on disk until a distribution is (un)installed."""
    folders = [f"{folder} {os.stat(folder).st_mtime_ns}" for folder in sys.path if folder and os.path.isdir(folder)]
    cached = cache_dir() / "distributions" / f"{digest_text(*folders)[:32]}.json"
    stored = read_cached(cached)
    if stored is not None:
        return msgspec.json.decode(stored, type=dict[str, list[str]])
    distributions = {
        module: sorted(set(names)) for module, names in importlib.metadata.packages_distributions().items()
    }
    write_cached(cached, msgspec.json.encode(distributions))
    return distributions


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # uninstalled since the distributions were listed
        return ""
