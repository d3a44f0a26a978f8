"""The benchmark that ``tables`` and ``report`` show: its data, and the columns that were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relattr.cli.options import repeated_options
from relattr.cli.output import echo
from relattr.errors import BadInput

if TYPE_CHECKING:
    from relattr.harness.benchmark import Benchmark
    from relattr.harness.result_selection import ResultSelection
    from relattr.harness.stored_results import StoredResults
    from relattr.registry import Registry


def shown_benchmark(
    name: str, registry: Registry, store: StoredResults, selection: ResultSelection, options: Mapping[str, Any]
) -> Benchmark:
    """Read a benchmark, with the data and the columns that the options of the command choose.

    Raises `BadInput`, with the command to run, if no result would be shown while there are others, and for a benchmark
    of own photographs without any; prints that command for another benchmark without results.
    """
    from relattr.harness.benchmark_paths import read_benchmark
    from relattr.harness.own_data import own_benchmark, require_data
    from relattr.report.tables.column_selection import select_columns
    from relattr.report.tables.no_results import why_no_results

    definition = own_benchmark(read_benchmark(name, registry), registry, store, options["data"])
    require_data(definition, registry)
    definition = select_columns(definition, registry, store, selection)
    missing = why_no_results(name, definition, registry, store, selection, repeated_options(options))
    if missing is not None and missing.is_error:
        raise BadInput(missing.reason)
    if missing is not None:
        echo(missing.reason, err=True)
    return definition
