"""What a source file imports, and what in it cannot be followed: read from its syntax tree, without running it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Literal

import msgspec

from relattr.identity.syntax import FORMAT, is_for_type_checkers, last_name, run_branch, syntax_digest
from relattr.system.cached import read_cached, write_cached
from relattr.system.paths import cache_dir
from relattr.system.reading import MAX_FILE, MAX_SETTINGS, read_bytes

CACHE_FORMAT = f"v4.{FORMAT}"
"""Names the layout of the cached files; change it when `SourceSummary` or what is found in a source changes."""
_RECURSION_LIMIT = 10_000
"""Enough for a sum of 2,000 terms on one line, wherever on the stack the digest is computed."""
UNKNOWN = ""
"""Prefix of a fully dynamic module name."""

_LOADERS = frozenset({"load", "loadtxt", "genfromtxt", "fromfile", "memmap"})
_PROGRAMS = frozenset({("os", "system"), *(("subprocess", name) for name in ("run", "Popen", "check_output", "call"))})

Kind = Literal["code", "file"]


class Note(msgspec.Struct, frozen=True):
    """A line whose effect cannot be followed: it runs code, or reads a file, that the fingerprint may not have."""

    line: int
    kind: Kind
    text: str


class SourceSummary(msgspec.Struct, frozen=True):
    """The result of the static analysis of a source file."""

    digest: str
    """SHA-256 of its syntax tree (`syntax_digest`), or of its bytes if it is not valid Python."""
    imports: tuple[tuple[str, str], ...] = ()
    """``(base, name)`` for each ``from base import name``, ``(base, "")`` for each ``import base``, all absolute."""
    prefixes: tuple[str, ...] = ()
    """Constant prefixes of dynamically computed module names; `UNKNOWN` for a fully dynamic name."""
    exports: tuple[str, ...] | None = None
    """``__all__``, if it is a literal."""
    has_computed_exports: bool = False
    """Whether ``__all__`` is defined in another way."""
    reexports: dict[str, tuple[str, str]] | None = None
    """``name -> (base, name there)`` for a file that only re-exports; None for any other."""
    decides_results: bool = True
    """False if it sets ``DECIDES_RESULTS = False``."""
    notes: tuple[Note, ...] = ()


def summarise_source(path: Path, name: str) -> SourceSummary:
    """Return the summary of the file of module ``name``, from the cache if this content was read before.

    Raises `OSError` if it cannot be read.
    """
    source = read_bytes(path, MAX_SETTINGS if path.suffix == ".py" else MAX_FILE)
    if path.suffix == ".py":
        source = source.replace(b"\r\n", b"\n")
    content = hashlib.sha256(source).hexdigest()
    if path.suffix != ".py":
        return SourceSummary(f"bytes {content}")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    key = hashlib.sha256(f"{package}\0{name}".encode()).hexdigest()[:8]
    cached = cache_dir() / "imports" / CACHE_FORMAT / f"{content[:32]}-{key}.json"
    stored = read_cached(cached)
    if stored is not None:
        return msgspec.json.decode(stored, type=SourceSummary)
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
        summary = _summarise_tree(ast.parse(source, filename=str(path)), name, package)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # cells that run it report the error
        return SourceSummary(f"bytes {content}")
    finally:
        sys.setrecursionlimit(limit)
    write_cached(cached, msgspec.json.encode(summary))
    return summary


def _summarise_tree(tree: ast.Module, name: str, package: str) -> SourceSummary:
    visitor = _Visitor(tree, name, package)
    return SourceSummary(
        digest=syntax_digest(tree),
        imports=tuple(sorted(visitor.imports)),
        prefixes=tuple(sorted(visitor.prefixes)),
        exports=visitor.exports,
        has_computed_exports=visitor.has_computed_exports,
        reexports=_reexports(tree, package),
        decides_results=visitor.decides_results,
        notes=tuple(sorted(visitor.notes, key=lambda note: note.line)),
    )


class _Visitor(ast.NodeVisitor):
    """Collects the imports of a module, those inside functions too."""

    def __init__(self, tree: ast.Module, name: str, package: str) -> None:
        self.imports: set[tuple[str, str]] = set()
        self.prefixes: set[str] = set()
        self.exports: tuple[str, ...] | None = None
        self.has_computed_exports = False
        self.decides_results = True
        self.notes: list[Note] = []
        self._name = name
        self._package = package
        self._constants: dict[str, str] = {}
        self._import_functions = {"import_module"}
        self._read_assignments(tree)
        self.visit(tree)

    def _read_assignments(self, tree: ast.Module) -> None:
        """Read the module's text constants, ``__all__`` and ``DECIDES_RESULTS``."""
        assigned: dict[str, list[ast.expr | None]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                targets, value = node.targets, node.value
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                targets, value = [node.target], node.value
            elif isinstance(node, ast.AugAssign | ast.For | ast.NamedExpr):
                targets, value = [node.target], None
            else:
                continue
            for target in targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(value)
        for target_name, values in assigned.items():
            if len(values) == 1 and isinstance(values[0], ast.Constant) and isinstance(values[0].value, str):
                self._constants[target_name] = values[0].value
        for value in assigned.get("DECIDES_RESULTS", []):
            self.decides_results = not (isinstance(value, ast.Constant) and value.value is False)
        exports = assigned.get("__all__", [])
        if exports:
            names = _texts(exports[0]) if len(exports) == 1 else None
            self.exports, self.has_computed_exports = names, names is None

    def visit_If(self, node: ast.If) -> None:
        branch = run_branch(node)
        if branch is None:
            self.generic_visit(node)
        else:
            for child in branch:
                self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.update((alias.name, "") for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self._resolve("." * node.level + (node.module or ""), self._package)
        if base:
            self.imports.update((base, alias.name) for alias in node.names)
        if node.module == "importlib":
            self._import_functions |= {a.asname for a in node.names if a.name == "import_module" and a.asname}

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = last_name(node.func)
        if isinstance(node.func, ast.Name) and function in ("exec", "eval", "compile"):
            argument = node.args[0] if node.args else None
            if function != "compile" and not isinstance(argument, ast.Constant):
                self._note(node, "code", f"runs text as code with {function}()")
        elif function in self._import_functions:
            self._import_module(node)
        elif function == "__import__":
            self._import_builtin(node)
        elif function in ("run_path", "run_module", "spec_from_file_location", "SourceFileLoader"):
            self._note(node, "code", f"loads code from a place that is computed, with {function}()")
        elif isinstance(node.func, ast.Name) and function == "open" and not _opens_to_write(node):
            self._note(node, "file", "reads a file with open()")
        elif isinstance(node.func, ast.Attribute) and function in ("read_text", "read_bytes", "open"):
            if not _opens_to_write(node, method=True):
                self._note(node, "file", f"reads a file with {function}()")
        elif isinstance(node.func, ast.Attribute) and function in _LOADERS:
            if last_name(node.func.value) in ("np", "numpy", "torch"):
                self._note(node, "file", f"reads a file with {last_name(node.func.value)}.{function}()")
        elif isinstance(node.func, ast.Attribute) and (last_name(node.func.value), function) in _PROGRAMS:
            self._note(node, "code", f"starts a program with {function}()")
        elif function == "getenv":
            self._note(node, "code", "reads an environment variable")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if node.attr == "environ" and last_name(node.value) == "os":
            self._note(node, "code", "reads an environment variable")

    def _note(self, node: ast.expr, kind: Kind, text: str) -> None:
        note = Note(node.lineno, kind, text)
        if note not in self.notes:
            self.notes.append(note)

    def _import_module(self, node: ast.Call) -> None:
        """Read a call of ``importlib.import_module(name, package)``."""
        arguments = dict(zip(("name", "package"), node.args, strict=False))
        arguments |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        text, is_whole = self._text(arguments.get("name"))
        package: str | None = self._package
        if "package" in arguments and text.startswith("."):
            package = self._package_argument(arguments["package"])
        name = self._resolve(text, package)
        if name and not is_whole and text.strip(".") == "":
            name += "."  # f".{name}" is a module in this package
        self._import_name(node, name, is_whole)

    def _import_builtin(self, node: ast.Call) -> None:
        """Read a call of ``__import__(name, globals, locals, fromlist, level)``."""
        arguments = dict(zip(("name", "globals", "locals", "fromlist", "level"), node.args, strict=False))
        arguments |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        text, is_whole = self._text(arguments.get("name"))
        level = arguments.get("level")
        if isinstance(level, ast.Constant) and isinstance(level.value, int):
            text = "." * level.value + text
        base = self._resolve(text, self._package)
        self._import_name(node, base, is_whole)
        if base and is_whole and "fromlist" in arguments:
            names = _texts(arguments["fromlist"])
            if names is None:
                self.prefixes.add(f"{base}.")
            else:
                self.imports.update((base, name) for name in names)

    def _import_name(self, node: ast.Call, name: str | None, is_whole: bool) -> None:
        if name and is_whole:
            self.imports.add((name, ""))
            return
        self.prefixes.add(name or UNKNOWN)
        if not name:
            self._note(node, "code", "imports a module whose name is computed")

    def _text(self, node: ast.expr | None) -> tuple[str, bool]:
        """Return the text that an expression starts with, and whether that is all of it."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value, True
        if isinstance(node, ast.Name):
            if node.id == "__name__":
                return self._name, True
            if node.id == "__package__":
                return self._package, True
            return self._constants.get(node.id, ""), node.id in self._constants
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value) if node.conversion == -1 and node.format_spec is None else ("", False)
        if isinstance(node, ast.JoinedStr):
            parts = node.values
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [node.left, node.right]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return self._text(node.left)[0].partition("%")[0], False
        elif isinstance(node, ast.Call) and last_name(node.func) == "format" and isinstance(node.func, ast.Attribute):
            return self._text(node.func.value)[0].partition("{")[0], False
        else:
            return "", False
        text = ""
        for part in parts:
            more, is_whole = self._text(part)
            text += more
            if not is_whole:
                return text, False
        return text, True

    def _package_argument(self, node: ast.expr) -> str | None:
        text, is_whole = self._text(node)
        if is_whole:
            return text
        if ast.unparse(node) in ("__spec__.parent", "__spec__.name.rpartition('.')[0]", "__name__.rpartition('.')[0]"):
            return self._package
        return None

    def _resolve(self, text: str, package: str | None) -> str | None:
        """Make a relative name absolute; None where that is not possible."""
        if not text.startswith("."):
            return text
        if not package:
            return None
        try:
            return importlib.util.resolve_name(text, package)
        except ImportError:  # above the top-level package: the import fails
            return None


def _opens_to_write(node: ast.Call, *, method: bool = False) -> bool:
    """Whether a call of ``open`` has a mode that does not read."""
    position = 0 if method else 1
    mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), None)
    if mode is None and len(node.args) > position:
        mode = node.args[position]
    text = mode.value if isinstance(mode, ast.Constant) else ""
    return isinstance(text, str) and any(letter in text for letter in "wax") and "+" not in text


def _texts(node: ast.expr | None) -> tuple[str, ...] | None:
    """Return the strings of a literal list or tuple; None for any other expression."""
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    values = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return tuple(values) if len(values) == len(node.elts) else None


def _reexports(tree: ast.Module, package: str) -> dict[str, tuple[str, str]] | None:
    """Return where each name comes from in a module that only gives the names of others; None for any other module.

    Such a module has nothing but imports, private and dunder constants, and ``__getattr__`` and ``__dir__`` to import
    what stands under ``if TYPE_CHECKING:`` at its first use.
    """
    names: dict[str, tuple[str, str]] = {}
    statements = list(tree.body)
    if any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in statements):
        statements += [inner for node in statements if is_for_type_checkers(node) for inner in node.body]
    for node in statements:
        if isinstance(node, ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                return None
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            names.update({alias.asname or alias.name: (base, alias.name) for alias in node.names})
        elif isinstance(node, ast.Assign):
            targets = {last_name(target) for target in node.targets}
            if not all(target.startswith("_") or target == "DECIDES_RESULTS" for target in targets):
                return None
        elif isinstance(node, ast.FunctionDef):
            if node.name not in ("__getattr__", "__dir__"):
                return None
        elif not (
            isinstance(node, ast.Import)
            or is_for_type_checkers(node)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        ):
            return None
    return names
