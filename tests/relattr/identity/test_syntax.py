"""The digest of a source changes with its semantics, not with its layout."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from relattr.identity import syntax
from relattr.identity.syntax import syntax_digest

SOURCE = '''
"""A module."""
from __future__ import annotations
import math
from os import path, sep
from typing import TYPE_CHECKING, ClassVar

LIMIT: float = 1e-3  # a constant


class Model(Base):
    """A class."""

    size: int = 3
    label: ClassVar[str] = "m"

    @cached
    def fit(self, x: Array, *, steps: int = 10) -> None:
        """Fit."""
        total: float = 0.0
        for k in range(steps):
            total += math.sqrt(x[k] ** 2 + LIMIT) if k > 1 else -1
        print(f"total {total:.2f}" f" of {self.size!r:>{steps}}")
        self.total_ = total
'''


def digest(text: str) -> str:
    return syntax_digest(ast.parse(text))


def edited(old: str, new: str) -> str:
    assert old in SOURCE
    return SOURCE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a constant", "  # another comment"),
        ("LIMIT: float = 1e-3", "LIMIT = 0.001"),
        ("LIMIT: float = 1e-3", "LIMIT: float = (\n    1e-3\n)"),
        ('"""A module."""', ""),
        ('    """A class."""\n', "    pass\n"),
        ('        """Fit."""\n', '        """Fit it.\n\n        More."""\n        ...\n'),
        ("x: Array", "x: list[int] | None"),
        (") -> None:", "):"),
        ("total: float = 0.0", "total = 0.0"),
        ("        total: float = 0.0", "        k: int\n        total: float = 0.0"),
        ("ClassVar[str]", "typing.ClassVar[str | None]"),
        (
            "from typing import TYPE_CHECKING, ClassVar",
            "from typing import Any, ClassVar\nfrom collections.abc import Set",
        ),
        ("LIMIT: float", "if TYPE_CHECKING:\n    import heavy\nLIMIT: float"),
        ("LIMIT: float", "if not TYPE_CHECKING:\n    LIMIT: float"),
        ("import math\nfrom os import path, sep", "from os import sep\nfrom os import path\nimport math"),
        ('f"total {total:.2f}" f" of', 'f"total {total:.2f} of'),
        ("    @cached", "    @overload\n    def fit(self) -> None: ...\n    @cached"),
        ("        self.total_ = total", "        self.total_ = cast(float, total)"),
        ("self.total_ = total", "self.total_ : float = total"),
        ('"m"', "'m'"),
    ],
)
def test_layout_and_comments_do_not_change_the_digest(old, new):
    imports = "from typing import cast\n"
    assert digest(imports + edited(old, new)) == digest(imports + SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-3", "1e-4"),
        ("** 2", "** 2.0"),
        ("** 2", "* 2"),
        ("k > 1", "k >= 1"),
        ("steps: int = 10", "steps: int = 11"),
        ("*, steps", "steps"),
        ("@cached", "@other"),
        ("    @cached\n", ""),
        ("math.sqrt", "math.cbrt"),
        ("Model(Base)", "Model(Other)"),
        ("size: int = 3", "size: float = 3"),
        ("size: int = 3", "size = 3"),
        ('label: ClassVar[str] = "m"', 'label: str = "m"'),
        ("if k > 1 else -1", "if k > 1 else +1"),
        ("{total:.2f}", "{total:.3f}"),
        ("!r", "!s"),
        ("import math", "import math as m"),
        ("import math", "import cmath"),
        ("from os import path", "from ntpath import path"),
        ("self.total_ = total", "self.sum_ = total"),
        ('"m"', 'b"m"'),
        ("self.total_ = total", "return total"),
        ("import math\nfrom os import path, sep", "from os import path, sep\nx = 1\nimport math"),
        ("LIMIT: float", "if CHECKING:\n    import heavy\nLIMIT: float"),
    ],
)
def test_a_semantic_change_changes_the_digest(old, new):
    assert digest(edited(old, new)) != digest(SOURCE)


def test_the_order_of_statements_counts():
    assert digest("a = 1\nb = 2") != digest("b = 2\na = 1")
    assert digest("from a import x\nfrom b import x") != digest("from b import x\nfrom a import x")
    assert digest("from a import *\nfrom b import y") != digest("from b import y\nfrom a import *")


def test_an_annotation_that_is_dispatched_on_counts():
    text = "@area.register\ndef _(shape: {}): ..."
    assert digest(text.format("Circle")) != digest(text.format("Square"))


def test_text_cannot_pass_for_syntax():
    assert digest("f('a,str1:b')") != digest("f('a', 'b')")
    assert digest("x = 1") != digest("x = True") != digest("x = 1.0")
    assert digest(r"x = '\ud800'") != digest(r"x = '\ud801'")


VECTORS = {
    "": "bf2bb834832fc8f9f95832a80ca2f4a0b159f23ecaa7910ea4e90a13c3589a06",
    "x = 1": "8799ba6dc4992dff616c40c7b59ef16f796a53b81ab60a86bbff39f64ea6789f",
    SOURCE: "304371924f4eb9c26ce72dfebba7dfd352662d5ae1e71d4cbfa06e8d9281fc18",
    "async def f(a, /, b=-1j, *c, d, e=b'\\0', **g):\n    await (yield [*a, {**g, 1: ...}, {n async for n in c}])": "74786be0c2432b276bed6ee2348503b2908452010f5032613d73c77358fdaf11",
    "match x:\n    case {'a': [1, *_], **rest} if (y := rest): pass\n    case A(b=None) | 'c' as z: del z": "24e8b019eccb33d1192a3d9aa4467dc3a75af74811a6a1f8ec5773c174372f55",
    "try:\n    with a as b, c: lambda: (b @ c, not b, a < b <= c)\nexcept* E as e: raise F from e\nfinally: nonlocal_ = 1": "7477227795bba897d62729c8cd4cbc13946a4ae61709e6622dc3e3b65d1d0240",
    'f"{x}{{y}}{z!r:>{w}.{p}}" "tail" f"{v=}"': "af284ad85858421c3130eb2287e55495802fb246307c62c6829182a55c3258a9",
}
"""Source -> digest, the same on every Python version."""


@pytest.mark.parametrize("text", VECTORS)
def test_the_digest_of_known_sources(text):
    assert digest(text) == VECTORS[text]


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_python_versions_give_the_same_digests(version):
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    pythons = sorted(versions.glob(f"{version}.*/bin/python"))
    if not pythons:
        pytest.skip(f"Python {version} is not installed below {versions}")
    code = (
        f"import ast, runpy; digest = runpy.run_path({syntax.__file__!r})['syntax_digest']\n"
        f"for text in {list(VECTORS)!r}: print(digest(ast.parse(text)))"
    )
    done = subprocess.run([pythons[-1], "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == list(VECTORS.values())
