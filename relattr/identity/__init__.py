"""The identity of a result: digests of the code and the files that decide it.

A result is stale when its fingerprint no longer matches. The fingerprint is of what the code means, not of its text:
`syntax` digests the syntax tree without docstrings, comments, formatting and annotations. `imports` finds what a
source imports, `code` follows these imports through the project, `loaded` adds the modules that only running the code
reveals, and `files` digests the data files that a plugin declares.

What decides a result is a matter of position. Everything that a plugin imports counts, except modules that say
``DECIDES_RESULTS = False``; in the ``__init__.py`` of a package this holds for the whole package. In relattr, the
packages that list, plan, run, store, report and fetch say so, and the few modules beside them that register plugins
and define errors. Code that judges a method is imported by `relattr.execution.evaluate`, so it counts for every
result. A new module counts unless it says otherwise.
"""

from relattr.identity.code import code_digest, imported_modules, module_digests, source_digest, source_files

__all__ = ["code_digest", "imported_modules", "module_digests", "source_digest", "source_files"]

DECIDES_RESULTS = False
