"""The page on citing, CITATION.cff and the package name the same version and title."""

from __future__ import annotations

import re
from pathlib import Path

import relattr

ROOT = Path(__file__).resolve().parents[2]


def test_the_citations_agree_with_the_package():
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")
    version, title = (re.search(rf'^{field}: "?(.+?)"?$', cff, re.M)[1] for field in ("version", "title"))
    assert version == relattr.__version__
    assert f"version = {{{version}}}" in page
    assert f"title = {{{title}}}" in page
