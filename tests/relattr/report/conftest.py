"""A store of synthetic results: images and pairs are random, and the strengths of a method are truth plus noise."""

import msgspec
import numpy as np
import pytest

from relattr.harness.arrays import CellArrays
from relattr.harness.benchmark import Benchmark, ColumnSpec, TableSpec
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, TestResult
from relattr.harness.store import Store
from relattr.harness.tested_pairs import TestPairs, test_key
from relattr.pairs import Pairs
from relattr.registry import Registry
from relattr.report.tables.builder import build_table
from relattr.statistics import count_margins, count_strengths

PROVENANCE = Provenance(
    commit="0" * 40,
    dirty=False,
    command="relattr run synthetic",
    python="3.11",
    versions={"numpy": "2"},
    system="synthetic",
    cpu="synthetic",
    threads=1,
    memory_bytes=1,
    device="cpu",
    started="2020-01-01T00:00:00+00:00",
)


def synthetic_benchmark(methods, columns, rows=(), published="", name="synthetic", **fields):
    benchmark = Benchmark(
        title="Synthetic: random numbers for the tests",
        methods=tuple(methods),
        name=name,
        datasets=tuple(dict.fromkeys(column.dataset for column in columns)),
        seeds=(0,),
        table=TableSpec(caption="Random numbers.", rows=tuple(rows), columns=tuple(columns), published=published),
    )
    return msgspec.structs.replace(benchmark, **fields)


class SyntheticResults:
    """Writes results into a store, and builds tables from it."""

    def __init__(self, folder, n_images=120, n_pairs=250):
        self.store = Store(folder)
        self.registry = Registry()
        self.n_images = n_images
        self.n_pairs = n_pairs

    def pairs(self, dataset, attribute):
        """The true strengths of an attribute, and the pairs that it is tested on."""
        rng = np.random.default_rng([sum(map(ord, dataset)), sum(map(ord, attribute))])
        truth = rng.standard_normal(self.n_images)
        left = rng.integers(0, self.n_images, self.n_pairs)
        right = (left + rng.integers(1, self.n_images, self.n_pairs)) % self.n_images
        label = np.sign(truth[left] - truth[right]).astype(np.int8)
        label[::10] = 0
        return truth, Pairs(left, right, label)

    def add(
        self,
        method,
        dataset,
        attribute,
        seed=0,
        *,
        noise=1.0,
        status="ok",
        label=None,
        arrays=True,
        margins=False,
        parameters=None,
        dataset_parameters=None,
        split="standard",
        test_note="",
        test_deviation="",
        spearman=None,
        ties="error",
        **fields,
    ):
        """Write one result and return it as stored; ``fields`` are further fields of it."""
        truth, pairs = self.pairs(dataset, attribute)
        rng = np.random.default_rng([seed, sum(map(ord, method)), sum(map(ord, attribute)), 7])
        strengths = truth + noise * rng.standard_normal(self.n_images)
        if margins:
            strengths = strengths[pairs.left] - strengths[pairs.right]
            count, kind = count_margins(strengths, pairs), "margins"
        else:
            count, kind = count_strengths(strengths, pairs), "strengths"
        counts = len(pairs), count.ordered, count.correct, count.tied
        test = TestResult("test", int(pairs.images.size), *counts, test_note, spearman, ties, deviation=test_deviation)
        ok = status == "ok"
        if not ok:
            fields = {"reason": "it broke", "traceback": "Traceback\n  <b>broken</b> & more", **fields}
        result = Result(
            version=VERSION,
            cell=Cell(method, parameters or {}, dataset, dataset_parameters or {}, attribute, split, seed),
            status=status,
            fingerprints={"data": f"synthetic {dataset}", "protocol": "1"},
            provenance=PROVENANCE,
            label=label or method,
            dataset_label=dataset,
            tests=(test,) if ok else (),
            protocol="synthetic",
            **{"seconds_fit": 2.0, "seconds_compare": 0.5, **fields},
        )
        self.store.write(result, CellArrays(**{kind: {"test": strengths}}) if ok and arrays else None)
        if ok:
            self.store.keep_test_pairs(test_key(result, "test"), TestPairs(pairs, np.arange(self.n_images)))
        return self.store.read(result.cell)

    def table(self, methods, columns, rows=(), published="", *, leaks=None, against="", registry=None, **fields):
        """The table of these methods and columns; ``fields`` are further fields of the benchmark."""
        benchmark = synthetic_benchmark(methods, columns, rows, published, **fields)
        return build_table(benchmark, registry or self.registry, self.store, leaks, against)

    def entry(self, method, dataset="a", attribute="x", **options):
        """The entry of a method in a table of one attribute, without other methods."""
        column = ColumnSpec(label=attribute, dataset=dataset, attribute=attribute)
        table = self.table([method], [column], **options)
        return next(row for row in table.rows if row.key == method).entries[0]


def entry_of(table, label, column=0):
    return next(row for row in table.rows if row.label == label).entries[column]


@pytest.fixture
def synthetic(tmp_path):
    return SyntheticResults(tmp_path / "results")


@pytest.fixture(name="entry_of")
def entry_of_fixture():
    return entry_of


@pytest.fixture
def provenance():
    return PROVENANCE


@pytest.fixture
def make_benchmark():
    return synthetic_benchmark


@pytest.fixture
def column():
    """One attribute of one dataset."""
    return ColumnSpec(label="A", dataset="a", attribute="x")


@pytest.fixture
def mean_column():
    """The mean over the attributes of a dataset."""
    return ColumnSpec(label="A", dataset="a")


@pytest.fixture
def two_columns():
    return ColumnSpec(label="A", dataset="a"), ColumnSpec(label="B", dataset="b")


@pytest.fixture(scope="session")
def plugins():
    """The registry with all methods and datasets of the project."""
    from relattr.registry import registry

    registry.discover()
    return registry
