"""The place of a failure is in the code of the plugin, if its traceback goes through it."""

from __future__ import annotations

import json
import traceback

from relattr import needs
from relattr.harness.failure_place import failure_place


def fails_in_the_library():
    json.loads("{")


def test_the_innermost_frame_of_the_plugin_is_named():
    try:
        fails_in_the_library()
    except ValueError:
        text = traceback.format_exc()
    line = fails_in_the_library.__code__.co_firstlineno + 1
    assert failure_place(text).endswith(f"test_failure_place.py, line {line}, in fails_in_the_library")


def test_without_a_frame_of_a_plugin_the_last_one_is_named():
    text = f'Traceback:\n  File "{json.__file__}", line 3, in load\nValueError: x'
    assert failure_place(text) == f"{json.__file__}, line 3, in load"
    framework = text.replace(json.__file__, needs.__file__)
    assert failure_place(framework) == ""
    assert failure_place("") == failure_place("killed by signal 9") == ""
