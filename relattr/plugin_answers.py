"""What plugins say about themselves, asked in a fork of this process.

`contain_answers` makes every plugin that the registry creates answer the questions of `DATASET_QUESTIONS` and
`METHOD_QUESTIONS` in a fork: a plugin that crashes, hangs, or ends its process there raises `ContainedError` here, as
one does whose answer is not of the expected type. Only commands that read plans and results use it; cells have
processes of their own, in which plugins answer directly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from relattr import parameters
from relattr import registry as registry_module
from relattr.errors import BadInput, Blocked, RelattrError, clean_text, describe_error, shortened
from relattr.needs import Need, needs_of
from relattr.registry import Plugin, Registry
from relattr.system.contained import Contained, ContainedError, ProcessEnded, is_supported
from relattr.task import TaskName

DECIDES_RESULTS = False

MAX_REASON_LENGTH = 4000
"""Characters of the reason for which something is missing."""

Answer = Callable[[Any], Any]


def contain_answers(registry: Registry) -> None:
    """From now on, plugins of this registry answer in a fork. Has no effect where that is not supported."""
    if is_supported():
        registry_module.set_creation_hook(_Host(registry))


def answer_directly() -> None:
    """Undo `contain_answers`, and end the fork."""
    end_fork()
    registry_module.set_creation_hook(None)


def end_fork() -> None:
    """End the fork, if there is one; the next question starts another one."""
    host = registry_module.creation_hook()
    if isinstance(host, _Host):
        host.fork.close()


class _Host:
    """The fork in which the plugins of a registry answer."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.fork = Contained(self._answer)
        self._instances: dict[str, Any] = {}
        self._created: set[str] = set()

    def before_creation(self, plugin: Plugin[Any], values: Mapping[str, Any]) -> None:
        """Create it in the fork first, if that runs code of the plugin. Raises `ProcessEnded` if that ends the fork."""
        if not self._is_registered(plugin) or not hasattr(plugin.cls, "__post_init__"):
            return
        try:
            question = [plugin.kind, plugin.name, json.loads(json.dumps(values)), "create"]
        except (TypeError, ValueError):  # it is refused in this process
            return
        key = json.dumps(question, sort_keys=True)
        if key in self._created:
            return
        try:
            self.fork.ask(question)
        except ProcessEnded as error:
            raise ProcessEnded(f"creating {plugin.kind} {plugin.name}: {error}") from None
        self._created.add(key)

    def _is_registered(self, plugin: Plugin[Any]) -> bool:
        """Whether it belongs to this registry; plugins of others are left alone."""
        registered: Any = self.registry.datasets if plugin.kind == "dataset" else self.registry.methods
        return registered.get(plugin.name) is plugin

    def after_creation(self, plugin: Plugin[Any], instance: Any) -> None:
        """Replace the methods of a new instance that answer questions."""
        if not self._is_registered(plugin):
            return
        about = [plugin.kind, plugin.name, parameters.values_of(instance)]
        if plugin.kind == "method":
            vars(instance)["needs"] = partial(self._needs, about)
            return
        for question, check in DATASET_QUESTIONS.items():
            vars(instance)[question] = partial(self._ask, about, question, check)
        if not plugin.module.startswith("relattr."):
            for name in TRIED_FIRST:
                vars(instance)[name] = partial(self._try_first, about, name, getattr(instance, name))

    def _try_first(self, about: list[Any], name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method whose result stays in a process: in the fork, and here unless that ends the fork."""
        plain = [_plain(argument) for argument in arguments]
        try:
            self.fork.ask([*about, "try", name, *plain])
        except ProcessEnded as error:
            raise ProcessEnded(f"{name}() of {about[0]} {about[1]}: {error}") from None
        return method(*arguments)

    def _ask(self, about: list[Any], question: str, check: Answer, *arguments: Any) -> Any:
        kind, name, _ = about
        try:
            outcome, *content = self.fork.ask([*about, question, *arguments])
        except ContainedError as error:
            raise ContainedError(f"{question}() of {kind} {name}: {error}") from None
        if outcome == "answer":
            try:
                return check(content[0])
            except ValueError as error:
                raise BadInput(f"{question}() of {kind} {name} gave {error}") from None
        error_type = {"Blocked": Blocked, "BadInput": BadInput}.get(content[0], ContainedError)
        raise error_type(content[1])

    def _needs(self, about: list[Any]) -> list[Need]:
        count = self._ask(about, "needs", _count)
        return [_ContainedNeed(partial(self._ask, about), k) for k in range(count)]

    # ------------------------------------------------------------------ in the fork

    def _answer(self, question: list[Any]) -> list[Any]:
        """Answer ``[kind, name, parameters, question, ...]``: ``["answer", value]`` or ``["error", type, text]``."""
        registry_module.set_creation_hook(None)
        kind, name, values, what, *arguments = question
        key = json.dumps(question[:3], sort_keys=True)
        try:
            if key not in self._instances:
                plugin: Plugin[Any] = self.registry.dataset(name) if kind == "dataset" else self.registry.method(name)
                self._instances[key] = plugin.create(values)
            instance = self._instances[key]
            if what == "create":
                return ["answer", None]
            if what == "try":
                name, *plain = arguments
                getattr(instance, name)(*(TaskName(*item) if isinstance(item, list) else item for item in plain))
                return ["answer", None]
            if what == "needs":
                return ["answer", len(needs_of(instance))]
            if what == "need backbone":
                return ["answer", _plain(getattr(needs_of(instance)[arguments[0]], "backbone", ""))]
            if what.startswith("need "):
                return ["answer", getattr(needs_of(instance)[arguments[0]], what.removeprefix("need "))()]
            return ["answer", _plain(getattr(instance, what)())]
        except Blocked as error:
            return ["error", "Blocked", str(error)]
        except BadInput as error:
            return ["error", "BadInput", str(error)]
        except RelattrError as error:
            return ["error", "", str(error)]
        except Exception as error:
            return ["error", "", describe_error(error)]


class _ContainedNeed(Need):
    """A need of a method that is in the fork."""

    def __init__(self, ask: Callable[..., Any], index: int) -> None:
        self._ask, self._index = ask, index

    def missing(self) -> str | None:
        return self._ask("need missing", _reason_or_none, self._index)

    def fingerprint(self) -> str:
        return self._ask("need fingerprint", _text, self._index)

    @property
    def backbone(self) -> str:
        """The network whose weights it is; empty for other needs."""
        return self._ask("need backbone", _text, self._index)


def _plain(value: Any) -> Any:
    """A value that JSON has, as far as possible; other values are described, and refused by the check."""
    if isinstance(value, TaskName):
        return [value.dataset, value.attribute, value.split]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float, bytes, dict)) or not hasattr(value, "__iter__"):
        return {"invalid": shortened(repr(value)), "type": type(value).__name__}
    return [_plain(item) for item in value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_describe(value)}; expected text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value!r}, which cannot be written as UTF-8") from None
    return value


def _reason_or_none(value: Any) -> str | None:
    """A text for readers, which may name a file whose name is not UTF-8."""
    if value is None:
        return None
    return clean_text(value, MAX_REASON_LENGTH) if isinstance(value, str) else _text(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{_describe(value)}; expected a list of texts")
    return [_text(item) for item in value]


def _tasks(value: Any) -> list[TaskName]:
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 3 for item in value):
        raise ValueError(f"{_describe(value)}; expected a list of TaskName")
    return [TaskName(*map(_text, item)) for item in value]


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= 1000:
        raise ValueError(f"{_describe(value)}; expected a list of needs")
    return value


def _describe(value: Any) -> str:
    if isinstance(value, dict) and "invalid" in value:
        return f"{value['invalid']} ({value['type']})"
    return shortened(repr(value))


DATASET_QUESTIONS: dict[str, Answer] = {
    "attributes": _texts,
    "splits": _texts,
    "tasks": _tasks,
    "missing": _reason_or_none,
    "missing_labels": _reason_or_none,
    "fingerprint": _text,
    "labels_fingerprint": _text,
}
"""The methods of a dataset that are asked in the fork, and what checks the answer."""

TRIED_FIRST = ("task", "released_pairs", "downloads", "verify")
"""Methods of datasets that are not part of relattr that are called in the fork before they are called here."""
