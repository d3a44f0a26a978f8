"""The identity of a result: digests of the code and the files that decide it.

A result is stale when its fingerprint no longer matches. The fingerprint of code is computed from the syntax tree, not
from the source text: `syntax` digests it without docstrings, comments, formatting and annotations. `imports` finds
what a source imports, `code` follows these imports through the project, `loaded` adds the modules detected only at run
time, and `files` digests the data files that a plugin declares.

A module that a plugin imports is part of the fingerprint unless it or its package sets ``DECIDES_RESULTS = False``.
The packages that list, plan, run, store, report and fetch set it, and so do the modules that register plugins and
define errors. The modules that `relattr.execution.evaluate` imports to evaluate a method are part of every
fingerprint. A new module is part of it by default.
"""

from relattr.identity.code import (
    code_digest,
    imported_modules,
    is_of_session,
    module_digests,
    source_digest,
    source_files,
)

__all__ = ["code_digest", "imported_modules", "is_of_session", "module_digests", "source_digest", "source_files"]

DECIDES_RESULTS = False
