"""What `relattr check` reports of a plugin's fingerprint: the lines of its code whose effect cannot be followed."""

from __future__ import annotations

from typing import Any

from relattr.dataset import Dataset
from relattr.identity.code import find_file, notes_of
from relattr.identity.files import declared_files


def fingerprint_is_complete(subject: Any) -> str | None:
    """Return a remark for each line that runs code, or reads a file, outside the fingerprint of the plugin.

    A dataset reads files as a matter of course; its ``fingerprint()`` stands for them.
    """
    instance = subject.plugin.create(subject.values)
    declared = declared_files(instance)  # raises for one that does not exist
    reads_count = not declared and not isinstance(instance, Dataset)
    remarks = []
    for module, notes in notes_of(subject.plugin.module).items():
        path = find_file(module)
        for note in notes:
            if note.kind == "file" and not reads_count:
                continue
            advice = "list it in `files` if it decides results" if note.kind == "file" else "not in the fingerprint"
            remarks.append(f"note: {path.name if path else module}:{note.line} {note.text}; {advice}")
    return "\n".join(remarks) or None
