"""Everything about one plugin: what it is, whether it can be used here, and its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from relattr import parameters
from relattr.cli.output import echo
from relattr.cli.text_table import aligned
from relattr.dataset import Dataset
from relattr.errors import RelattrError, describe_error
from relattr.method import Method
from relattr.needs import needs_of
from relattr.parameter_docs import parameter_meanings
from relattr.registry import Plugin


def print_method(plugin: Plugin[Method]) -> None:
    """Print the details of a method."""
    try:
        needs = [reason for need in needs_of(plugin.create()) if (reason := need.missing()) is not None]
    except Exception as error:  # the rest is printed all the same
        needs = [describe_error(error)]
    fields = [
        ("summary", plugin.summary),
        ("defined in", f"{plugin.cls.__module__}.{plugin.cls.__qualname__}"),
        ("missing", "; ".join(needs)),
    ]
    _print_plugin(plugin, fields)


def print_dataset(plugin: Plugin[Dataset]) -> None:
    """Print the details of a dataset."""
    try:
        dataset = plugin.create()
        missing, attributes = dataset.missing(), ", ".join(dataset.attributes())
    except Exception as error:  # an error in one plugin must not hide the others
        reason = str(error) if isinstance(error, RelattrError) else f"{type(error).__name__}: {error}"
        echo(f"{plugin.name}  {plugin.label}: broken\n    {reason}")
        return
    fields = [
        ("summary", plugin.summary),
        ("files", "here" if missing is None else "not here"),
        ("attributes", attributes),
        ("images", f"{dataset.n_images:,}" if dataset.n_images else ""),
        ("licence", " ".join(dataset.licence.split())),
        ("homepage", dataset.homepage),
        ("cite", " ".join(dataset.citation.split())),
        ("folder", str(dataset.root) if dataset.downloads() or missing is not None else ""),
        ("missing", missing or ""),
    ]
    _print_plugin(plugin, fields)


def _print_plugin(plugin: Plugin[Any], fields: Sequence[tuple[str, str]]) -> None:
    echo(f"{plugin.name}  {plugin.label}")
    echo(aligned([(field, text) for field, text in fields if text], indent="    "))
    lines = parameter_lines(plugin)
    if lines:
        echo(f"    parameters (plan and run: --set {plugin.name}.NAME=VALUE)")
        echo(aligned(lines, indent="        "))


def parameter_lines(plugin: Plugin[Any]) -> list[tuple[str, str, str]]:
    """Name, default, and choices with meaning of each parameter of a plugin, in the order of its definition."""
    meanings, defaults = parameter_meanings(plugin.cls), parameters.values_of(plugin.create())
    presets = _preset_values(plugin)
    lines = []
    for name, kind in plugin.types.items():
        of_preset = f"by preset: {presets[name]}" if defaults[name] is None and name in presets else ""
        words = [meanings.get(name, "").rstrip("."), of_preset, parameters.choices_of(kind)]
        default = "of preset" if of_preset else _text(defaults[name])
        lines.append((name, f"default {default}", "; ".join(word for word in words if word)))
    return lines


def _preset_values(plugin: Plugin[Any]) -> Mapping[str, str]:
    """What the presets of the ranking networks set, by parameter: ``8000 (paper), 200 (fast)``."""
    from relattr.training.schedule import PRESETS

    if set(get_args(plugin.types.get("preset"))) != set(PRESETS):  # a plugin may have presets of its own
        return {}
    values: dict[str, dict[str, list[str]]] = {}
    for preset, schedule in PRESETS.items():
        for name, value in vars(schedule).items():
            text = f"{value:.3g}" if isinstance(value, float) else "none" if value is None else _text(value)
            values.setdefault(name, {}).setdefault(text, []).append(preset)
    return {
        name: ", ".join(f"{text} ({', '.join(names)})" for text, names in by_text.items())
        for name, by_text in values.items()
    }


def _text(value: Any) -> str:
    """A value as it is written after ``--set name=``."""
    if value is None:
        return "unset"
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value)
