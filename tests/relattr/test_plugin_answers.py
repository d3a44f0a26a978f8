"""What a dataset or method says about itself is checked, and cannot end the process that asks."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import pytest

from relattr import registry as module
from relattr.dataset import Dataset
from relattr.errors import BadInput, Blocked, RelattrError
from relattr.method import Method
from relattr.needs import Need, Packages
from relattr.plugin_answers import answer_directly, contain_answers
from relattr.registry import Plugin, Registry
from relattr.system import contained
from relattr.system.contained import ContainedError
from relattr.task import TaskName

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

REPLIES = {
    "number": lambda: 5,
    "bytes": lambda: b"text",
    "none": lambda: None,
    "surrogate": lambda: "\udcff",
    "exit": lambda: os._exit(0),
    "crash": lambda: ctypes.string_at(0),
    "hang": lambda: time.sleep(1000),
    "sys.exit": lambda: sys.exit(0),
    "raise": lambda: 1 / 0,
}


class Odd(Dataset):
    """Gives the reply of this name to one question."""

    question: str = ""
    reply: str = ""

    def _reply(self, question: str, usual: Any) -> Any:
        return REPLIES[self.reply]() if self.question == question else usual

    def attributes(self) -> Any:
        return self._reply("attributes", ("a", "b"))

    def missing(self) -> Any:
        return self._reply("missing", None)

    def fingerprint(self) -> Any:
        return self._reply("fingerprint", "odd 1")

    def task(self, name: TaskName) -> Any:
        return self._reply("task", ("task of", name))


class NeedsOdd(Method):
    """Has a need that gives the reply of this name."""

    reply: str = ""

    def needs(self) -> Any:
        reply = self.reply

        class OddNeed(Need):
            backbone = "some-net"

            def missing(self) -> Any:
                return REPLIES[reply]() if reply else "nothing is there"

            def fingerprint(self) -> str:
                return "odd need"

        return [OddNeed(), Packages(["json"], "deep")]


@pytest.fixture
def create(monkeypatch):
    """``create("odd", question=..., reply=...)``: a plugin that answers in a fork."""
    registry = Registry()
    registry.datasets["odd"] = Plugin("odd", "Odd", Odd, {})
    registry.methods["needs-odd"] = Plugin("needs-odd", "Odd", NeedsOdd, {})
    monkeypatch.setattr(contained, "_LOOK_INTERVAL", 0.05)
    contain_answers(registry)
    yield lambda name, **values: {**registry.datasets, **registry.methods}[name].create(values)
    answer_directly()
    assert module.creation_hook() is None


def test_answers_are_those_of_the_plugin(create):
    dataset = create("odd")
    assert list(dataset.attributes()) == ["a", "b"]
    assert dataset.missing() is None
    assert dataset.missing_labels() is None
    assert dataset.fingerprint() == dataset.labels_fingerprint() == "odd 1"
    assert dataset.tasks() == [TaskName("odd", "a", "standard"), TaskName("odd", "b", "standard")]
    assert type(dataset) is Odd
    need, other = create("needs-odd").needs()
    assert (need.missing(), need.fingerprint(), need.backbone) == ("nothing is there", "odd need", "some-net")
    assert (other.missing(), other.backbone) == (None, "")


@pytest.mark.parametrize("question", ["attributes", "missing", "fingerprint"])
@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("number", "gave 5 (int); expected"),
        ("bytes", "gave b'text' (bytes); expected"),
        ("surrogate", "cannot be written as UTF-8"),
        ("exit", "ended its process with exit code 0"),
        ("crash", "SIGSEGV"),
        ("sys.exit", "SystemExit"),
        ("raise", "ZeroDivisionError"),
    ],
)
def test_an_odd_answer_is_an_error_of_its_plugin(create, question, reply, text):
    dataset = create("odd", question=question, reply=reply)
    if (question, reply) == ("attributes", "surrogate"):
        text = "gave '\\udcff'; expected a list"
    if (question, reply) == ("missing", "surrogate"):  # a reason may name a file whose name is not UTF-8
        assert dataset.missing() == "\\udcff"
        return
    with pytest.raises(RelattrError) as error:
        getattr(dataset, question)()
    assert text in str(error.value)
    assert "odd" in str(error.value) or reply == "raise"
    assert create("odd").fingerprint() == "odd 1"  # others are not affected


def test_a_dataset_that_hangs_is_named(create, monkeypatch):
    monkeypatch.setenv(contained.LIMIT_VARIABLE, "0.3")
    with pytest.raises(ContainedError, match=r"fingerprint\(\) of dataset odd: no answer after"):
        create("odd", question="fingerprint", reply="hang").fingerprint()


@pytest.mark.parametrize("reply", ["number", "exit", "crash"])
def test_a_need_that_misbehaves_is_an_error_of_its_method(create, reply):
    need, _ = create("needs-odd", reply=reply).needs()
    with pytest.raises(RelattrError, match="of method needs-odd"):
        need.missing()
    assert need.fingerprint() == "odd need"


@pytest.mark.parametrize("reply", ["exit", "crash"])
def test_a_task_that_ends_its_process_is_an_error(create, reply):
    task = TaskName("odd", "a", "standard")
    with pytest.raises(ContainedError, match=r"^task\(\) of dataset odd: it ended its process"):
        create("odd", question="task", reply=reply).task(task)
    with pytest.raises(ZeroDivisionError):  # as without a fork
        create("odd", question="task", reply="raise").task(task)
    assert create("odd").task(task) == ("task of", task)


def test_code_that_runs_at_creation_is_tried_in_the_fork(monkeypatch):
    class Created(Dataset):
        """Ends the process for one value."""

        value: int = 0

        def __post_init__(self) -> None:
            if self.value == 1:
                os._exit(0)
            if self.value == 2:
                raise BadInput("2 is not a value")

    registry = Registry()
    registry.datasets["created"] = plugin = Plugin("created", "C", Created, {})
    contain_answers(registry)
    try:
        assert plugin.create({"value": 3}).value == 3
        with pytest.raises(ContainedError, match="creating dataset created: it ended its process with exit code 0"):
            plugin.create({"value": 1})
        with pytest.raises(BadInput, match="2 is not a value"):
            plugin.create({"value": 2})
    finally:
        answer_directly()


def test_types_of_errors_are_kept(create, monkeypatch):
    monkeypatch.setitem(REPLIES, "blocked", lambda: (_ for _ in ()).throw(Blocked("no files")))
    monkeypatch.setitem(REPLIES, "bad", lambda: (_ for _ in ()).throw(BadInput("row 3: 5 is not a label")))
    with pytest.raises(Blocked, match=r"^no files$"):
        create("odd", question="fingerprint", reply="blocked").fingerprint()
    with pytest.raises(BadInput, match=r"^row 3: 5 is not a label$"):
        create("odd", question="attributes", reply="bad").attributes()
