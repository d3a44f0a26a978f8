"""Configuration of the documentation site: `tox run -e docs` builds it from the Markdown files of the repository.

The source folder is the root of the repository, so that a page links to files in other folders by the same relative
path on the site and on GitHub. Pages are the Markdown files named in `include_patterns`.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc_annotation, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

import relattr

project = "relattr"
author = "The relattr authors"
copyright = author
version = release = relattr.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/speed/*.md",
    "benchmarks/studies/*.md",
    "paper_tables/*.md",
    "results/README.md",
]
exclude_patterns = [".*", "build", "dist", "docs/_build", "results/[!R]*", "paper_tables/out", "**/__pycache__"]
nitpicky = True
myst_heading_anchors = 4
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
linkcheck_timeout = 20
linkcheck_ignore = [r"https://github\.com/relattr/.*"]  # the project is not published yet

html_theme = "pydata_sphinx_theme"
html_title = "relattr"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options: dict[str, Any] = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "back_to_top_button": False,
}
html_context = {"default_mode": "auto"}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
autodoc_type_aliases = {name: name for name in ("ArrayLike", "npt.ArrayLike", "ImagesLike", "Folders")}
HEAVY = ("torch", "torchvision", "timm", "safetensors")
autodoc_mock_imports = [name for name in HEAVY if importlib.util.find_spec(name) is None]
default_role = "py:obj"
python_display_short_literal_types = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 100

SECTION = re.compile(r"^(Parameters|Attributes|Returns|Yields|Raises|Warns|Notes|Examples|See Also)$")
ITEM = re.compile(r"^(?P<names>[\w*.]+(?:, [\w*.]+)*)(?: ?: (?P<text>.*))?$")


def read_sections(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn underlined sections of a docstring into headings, and their items into definition lists.

    An item is ``name : meaning``, whose further lines are indented, or ``name : type`` with the meaning below it.
    """
    result: list[str] = []
    section = ""
    skip_underline = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if skip_underline:
            skip_underline = False
            continue
        if SECTION.match(line) and following and set(following) == {"-"}:
            section, skip_underline = line, True
            result += ["", f"**{section}**", ""]
            continue
        item = ITEM.match(line) if section not in ("", "Notes", "Examples") else None
        below = following.strip() if following[:1].isspace() else ""
        if item and (item["text"] is not None or below):
            names = ", ".join(f"``{part}``" for part in item["names"].split(", "))
            text = item["text"] or ""
            is_type = bool(below) and below[0].isupper() and len(line) < 80 and not text.endswith((".", ","))
            result += ["", names + (f" : {text}" if is_type and text else "")]
            result += [] if is_type or not text else [f"    {text}"]
        else:
            if section not in ("", "Examples") and line and not line[0].isspace():
                section = ""
                result.append("")
            result.append(line)
    lines[:] = result


ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[([^][]+(?:\[[^][]*\])?)\]\]"
)


def shorten_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write arrays in a signature as the source does: ``NDArray[float64]``."""
    short = [text and ARRAY.sub(r"NDArray[\1]", text) for text in (signature, returns)]
    return short[0], short[1]


def shorten_property_types(app: Sphinx, tree: nodes.document, name: str) -> None:
    """Do the same for the types of properties, which are not part of a signature."""
    for annotation in tree.findall(desc_annotation):
        text = annotation.astext()
        if ARRAY.search(text):
            annotation.clear()
            annotation += nodes.Text(ARRAY.sub(r"NDArray[\1]", text))


def resolve_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Link a name of the API to where it is documented; a name that is documented nowhere stays text.

    Names in docstrings and signatures may be those of the module that defines them (``relattr.images.Images``), while
    the reference documents the public ones (``relattr.Images``).
    """
    if node.get("refdomain") != "py" or not node.get("refdoc", "").startswith("docs/api"):
        return None
    domain = env.domains.python_domain
    last = node["reftarget"].rpartition(".")[2]
    matches = [found for found in domain.objects if found == last or found.endswith(f".{last}")]
    if "." not in node["reftarget"] and node.get("reftype") == "obj":
        matches = [found for found in matches if found.count(".") <= 2]
    if len(matches) == 1:
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", matches[0], node, text)
    return text


def finish_site(app: Sphinx, error: Exception | None) -> None:
    """Let the top of the built site lead to the first page. Fails if a page loads anything from a network."""
    if error is not None or app.builder.name != "html":
        return
    first = f"{root_doc}.html"
    redirect = f'<meta http-equiv="refresh" content="0; url={first}"><a href="{first}">{html_title}</a>'
    page = f'<!doctype html><meta charset="utf-8"><title>{html_title}</title>{redirect}\n'
    Path(app.outdir, "index.html").write_text(page, encoding="utf-8")
    remote = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//[^>]*>")
    for path in Path(app.outdir).rglob("*.html"):
        loaded = remote.search(path.read_text(encoding="utf-8"))
        if loaded:
            raise ExtensionError(f"{path} loads a file from a network: {loaded[0]}")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("doctree-resolved", shorten_property_types)
    app.connect("missing-reference", resolve_name)
    app.connect("build-finished", finish_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
