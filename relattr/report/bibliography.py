"""What to cite: BibTeX of relattr, of the papers of methods, and of datasets."""

from __future__ import annotations

import fnmatch
import inspect
import re
from collections.abc import Collection, Iterable
from functools import cache

from relattr.registry import Registry
from relattr.report.backbones import backbones_of
from relattr.system.paths import package_folder
from relattr.system.reading import read_text

ALWAYS = ("relattr", "dubey2017modeling")
"""The keys of the entries that every user cites: the software, and the paper that it implements."""

MAX_NAMED = 6
"""Methods and datasets that the comment above an entry names."""

_ENTRY = re.compile(r"^@\w+\{([^,\s]+),.*?^\}$", re.MULTILINE | re.DOTALL)
_ENTRY_START = re.compile(r"@\w+\s*\{\s*([^,\s{}]+)\s*,")
_CITED_FOR = re.compile(r",\n *cited-for = \{([^}]*)\}")


@cache
def _entries() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Key -> the entry, and the patterns of what it is cited for.

    These are methods, or begin with ``backbone:``, ``dataset:`` or ``benchmark:``. An entry is here, and not in the
    citation of the dataset, where that is of several datasets, or where a benchmark is run on the user's own copy.
    """
    text = read_text(package_folder("relattr.paper_tables") / "references.bib")
    entries = {}
    for match in _ENTRY.finditer(text):
        cited_for = _CITED_FOR.search(match[0])
        patterns = tuple(cited_for[1].split()) if cited_for else ()
        entries[match[1]] = _CITED_FOR.sub("", match[0]), patterns
    return entries


def bibliography(
    methods: Iterable[str], datasets: Iterable[str], registry: Registry, *, benchmarks: Iterable[str] = ()
) -> str:
    """Return BibTeX: relattr and its paper, then what these methods, datasets and benchmarks cite, each entry once.

    Above each of the latter is a comment with what it is cited for. The methods and datasets of a benchmark are cited
    only if they are given too. What a dataset states in words, without an entry, follows as a comment.
    """
    methods, datasets = list(methods), list(dict.fromkeys(datasets))
    cited, reasons = _cited(methods, datasets, registry, benchmarks)
    texts = [_comment(reasons.get(key, {})) + entry for key, entry in cited.items()]
    texts += [f"% {name}: {remark}" for name in datasets if (remark := _remark(name, registry))]
    return "\n\n".join(texts) + "\n"


def without_citation(methods: Iterable[str], datasets: Iterable[str], registry: Registry) -> list[str]:
    """Return the methods and datasets to which nothing in their `bibliography` belongs."""
    methods, datasets = list(methods), list(datasets)
    _, reasons = _cited(methods, datasets, registry)
    with_entry = {name for names in reasons.values() for name in names}
    with_entry |= {name for name in datasets if _remark(name, registry)}
    return [name for name in dict.fromkeys([*methods, *datasets]) if name not in with_entry]


def _cited(
    methods: Iterable[str], datasets: Iterable[str], registry: Registry, benchmarks: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, dict[str, None]]]:
    """Key -> the entry; and key -> the methods, datasets and benchmarks that it is cited for."""
    cited = {key: _entries()[key][0] for key in ALWAYS}
    reasons: dict[str, dict[str, None]] = {}

    def cite(name: str, entries: Iterable[tuple[str, str]]) -> None:
        for key, entry in entries:
            cited.setdefault(key, entry)
            reasons.setdefault(key, {})[name] = None

    for method in methods:
        cite(method, _matching([method, *_default_backbone(method, registry)]))
    for name in datasets:
        cite(name, [*_entries_of(name, registry), *_matching([f"dataset:{name}"])])
    for name in benchmarks:
        cite(name, _matching([f"benchmark:{name}"]))
    return cited, reasons


def _matching(names: Iterable[str]) -> list[tuple[str, str]]:
    """Key and text of each entry that is cited for one of these names."""
    names = list(names)
    return [
        (key, entry)
        for key, (entry, patterns) in _entries().items()
        if any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
    ]


def _entries_of(dataset: str, registry: Registry) -> list[tuple[str, str]]:
    """Key and text of each complete entry in the citation of a dataset, whatever its line breaks."""
    text, found, end = inspect.cleandoc(registry.dataset(dataset).cls.citation), [], 0
    while start := _ENTRY_START.search(text, end):
        depth, end = 1, start.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found += [(start[1], text[start.start() : end])] if not depth else []
    return found


def _remark(dataset: str, registry: Registry) -> str:
    """The citation of a dataset on one line if it is text without an entry; else empty."""
    if _entries_of(dataset, registry):
        return ""
    return " ".join(registry.dataset(dataset).cls.citation.split()).replace("@", "(at)")  # BibTeX reads @ in comments


def _default_backbone(method: str, registry: Registry) -> list[str]:
    """``backbone:`` and the name of the network whose weights a method needs by default; nothing if it needs none."""
    if method not in registry.methods:
        return []
    return [f"backbone:{name}" for name in backbones_of(registry.method(method).create())]


def _comment(reasons: Collection[str]) -> str:
    """A line that BibTeX ignores, as all that is outside of entries."""
    if not reasons:
        return ""
    named = ", ".join(list(reasons)[:MAX_NAMED])
    return f"% {named}{f' and {len(reasons) - MAX_NAMED} more' if len(reasons) > MAX_NAMED else ''}\n"
