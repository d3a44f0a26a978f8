"""Figures 4 and 5: drawn from what a cell keeps, whole, the same each time; what cannot be drawn is named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from relattr import BadInput, Images
from relattr.harness.arrays import CellArrays
from relattr.report.figures.canvas import evenly_ranked
from relattr.report.figures.neighbours import draw_neighbours, mean_rank_distance
from relattr.report.figures.transformers import draw_transformers

N = 12


def images() -> Images:
    return Images.from_arrays([np.full((40, 60, 3), 20 * k, np.uint8) for k in range(N)])


def arrays(scales: int = 3) -> CellArrays:
    rng = np.random.default_rng(0)
    low = rng.random((N, scales, 2)) * 0.5
    near = np.array([[(i + j) % N for j in range(1, 6)] for i in range(N)], np.int32)
    return CellArrays(
        strengths={"test": rng.normal(size=N)},
        boxes={"test": np.concatenate([low, low + 0.4], -1).astype(np.float32)},
        artifacts={
            "neighbours": near,
            "neighbours before": near[:, ::-1],
            "strengths": np.arange(N, dtype=np.float32),
        },
    )


@pytest.mark.parametrize("scales", [1, 3])
def test_where_it_looks_is_drawn_the_same_each_time(tmp_path, scales):
    for name in ("one.png", "two.png", "one.pdf", "two.pdf"):
        draw_transformers(images(), arrays(scales), "test", tmp_path / name, "A_method & <others>, smile")
    with Image.open(tmp_path / "one.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 20
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_neighbours_are_drawn_with_scores_and_without(tmp_path):
    draw_neighbours(images(), arrays().artifacts, tmp_path / "a.png", "A method", np.linspace(-5, 40, N))
    draw_neighbours(images(), arrays().artifacts, tmp_path / "b.png", "A method")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_arrays_that_do_not_fit_the_images_are_refused(tmp_path):
    wrong = arrays()
    wrong.boxes["test"] = wrong.boxes["test"][:5]
    with pytest.raises(BadInput, match=r"expected \(12,\) and \(12, scales, 4\)"):
        draw_transformers(images(), wrong, "test", tmp_path / "a.png", "")
    wrong.artifacts["neighbours"] = wrong.artifacts["neighbours"] + 8
    with pytest.raises(BadInput, match="do not fit 12 training images"):
        draw_neighbours(images(), wrong.artifacts, tmp_path / "a.png", "")
    assert not list(tmp_path.iterdir())


def test_images_are_spread_over_the_ranks():
    strengths = np.array([5.0, np.nan, -1.0, 3.0, 2.0, 9.0])
    assert evenly_ranked(strengths, 3).tolist() == [2, 3, 5]
    assert evenly_ranked(strengths, 99).tolist() == [2, 4, 3, 0, 5]


def test_agreement_is_what_a_loop_gives():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30)
    near = rng.integers(0, 30, (30, 4))
    rank = {i: k for k, i in enumerate(sorted(range(30), key=lambda i: values[i]))}
    expected = np.mean([abs(rank[i] - rank[int(j)]) / 29 for i in range(30) for j in near[i]])
    assert mean_rank_distance(near, values) == pytest.approx(expected)


def test_results_with_any_parameters_are_drawn_unless_some_are_chosen(tmp_path):
    from relattr import parameters
    from relattr.harness.benchmark import Benchmark, ColumnSpec, TableSpec
    from relattr.harness.cell import Cell
    from relattr.harness.result import VERSION, Provenance, Result, TestResult
    from relattr.harness.selection import Selection
    from relattr.harness.store import Store
    from relattr.registry import registry
    from relattr.report.figures.draw import draw_figures

    registry.discover()
    size = {"n_train": N, "n_test": N, "size": 32}
    data = parameters.values_of(registry.dataset("glyphs").create(size))
    about = Provenance(
        commit="0" * 40,
        dirty=False,
        command="synthetic",
        python="3",
        versions={},
        system="synthetic",
        cpu="synthetic",
        threads=1,
        memory_bytes=1,
        device="cpu",
        started="2020-01-01T00:00:00+00:00",
    )
    store = Store(tmp_path / "results")
    for rate in (None, 0.5):
        values = parameters.values_of(registry.method("viralnet").create({"rate": rate}))
        result = Result(
            version=VERSION,
            cell=Cell("viralnet", values, "glyphs", data, "local", "standard", 0),
            status="ok",
            fingerprints={"data": registry.dataset("glyphs").create(size).fingerprint()},
            provenance=about,
            label="ViralNet",
            dataset_label="Glyphs",
            tests=(TestResult("test", N, 66, 66, 50, 0),),
        )
        store.write(result, arrays(1))
    benchmark = Benchmark(
        title="Two",
        name="two",
        methods=("viralnet",),
        datasets=("glyphs",),
        seeds=(0,),
        dataset={"glyphs": size},
        table=TableSpec(caption="", columns=(ColumnSpec(label="Local", dataset="glyphs", attribute="local"),)),
    )

    def drawn(**settings: float) -> set[str]:
        found = list(draw_figures(benchmark, registry, store, Selection(settings=settings), tmp_path / "out"))
        assert not any(figure.why for figure in found), found
        return {path.name for figure in found for path in figure.files if path.suffix == ".png"}

    one = {"figure4-glyphs-local-viralnet-s0-test.png", "figure5-glyphs-local-viralnet-s0.png"}
    other = {"figure4-glyphs-local-viralnet-s0-rate-0.5-test.png", "figure5-glyphs-local-viralnet-s0-rate-0.5.png"}
    assert drawn() == one | other
    assert {name.replace("-rate-0.5", "") for name in drawn(rate=0.5)} == one


@pytest.fixture
def looked_at(tmp_path):
    """A store with one cell of a method that looks at places, on drawn scenes; and what draws it."""
    from relattr import parameters
    from relattr.harness.benchmark import Benchmark, ColumnSpec, TableSpec
    from relattr.harness.cell import Cell
    from relattr.harness.result import VERSION, Provenance, Result, TestResult
    from relattr.harness.selection import Selection
    from relattr.harness.store import Store
    from relattr.registry import registry
    from relattr.report.figures.draw import draw_figures

    registry.discover()
    size = {"n_train": N, "n_test": N, "size": 32}
    dataset = registry.dataset("glyphs").create(size)
    about = Provenance(
        commit="0" * 40,
        dirty=False,
        command="synthetic",
        python="3",
        versions={},
        system="synthetic",
        cpu="synthetic",
        threads=1,
        memory_bytes=1,
        device="cpu",
        started="2020-01-01T00:00:00+00:00",
    )
    store = Store(tmp_path / "results")
    values = parameters.values_of(registry.method("viralnet").create())
    benchmark = Benchmark(
        title="One",
        name="one",
        methods=("viralnet",),
        datasets=("glyphs",),
        seeds=(0,),
        dataset={"glyphs": size},
        table=TableSpec(caption="", columns=(ColumnSpec(label="Local", dataset="glyphs", attribute="local"),)),
    )

    def drawn(kept, data=""):
        result = Result(
            version=VERSION,
            cell=Cell("viralnet", values, "glyphs", parameters.values_of(dataset), "local", "standard", 0),
            status="ok",
            fingerprints={"data": data or dataset.fingerprint()},
            provenance=about,
            label="ViralNet",
            dataset_label="Glyphs",
            tests=(TestResult("test", N, 66, 66, 50, 0),),
        )
        store.write(result, kept)
        return list(draw_figures(benchmark, registry, store, Selection(), tmp_path / "out"))

    return drawn


def test_images_that_are_not_those_that_were_judged_are_not_drawn(looked_at, tmp_path):
    (found,) = looked_at(arrays(1), data="other data")
    assert "glyphs has changed since" in found.why
    assert not (tmp_path / "out").exists()


def test_any_number_of_boxes_is_drawn_and_what_cannot_be_costs_no_other(looked_at):
    found = looked_at(arrays(4))
    assert not any(figure.why for figure in found), found
    kept = arrays(1)
    kept.artifacts["neighbours"] = kept.artifacts["neighbours"].astype("U3")  # no plugin of ours would, but one may
    looks, neighbours = looked_at(kept)
    assert looks.files
    assert neighbours.why


def test_a_caption_says_what_the_numbers_are(looked_at):
    texts = {}
    for figure in looked_at(arrays(1)):
        (path,) = (path for path in figure.files if path.suffix == ".txt")
        texts[path.name.partition("-")[0]] = path.read_text()
    assert "Above each stands the strength that the method gives it" in texts["figure4"]
    assert "seed 0; images of the test set test" in texts["figure4"]
    assert "above each stands" in texts["figure5"]
    assert "any two: 33.3 %" in texts["figure5"]


def test_figures_of_different_attributes_and_splits_have_different_names():
    from relattr.harness.cell import Cell
    from relattr.report.figures.draw import stem_of

    cells = [Cell("m", {}, "d", {}, a, s, 0) for a in ("熟", "赤", "x", "a b") for s in ("standard", "one", "two")]
    assert len({stem_of(cell, []) for cell in cells}) == len(cells)
    assert stem_of(Cell("m", {}, "d", {}, "x", "standard", 0), ["rate=0.5"]) == "d-x-m-s0-rate-0.5"
