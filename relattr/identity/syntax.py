"""The digest of the syntax tree of a Python source: equal for sources that differ only in layout.

Left out are comments, formatting, docstrings, statements without effect, annotations of functions and variables,
``if TYPE_CHECKING:`` blocks, imports from typing modules, ``@overload`` stubs, and the order of imports that stand
together. Annotations in a class body count, because they decide the fields of a dataclass.

The digest is computed from a serialisation defined here, since ``ast.dump`` differs between Python versions.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeGuard

FORMAT = "1"
"""The version of the serialisation; a digest of another version never matches."""
TYPING_MODULES = frozenset({"__future__", "typing", "typing_extensions", "collections.abc", "numpy.typing"})
"""Modules that give names for annotations; importing from them has no effect on a result."""
_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params", "returns", "annotation"})

_Scope = Literal["module", "class", "function"]


def syntax_digest(tree: ast.Module) -> str:
    """Return the SHA-256 of a syntax tree, the same on every supported Python version.

    Raises `RecursionError` for a tree that is nested too deeply.
    """
    text = f"syntax {FORMAT} {_Serialiser(tree).serialise_body(tree.body, 'module')}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def run_branch(node: ast.If) -> list[ast.stmt] | None:
    """Return the statements of an ``if`` on ``TYPE_CHECKING`` that run; None for any other ``if``."""
    if _is_type_checking(node.test):
        return node.orelse
    if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
        return node.body if _is_type_checking(node.test.operand) else None
    return None


def is_for_type_checkers(node: ast.stmt) -> TypeGuard[ast.If]:
    """Whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and _is_type_checking(node.test)


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, ``c`` of ``a.b.c``; empty for any other expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_type_checking(test: ast.expr) -> bool:
    return last_name(test) == "TYPE_CHECKING"


class _Serialiser:
    """Writes the parts of a syntax tree that have a meaning as text."""

    def __init__(self, tree: ast.Module) -> None:
        self._casts = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in TYPING_MODULES
            for alias in node.names
            if alias.name == "cast"
        }

    def serialise_body(self, statements: Iterable[ast.stmt], scope: _Scope) -> str:
        """Serialise the statements of a block, imports that stand together as one sorted group."""
        parts: list[str] = []
        imports: list[tuple[str, str]] = []
        for statement in _effective(statements):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imports += _imported_names(statement)
                continue
            parts += _import_group(imports)
            imports = []
            parts.append(self._statement(statement, scope))
        return "{" + ";".join(part for part in [*parts, *_import_group(imports)] if part) + "}"

    def _statement(self, node: ast.stmt, scope: _Scope) -> str:
        if isinstance(node, ast.AnnAssign):
            if scope == "class":
                fields = [self._value(_without_class_var_argument(node.annotation), scope)]
                return f"Field({self._value(node.target, scope)},{fields[0]},{self._value(node.value, scope)})"
            if node.value is None:
                return ""
            return self._node(ast.Assign(targets=[node.target], value=node.value), scope)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [last_name(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list]
            if "overload" in names:
                return ""
            if "register" in names:  # functools.singledispatch dispatches on the annotation
                types = [self._value(argument.annotation, scope) for argument in node.args.args]
                return f"{self._node(node, scope)}:{','.join(types)}"
        return self._node(node, scope)

    def _node(self, node: ast.AST, scope: _Scope) -> str:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner: _Scope = "function"
        elif isinstance(node, ast.ClassDef):
            inner = "class"
        else:
            inner = scope
        if isinstance(node, ast.JoinedStr):
            return f"JoinedStr({self._value(_merged_text(node.values), scope)})"
        if isinstance(node, ast.FormattedValue):
            spec = node.format_spec
            if isinstance(spec, ast.JoinedStr) and not _merged_text(spec.values):
                spec = None
            parts = (node.value, node.conversion, spec)
            return f"FormattedValue({','.join(self._value(part, scope) for part in parts)})"
        if isinstance(node, ast.Call) and self._is_cast(node):
            return self._value(node.args[1], scope)
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _IGNORED_FIELDS or value is None or (isinstance(value, list) and not value):
                continue
            fields.append(f"{name}={self._value(value, inner if name == 'body' else scope)}")
        return f"{type(node).__name__}({','.join(fields)})"

    def _value(self, value: Any, scope: _Scope) -> str:
        if isinstance(value, ast.AST):
            return self._node(value, scope)
        if isinstance(value, list):
            if value and isinstance(value[0], ast.stmt):
                return self.serialise_body(value, scope)
            return "[" + ",".join(self._value(item, scope) for item in value) + "]"
        return _constant(value)

    def _is_cast(self, node: ast.Call) -> bool:
        if len(node.args) != 2 or node.keywords:
            return False
        if isinstance(node.func, ast.Name):
            return node.func.id in self._casts
        return last_name(node.func) == "cast" and last_name(getattr(node.func, "value", node.func)) == "typing"


def _effective(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that have an effect; docstrings, ``pass`` and ``...`` have none."""
    for statement in statements:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        branch = run_branch(statement) if isinstance(statement, ast.If) else None
        if branch is not None:
            yield from _effective(branch)
        else:
            yield statement


def _imported_names(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """Return the bound name and the serialisation of each imported name."""
    if isinstance(node, ast.Import):
        return [
            (alias.asname or "", f"import {alias.name} as {alias.asname or ''}")
            for alias in node.names
            if alias.name not in TYPING_MODULES
        ]
    if node.module in TYPING_MODULES and not node.level:
        return []
    source = "." * node.level + (node.module or "")
    return [
        (alias.asname or alias.name, f"from {source} import {alias.name} as {alias.asname or alias.name}")
        for alias in node.names
    ]


def _import_group(imports: list[tuple[str, str]]) -> list[str]:
    """Sort imports that stand together, unless one of them may replace the name that another one binds."""
    bound = [name for name, _ in imports if name]
    texts = [text for _, text in imports]
    return texts if "*" in bound or len(set(bound)) < len(bound) else sorted(texts)


def _without_class_var_argument(annotation: ast.expr) -> ast.expr:
    """Reduce ``ClassVar[...]`` to ``ClassVar``: its argument is for type checkers only."""
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "ClassVar":
        return ast.Name("ClassVar")
    return annotation


def _merged_text(values: Iterable[ast.expr]) -> list[ast.expr]:
    """Join neighbouring pieces of constant text in an f-string; Python versions split them differently."""
    merged: list[ast.expr] = []
    for value in values:
        if isinstance(value, ast.Constant):
            if value.value == "":
                continue
            if merged and isinstance(merged[-1], ast.Constant):
                merged[-1] = ast.Constant(str(merged[-1].value) + str(value.value))
                continue
        merged.append(value)
    return merged


def _constant(value: object) -> str:
    """Serialise a constant with its type; strings with their length, so that they cannot be confused with syntax."""
    if isinstance(value, str):
        return f"str{len(value)}:{value}"
    if isinstance(value, bytes):
        return f"bytes:{value.hex()}"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"int:{value:x}"
    if isinstance(value, float):
        return f"float:{value.hex()}"
    if isinstance(value, complex):
        return f"complex:{value.real.hex()},{value.imag.hex()}"
    return repr(value)  # None and Ellipsis
