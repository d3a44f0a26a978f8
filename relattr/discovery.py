"""Loading plugins into this process after their import has been tried in another one.

A plugin that ends its process, crashes or hangs when it is imported would do so to every command. So a fork of this
process imports it first, within a time limit; this process imports the plugins that got through, and names the others.
The places of sound plugins are cached as long as no file of a plugin changes. What the code of a plugin does later in
this process is asked in another fork: `relattr.plugin_answers`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from relattr.plugin_files import cache_file, entry_point_files, stamps, state_of
from relattr.plugin_modules import Candidate
from relattr.registry import Registry
from relattr.system.cached import read_cached, write_cached
from relattr.system.contained import Contained, ContainedError, ProcessEnded, is_supported

DECIDES_RESULTS = False


def discover_contained(registry: Registry, folders: Iterable[Path] = ()) -> None:
    """`Registry.discover`, without the plugins whose import ends a process or hangs; those are recorded as broken.

    Raises `BadInput` if one of the folders does not exist.
    """
    folders = list(folders)
    candidates = registry.candidates(folders)
    unsound = _find_unsound(candidates, folders) if is_supported() else {}
    for where, error in unsound.items():
        registry.leave_out(where, error)
    registry.load((where, load) for where, load in candidates if where not in unsound)


def _find_unsound(candidates: Sequence[Candidate], folders: Sequence[Path]) -> dict[str, str]:
    """The plugins that must not be imported here, by place, and what happened in the fork that imported them."""
    resolved = [folder.resolve() for folder in folders]
    path, state = cache_file(resolved, "-sound"), state_of(resolved)
    sound = set() if state is None else _read_sound(path, state)
    untried = [(where, load) for where, load in candidates if where not in sound]
    if not untried:
        return {}
    external = stamps(entry_point_files())  # before the import: a later change invalidates it
    unsound = try_imports(untried)
    sound |= {where for where, _ in untried if where not in unsound}
    if state is not None:
        write_cached(path, json.dumps({"state": state, "external": external, "sound": sorted(sound)}).encode())
    return unsound


def try_imports(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Import these plugins in a fork; return those that ended it or made it hang, by place, and how.

    A plugin that only raises an exception is not among them: importing it in this process has the same effect.
    """
    loads = dict(candidates)
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401  (almost every plugin needs it: imported once, before the fork)

    def try_import(where: str) -> None:
        try:
            loads[where]()
        except KeyboardInterrupt as error:
            raise ContainedError("it raised KeyboardInterrupt") from error
        except BaseException:
            return

    unsound = {}
    with Contained(try_import) as fork:
        for where in loads:
            try:
                fork.ask(where)
            except ProcessEnded as error:
                unsound[where] = f"importing it in a process of its own: {error}"
            except ContainedError as error:
                unsound[where] = str(error)
    return unsound


def _read_sound(path: Path, state: str) -> set[str]:
    """The places of plugins that were imported without harm when all files were as they are now."""
    try:
        content = json.loads(read_cached(path) or b"{}")
        if content["state"] != state or stamps(content["external"]) != content["external"]:
            return set()
        return {str(where) for where in content["sound"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
