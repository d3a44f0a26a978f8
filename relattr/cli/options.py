"""Options that several commands share, and what they select."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relattr.bounds import MAX_SEED, MAX_THREADS
from relattr.cli.integer import IntegerRange

if TYPE_CHECKING:
    from relattr.harness.limits import Limits
    from relattr.harness.result_selection import ResultSelection
    from relattr.harness.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

plugins_option = click.option(
    "--plugins",
    "plugin_folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also load the plugin files (.py) in this folder. May be repeated.",
)


def only_once(ctx: click.Context, parameter: click.Parameter, values: Sequence[Any]) -> Any:
    """Callback of an option that must not be repeated: the last of two values would silently replace the first."""
    if len(values) > 1:
        texts = ", ".join(str(value) for value in values)
        raise click.BadParameter(f"it was given {len(values)} times ({texts}); expected one", ctx, parameter)
    return values[0]


def _results_option(metavar: str, text: str) -> Callable[[F], F]:
    return click.option(
        "--results",
        type=click.Path(path_type=Path),
        multiple=True,
        callback=only_once,
        default=[Path("results")],
        show_default=False,
        metavar=metavar,
        help=f"{text}  [default: results]",
    )


results_option = _results_option("DIR", "The folder of results.")
"""For commands that write into the folder."""
stored_results_option = _results_option(
    "PATH", "The folder of results, or one file that `relattr release` has written."
)
"""For commands that read results."""


def data_option(text: str) -> Callable[[F], F]:
    """The option that says where own photographs are."""
    return click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help=text)


benchmark_data_option = data_option(
    "For a benchmark of your own photographs: the folder with the photographs and one .csv file that compares or "
    "scores them, or that file.  [default: that of the most recent results]"
)


def settings_option(text: str) -> Callable[[F], F]:
    """The option that sets parameters of plugins."""
    return click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=f"{text} May be repeated.")


seed_option = click.option(
    "--seed",
    type=IntegerRange(0, MAX_SEED),
    default=0,
    show_default=True,
    metavar="N",
    help="The seed of all randomness.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="cpu, cuda, cuda:1, ...; auto uses a GPU if there is one.",
)
threads_option = click.option(
    "--threads",
    type=IntegerRange(1, MAX_THREADS),
    metavar="N",
    show_default="one for each processor",
    help="Number of processor threads.",
)


def jobs_option(text: str, *, show_default: str) -> Callable[[F], F]:
    """The option that says how many cells run at the same time; 0 if it is not given."""
    return _count_option("--jobs", "-j", text=f"Number of cells that run at the same time{text}", default=show_default)


def cell_threads_option(text: str, *, show_default: str) -> Callable[[F], F]:
    """The option that says how many threads a cell has; 0 if it is not given."""
    return _count_option("--threads", text=f"Number of processor threads of each cell{text}", default=show_default)


def _count_option(*names: str, text: str, default: str) -> Callable[[F], F]:
    """An option for a number of cells or threads; 0 if it is not given, for which ``default`` stands in the help."""
    number = IntegerRange(0, MAX_THREADS)
    return click.option(*names, type=number, default=0, show_default=default, metavar="N", help=text)


def _methods_option(text: str) -> Callable[[F], F]:
    return click.option("--methods", multiple=True, metavar="GLOB", help=f"{text} May be repeated.")


datasets_option = click.option(
    "--datasets", multiple=True, metavar="GLOB", help="Only datasets that match. May be repeated."
)
attributes_option = click.option(
    "--attributes", multiple=True, metavar="GLOB", help="Only attributes that match. May be repeated."
)


def _seeds_option(text: str) -> Callable[[F], F]:
    return click.option(
        "--seeds", multiple=True, type=IntegerRange(0, MAX_SEED), metavar="N", help=f"{text} May be repeated."
    )


def chosen_results_options(command: F) -> F:
    """Add the options that choose stored results, see `chosen_results`."""
    options = (
        _methods_option("Only methods that match."),
        datasets_option,
        attributes_option,
        _seeds_option("Only results of these seeds."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_results(options: Mapping[str, Any]) -> ResultSelection:
    """What the `chosen_results_options` of a command choose."""
    from relattr.harness.result_selection import ResultSelection

    seeds = tuple(dict.fromkeys(options["seeds"]))
    return ResultSelection(options["methods"], options["datasets"], options["attributes"], seeds)


def repeated_options(options: Mapping[str, Any]) -> list[str]:
    """The words of ``--results`` and ``--plugins`` in a command that this one suggests."""
    words = ["--results", str(options["results"])] if options["results"] != Path("results") else []
    for folder in options["plugin_folders"]:
        words += ["--plugins", str(folder)]
    return words


limit_options = [
    click.option(
        f"--{quantity}-limit",
        f"{quantity}_limits",
        multiple=True,
        metavar="[GLOB=]" + example,
        help=f"{text} With GLOB=, only for the methods that match it. May be repeated.",
    )
    for quantity, example, text in (
        (
            "time",
            "45m",
            "Maximum wall-clock time of a cell (90s, 45m, 1h30m, none). By default 24h, or ten times the longest "
            "earlier run of the method on the dataset if that is longer.",
        ),
        (
            "memory",
            "6G",
            "Maximum memory of a cell's processes together (512M, 6G, none). By default, nine tenths of the machine's "
            "memory are divided equally among the cells that run at the same time.",
        ),
        ("file", "2G", "Maximum size of a file that a cell writes."),
    )
]


def benchmark_options(command: F, *, required: bool = True, has_limits: bool = True, writes: bool = False) -> F:
    """Add the argument BENCHMARK and the options that select some of its cells; see `selection_from_options`.

    ``required``: whether BENCHMARK must be given. ``has_limits``: whether the limits of cells are among the options.
    ``writes``: whether the command writes results, so that ``--results`` must be a folder.
    """
    for option in reversed(
        [
            click.argument("benchmark", required=required),
            benchmark_data_option,
            _methods_option(
                "Only methods that match. If no method of the benchmark matches, other registered methods that match "
                "are added."
            ),
            datasets_option,
            attributes_option,
            _seeds_option("Use these seeds instead of the benchmark's."),
            settings_option(
                "Set a parameter of every method that has it (backbone=efficientnet_lite2), or of one plugin "
                "(ranksvm-hog2x2.C=1)."
            ),
            *(limit_options if has_limits else ()),
            click.option(
                "--keep-stale", is_flag=True, help="Use stale results, marked, instead of computing them again."
            ),
            results_option if writes else stored_results_option,
            plugins_option,
        ]
    ):
        command = option(command)
    return command


def run_options(command: F) -> F:
    """Add the `benchmark_options` to a command that computes cells."""
    return benchmark_options(command, writes=True)


def stored_benchmark_options(command: F) -> F:
    """Add the `benchmark_options` to a command that reads stored results and runs no cell."""
    return benchmark_options(command, has_limits=False)


def optional_benchmark_options(command: F) -> F:
    """Add the `stored_benchmark_options`, with an argument BENCHMARK that may be left out."""
    return benchmark_options(command, required=False, has_limits=False)


def selection_from_options(options: Mapping[str, Any]) -> Selection:
    """What the `benchmark_options` of a command select. Raises `BadInput` for an invalid value."""
    from relattr.harness.limits import Limits, parse_limit_options
    from relattr.harness.selection import Selection, parse_settings

    limits: dict[str, Limits] = {}
    for quantity in ("time", "memory", "file"):
        for pattern, parsed in parse_limit_options(options.get(f"{quantity}_limits", ()), quantity).items():
            limits[pattern] = parsed.with_defaults(limits.get(pattern, Limits()))
    return Selection(
        options["methods"],
        options["datasets"],
        parse_settings(options["settings"]),
        limits,
        options["keep_stale"],
        options["attributes"],
        tuple(dict.fromkeys(options["seeds"])),
    )
