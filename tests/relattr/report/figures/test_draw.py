"""All figures of a benchmark: which results they are drawn from, their captions, and what cannot be drawn."""

import msgspec
import numpy as np
import pytest

from relattr import UnknownName, parameters
from relattr.harness.benchmark import Benchmark, ColumnSpec, TableSpec
from relattr.harness.cell import Cell
from relattr.harness.result import VERSION, Result, TestResult
from relattr.harness.selection import Selection
from relattr.harness.store import Store
from relattr.report.figures import cell_figures
from relattr.report.figures.cell_figures import FigureOptions
from relattr.report.figures.draw import draw_figures

SIZE = {"n_train": 12, "n_test": 12, "size": 32}
"""Of the dataset; as many images as the arrays are for."""
BENCHMARK = Benchmark(
    title="Glyphs",
    name="glyphs",
    methods=("viralnet",),
    datasets=("glyphs",),
    seeds=(0,),
    dataset={"glyphs": SIZE},
    table=TableSpec(caption="", columns=(ColumnSpec(label="Local", dataset="glyphs", attribute="local"),)),
)


@pytest.fixture
def workspace(tmp_path, plugins, provenance, monkeypatch):
    """Stores results of ViralNet on the dataset glyphs, and draws them; as PNG only, which is faster."""
    monkeypatch.setattr(cell_figures, "SUFFIXES", (".png",))
    dataset = plugins.dataset("glyphs").create(SIZE)

    class Workspace:
        store = Store(tmp_path / "results")
        out = tmp_path / "out"

        def add(self, arrays, *, fingerprint="", method="viralnet", **settings):
            values = parameters.values_of(plugins.method("viralnet").create(settings))
            result = Result(
                version=VERSION,
                cell=Cell(method, values, "glyphs", parameters.values_of(dataset), "local", "standard", 0),
                status="ok",
                fingerprints={"data": fingerprint or dataset.fingerprint()},
                provenance=provenance,
                label="ViralNet",
                dataset_label="Glyphs",
                tests=(TestResult("test", 12, 66, 66, 50, 0),),
            )
            self.store.write(result, arrays)

        def draw(self, *, benchmark=BENCHMARK, options=None, methods=(), **settings):
            selection = Selection(methods=methods, settings=settings)
            return list(draw_figures(benchmark, plugins, self.store, selection, self.out, options))

    return Workspace()


def png_stems(figures):
    assert not any(figure.error for figure in figures), figures
    return {path.stem for figure in figures for path in figure.files if path.suffix == ".png"}


def test_all_parameters_are_drawn_unless_one_is_selected(workspace, make_arrays):
    for rate in (None, 0.5):
        workspace.add(make_arrays(), rate=rate)

    def stems(**settings):
        return png_stems(workspace.draw(**settings))

    default = {"figure4-glyphs-local-viralnet-s0-test", "figure5-glyphs-local-viralnet-s0"}
    other = {"figure4-glyphs-local-viralnet-s0-rate-0.5-test", "figure5-glyphs-local-viralnet-s0-rate-0.5"}
    assert stems() == default | other
    assert {name.replace("-rate-0.5", "") for name in stems(rate=0.5)} == default


def test_a_name_has_what_differs_from_the_benchmarks_parameters(workspace, make_arrays):
    for rate in (None, 0.5):
        workspace.add(make_arrays(), rate=rate)
    benchmark = msgspec.structs.replace(BENCHMARK, variants={"viralnet": ({"rate": 0.2}, {"rate": 0.5})})
    names = png_stems(workspace.draw(benchmark=benchmark))
    assert {name for name in names if "rate" not in name} == {
        "figure4-glyphs-local-viralnet-s0-test",
        "figure5-glyphs-local-viralnet-s0",
    }
    assert {name for name in names if "rate-0.5" in name} == names - {name for name in names if "rate" not in name}


def test_only_what_is_chosen_is_drawn_with_or_without_its_plugin(workspace, make_arrays):
    workspace.add(make_arrays())
    workspace.add(make_arrays(), method="not-loaded")

    def methods(*patterns):
        return {figure.subject.partition(" on ")[0].split()[-1] for figure in workspace.draw(methods=patterns)}

    assert methods("viralnet") == {"viralnet"}
    assert methods("not-*") == {"not-loaded"}
    assert methods() == {"viralnet", "not-loaded"}
    with pytest.raises(UnknownName, match="planet"):
        workspace.draw(methods=["planet"])


def test_figures_of_a_changed_dataset_are_not_drawn(workspace, make_arrays):
    workspace.add(make_arrays(), fingerprint="other data")
    (figure,) = workspace.draw()
    assert "glyphs has changed since" in figure.error
    assert not workspace.out.exists()


def test_any_number_of_boxes_is_drawn(workspace, make_arrays):
    workspace.add(make_arrays(n_scales=4))
    assert not any(figure.error for figure in workspace.draw())


def test_a_figure_that_fails_does_not_prevent_others(workspace, make_arrays):
    arrays = make_arrays()
    arrays.artifacts["neighbours"] = arrays.artifacts["neighbours"].astype("U3")  # a plugin may store anything
    workspace.add(arrays)
    transformers, neighbours = workspace.draw()
    assert transformers.files
    assert neighbours.error


def test_captions_explain_the_numbers(workspace, make_arrays):
    workspace.add(make_arrays())
    captions = {}
    for figure in workspace.draw():
        (path,) = (path for path in figure.files if path.suffix == ".txt")
        captions[path.name.partition("-")[0]] = path.read_text()
    assert "Above each image is the strength that the method predicts" in captions["figure4"]
    assert "seed 0; images of the test set test" in captions["figure4"]
    assert "Above each image is the" in captions["figure5"]
    assert "33.3 % for random images" in captions["figure5"]


def test_figure_4_without_scores_is_not_ordered_by_them(workspace, make_arrays):
    """The test images of glyphs have no scores."""
    workspace.add(make_arrays())
    figure = workspace.draw(options=FigureOptions(order="score"))[0]
    assert "the test set test has no scores" in figure.error


def test_figure_5_can_have_test_images_as_queries(workspace, make_arrays):
    arrays = make_arrays()
    arrays.artifacts["queries of test"] = np.array([1, 4, 6, 9, 11])
    arrays.artifacts["query neighbours of test"] = np.array([[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]])
    arrays.artifacts["query neighbours before of test"] = np.array([[9, 8], [7, 6], [5, 4], [3, 2], [1, 0]])
    workspace.add(arrays)
    figures = workspace.draw(options=FigureOptions(queries="test"))
    assert not any(figure.error for figure in figures), figures
    (figure,) = (figure for figure in figures if figure.files[0].name.startswith("figure5"))
    assert figure.files[0].name == "figure5-glyphs-local-viralnet-s0-test.png"
    assert "an image of the test set test" in figure.files[-1].read_text()


def test_results_without_test_queries_have_no_such_figure(workspace, make_arrays):
    workspace.add(make_arrays())
    figures = workspace.draw(options=FigureOptions(queries="test"))
    assert not any(path.name.startswith("figure5") for figure in figures for path in figure.files)
