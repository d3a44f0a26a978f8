"""What to cite: BibTeX of relattr, of the papers of methods, and of datasets."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache

from relattr.registry import Registry
from relattr.system.paths import package_folder
from relattr.system.reading import read_text

ALWAYS = ("relattr", "dubey2017modeling")
"""The keys of the entries that every user cites: the software, and the paper that it implements."""

_ENTRY = re.compile(r"^@\w+\{([^,\s]+),.*?^\}$", re.MULTILINE | re.DOTALL)
_CITED_FOR = re.compile(r",\n *cited-for = \{([^}]*)\}")


@cache
def _entries() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Key -> the entry, and the patterns of methods that it is cited for."""
    text = read_text(package_folder("relattr.paper_tables") / "references.bib")
    entries = {}
    for match in _ENTRY.finditer(text):
        cited_for = _CITED_FOR.search(match[0])
        patterns = tuple(cited_for[1].split()) if cited_for else ()
        entries[match[1]] = _CITED_FOR.sub("", match[0]), patterns
    return entries


def bibliography(methods: Iterable[str], datasets: Iterable[str], registry: Registry) -> str:
    """Return BibTeX: relattr and its paper, then what these methods and datasets cite, each entry once."""
    entries = _entries()
    cited = {key: entries[key][0] for key in ALWAYS}
    for method in methods:
        for key, (entry, patterns) in entries.items():
            if any(fnmatch.fnmatchcase(method, pattern) for pattern in patterns):
                cited.setdefault(key, entry)
    for name in datasets:
        for match in _ENTRY.finditer(registry.dataset(name).cls.citation):
            cited.setdefault(match[1], match[0])
    return "\n\n".join(cited.values()) + "\n"
