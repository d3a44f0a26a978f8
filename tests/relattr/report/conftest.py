"""A store of clearly synthetic results: two datasets whose images and pairs are random, some methods."""

import numpy as np
import pytest

from relattr.harness.arrays import CellArrays
from relattr.harness.benchmark import Benchmark, ColumnSpec, RowSpec, TableSpec
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Provenance, Result, TestResult
from relattr.harness.store import Store
from relattr.pairs import Pairs
from relattr.registry import Registry
from relattr.report.tables.judging import TestPairs, store_test_pairs, test_key
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


class Synthetic:
    """Writes results whose truth is known into a store."""

    def __init__(self, folder, n_images=120, n_pairs=250):
        self.store = Store(folder)
        self.registry = Registry()
        self.n_images = n_images
        self.n_pairs = n_pairs

    def pairs(self, dataset, attribute, order=False):
        rng = np.random.default_rng([sum(map(ord, dataset)), sum(map(ord, attribute))])
        truth = rng.standard_normal(self.n_images)
        if order:
            return truth, Pairs.all_of(truth)
        left = rng.integers(0, self.n_images, self.n_pairs)
        right = (left + rng.integers(1, self.n_images, self.n_pairs)) % self.n_images
        label = np.sign(truth[left] - truth[right]).astype(np.int8)
        label[::10] = 0
        return truth, Pairs(left, right, label)

    def add(self, method, dataset, attribute, seed=0, *, noise=1.0, status="ok", label=None, arrays=True, **more):
        order = more.pop("order", False)
        truth, pairs = self.pairs(dataset, attribute, order)
        noise_of = np.random.default_rng([seed, sum(map(ord, method)), sum(map(ord, attribute)), 7])
        strengths = truth + noise * noise_of.standard_normal(self.n_images)
        if more.pop("margins", False):
            strengths = strengths[pairs.left] - strengths[pairs.right]
            count, kind = count_margins(strengths, pairs), "margins"
        else:
            count, kind = count_strengths(strengths, pairs), "strengths"
        cell = Cell(method, more.pop("parameters", {}), dataset, {}, attribute, more.pop("split", "standard"), seed)
        tests = (
            TestResult(
                "test",
                int(pairs.images.size),
                len(pairs),
                count.ordered,
                count.correct,
                count.tied,
                more.pop("test_note", ""),
                more.pop("spearman", None),
                more.pop("ties", "error"),
            ),
        )
        result = Result(
            version=VERSION,
            cell=cell,
            status=status,
            fingerprints={"data": f"synthetic {dataset}", "protocol": "1"},
            provenance=PROVENANCE,
            label=label or method,
            dataset_label=dataset,
            reason="" if status == "ok" else more.pop("reason", "it broke"),
            traceback="" if status == "ok" else more.pop("traceback", "Traceback\n  <b>broken</b> & more"),
            tests=tests if status == "ok" else (),
            protocol="synthetic",
            **{"seconds_fit": 2.0, "seconds_compare": 0.5, **more},
        )
        self.store.write(result, CellArrays(**{kind: {"test": strengths}}) if status == "ok" and arrays else None)
        if status == "ok":
            store_test_pairs(self.store.folder, test_key(result, "test"), TestPairs(pairs, np.arange(self.n_images)))
        return result


def benchmark(methods, columns, rows=(), published="", name="synthetic"):
    return Benchmark(
        title="Synthetic: random numbers for the tests",
        methods=tuple(methods),
        name=name,
        datasets=tuple(dict.fromkeys(c.dataset for c in columns)),
        seeds=(0,),
        table=TableSpec(caption="Random numbers.", rows=tuple(rows), columns=tuple(columns), published=published),
    )


@pytest.fixture
def synthetic(tmp_path):
    return Synthetic(tmp_path / "results")


@pytest.fixture
def make_benchmark():
    return benchmark


@pytest.fixture
def columns():
    return ColumnSpec(label="A", dataset="a"), ColumnSpec(label="B", dataset="b")


@pytest.fixture
def row():
    return RowSpec
