"""Plugins whose import ends a process, crashes or hangs are named, and all others are loaded."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from relattr import discovery, plugin_modules
from relattr import registry as module
from relattr.discovery import discover_contained, try_imports
from relattr.registry import Registry
from relattr.system import contained

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

METHOD = """
from relattr import Method, register_method

@register_method({name!r}, label="A method")
class Plugin(Method):
    '''A method.'''
"""


@pytest.fixture
def registry(monkeypatch):
    """An empty registry in place of the global one, which finds only the plugins of folders."""
    empty = Registry()
    monkeypatch.setattr(module, "registry", empty)
    original = plugin_modules.modules_of
    monkeypatch.setattr(
        plugin_modules, "modules_of", lambda package: [] if package.startswith("relattr.") else original(package)
    )
    yield empty
    for name in [n for n in sys.modules if n.startswith("relattr_plugins_")]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("a_first", "z_last"):
        (folder / f"{name}.py").write_text(METHOD.format(name=name))
    return folder


UNSOUND = {
    "os._exit(0)": "exit code 0",
    "os._exit(7)": "exit code 7",
    "import ctypes; ctypes.string_at(0)": "SIGSEGV",
    "os.kill(os.getpid(), 9)": "SIGKILL",
    "os.abort()": "SIGABRT",
    "signal.signal(signal.SIGALRM, signal.SIG_DFL); signal.alarm(1); time.sleep(100)": "SIGALRM",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
}


@pytest.mark.parametrize("body", UNSOUND)
def test_an_import_that_ends_a_process_is_named(registry, folder, body):
    (folder / "m_bad.py").write_text(f"import os, signal, time\n{METHOD.format(name='bad')}\n{body}\n")
    discover_contained(registry, [folder])
    assert set(registry.methods) == {"a_first", "z_last"}
    (broken,) = registry.broken
    assert str(folder / "m_bad.py") in broken.where
    assert UNSOUND[body] in broken.error
    assert registry.left_out == [broken.where]  # the processes of cells do not import it either


@pytest.mark.parametrize("body", ["time.sleep(1000)", "while True: pass", "open('pipe').read()"])
def test_an_import_that_hangs_is_named(registry, folder, body, monkeypatch, tmp_path):
    monkeypatch.setenv(contained.LIMIT_VARIABLE, "0.5")
    monkeypatch.setattr(contained, "_LOOK_INTERVAL", 0.05)
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (folder / "m_bad.py").write_text(f"import time\n{body}\n")
    discover_contained(registry, [folder])
    assert set(registry.methods) == {"a_first", "z_last"}
    assert "no answer after" in registry.broken[0].error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("import pytest\npytest.skip('no gpu', allow_module_level=True)", "Skipped: no gpu"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "its message cannot be computed"),
        ("raise ValueError('x' * 40_000_000)", "characters left out"),
        ("raise ValueError('\\udcff')", r"ValueError: \udcff"),
        (METHOD.format(name="x").replace("'x'", r"'\udcff'"), "cannot be written as UTF-8"),
        (METHOD.format(name="x").replace('"A method"', r"'\udcff'"), "label of a method cannot be written as UTF-8"),
        (METHOD.format(name="x").replace('"A method"', "5"), "label of a method must be a string; got 5"),
    ],
)
def test_whatever_an_import_raises_is_a_line(registry, folder, body, error):
    (folder / "m_bad.py").write_bytes(body.encode(errors="backslashreplace"))
    discover_contained(registry, [folder])
    assert set(registry.methods) == {"a_first", "z_last"}
    (broken,) = registry.broken
    assert error in broken.error
    assert len(broken.error) < 5000
    broken.error.encode()


def test_signal_handlers_of_plugins_are_removed(registry, folder):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD)
    (folder / "m_sets.py").write_text(
        "import signal\nfor s in (signal.SIGINT, signal.SIGCHLD): signal.signal(s, signal.SIG_IGN)\n"
    )
    discover_contained(registry, [folder])
    assert registry.broken == []
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD)) == before


def test_plugins_are_tried_once_until_a_file_changes(registry, folder, monkeypatch):
    tried = []

    def record(candidates):
        tried.append(sorted(where.partition(" ")[0].rpartition(".")[2] for where, _ in candidates))
        return try_imports(candidates)

    monkeypatch.setattr(discovery, "try_imports", record)
    (folder / "m_bad.py").write_text("import os; os._exit(0)")
    for _ in range(2):
        discovery._find_unsound(registry.candidates([folder]), [folder])
    assert tried == [["a_first", "m_bad", "z_last"], ["m_bad"]]  # a broken one is tried again
    (folder / "m_bad.py").write_text("import os")
    for _ in range(2):
        discovery._find_unsound(registry.candidates([folder]), [folder])
    assert tried[2:] == [["a_first", "m_bad", "z_last"]]


def test_a_plugin_that_imports_an_unsound_one_is_left_out_too(registry, folder):
    (folder / "m_bad.py").write_text("import os; os._exit(0)")
    (folder / "b_uses.py").write_text("from . import m_bad")
    discover_contained(registry, [folder])
    assert set(registry.methods) == {"a_first", "z_last"}
    assert len(registry.left_out) == 2


def test_only_regular_files_of_a_sensible_size_are_imported(registry, folder, monkeypatch):
    os.mkfifo(folder / "pipe.py")
    (folder / "large.py").write_text("x = 1" + " " * 5000)
    (folder / "link.py").symlink_to("/dev/zero")
    monkeypatch.setattr(plugin_modules, "MAX_SETTINGS", 4000)
    discover_contained(registry, [folder])
    assert set(registry.methods) == {"a_first", "z_last"}
    errors = {plugin.where.rpartition("/")[2].rstrip(")"): plugin.error for plugin in registry.broken}
    assert {name: text.partition("is ")[2] or text.partition("has ")[2] for name, text in errors.items()} == {
        "pipe.py": "a named pipe; expected a regular file: " + repr(str(folder / "pipe.py")),
        "large.py": "5,005 bytes; at most 4,000 are read: " + repr(str(folder / "large.py")),
        "link.py": "a device; expected a regular file: " + repr(str(folder / "link.py")),
    }
