"""Links between files of the project: each file exists, and so does the heading that an anchor names."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

import relattr

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^ *```.*?^ *```$|``.*?``|`[^`\n]*`", re.M | re.S)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")


def pages():
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:  # not a git checkout
        return sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
    return sorted(path for name in done.stdout.splitlines() if (path := ROOT / name).is_file())


PAGES = pages()


def text_of(path):
    """The text of a page without its code."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path):
    """The anchors of a page's headings, as GitHub and the documentation site form them."""
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#{1,6} +(.+?) *#*$", text, re.M)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def broken_links(path):
    for target in LINK.findall(text_of(path)):
        if EXTERNAL.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"{target}: no such file"
        elif not file.is_relative_to(ROOT):
            yield f"{target}: outside the repository"
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file)):
            yield f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    assert list(broken_links(page)) == []


def test_broken_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, twice\n[a](page.md#a-title-twice) [b](gone.md) [c](#b) [d](..) `[e](code.md)` [f](x:y)\n"
    )
    assert list(broken_links(page)) == ["gone.md: no such file", "#b: no such heading", "..: outside the repository"]


def test_every_page_of_the_site_is_in_a_table_of_contents():
    listed = set()
    for page in (ROOT / "docs").rglob("*.md"):
        if "_build" in page.parts:
            continue
        for toctree in re.findall(r"^```\{toctree\}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
            lines = [line.strip() for line in toctree.splitlines()]
            entries = [line for line in lines if line and not line.startswith(":") and not line.endswith("*")]
            listed |= {
                (page.parent / f"{entry.partition('<')[2].rstrip('>') or entry}.md").resolve() for entry in entries
            }
    assert [path for path in listed if not path.is_file()] == []
    pages = {path for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert pages - listed == {ROOT / "docs" / "index.md"}


def test_every_public_name_is_in_the_reference():
    reference = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto\w+:: relattr\.(\w+)$", reference, re.M))
    assert set(relattr.__all__) - {"__version__"} == documented - {"check", "needs", "ranksvm", "statistics"}
