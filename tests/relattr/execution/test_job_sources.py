"""Whether the source files of a job have changed."""

from relattr.execution.job_sources import modified_sources
from relattr.identity.imports import summarise_source


def test_a_source_is_modified_if_its_meaning_is(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text("x = 1\n")
    fingerprints = {"code plugin": summarise_source(path, "plugin").digest}
    stats = {"code plugin": (str(path), path.stat().st_size, path.stat().st_mtime_ns)}
    for text, modified in (("x = 1\n", False), ("x  =  1  # one\n", False), ("x = 10\n", True), ("x =", True)):
        path.write_text(text)
        assert bool(modified_sources(stats, fingerprints)) == modified, text
    path.unlink()
    assert modified_sources(stats, fingerprints) == {"code plugin"}
