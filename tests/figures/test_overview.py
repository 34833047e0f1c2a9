import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from edgewise.figures import overview
from edgewise.figures.style import PALETTE

LONG = "a rather long sentence about what this run did at its edge of stability and why " * 4


def line_of(panel, values):
    """The drawn line whose heights are `values`."""
    (line,) = [line for line in panel.lines if np.array_equal(line.get_ydata(), values)]
    return line


def labels_of(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_three_panels_share_the_steps_and_draw_the_numbers_of_the_record(make_run):
    run = make_run()
    loss, eigenvalues, ratio = overview(run).axes
    line_of(loss, run.loss.values[0])
    for rank in range(3):
        line_of(eigenvalues, run.sharpness.values[0, :, rank])
    line_of(ratio, run.edge_ratio.values[0, :, 0])
    assert loss.get_xlim() == eigenvalues.get_xlim() == ratio.get_xlim() == (0, 300)
    assert [panel.get_ylabel() for panel in (loss, eigenvalues, ratio)] == [
        "loss",
        "Hessian eigenvalues",
        "edge ratio",
    ]
    assert ratio.get_xlabel() == "step"


def test_the_critical_curvature_is_dashed_and_called_by_its_formula(make_run):
    run = make_run(critical=40.0)
    _, eigenvalues, ratio = overview(run).axes
    assert line_of(eigenvalues, np.full(301, 40.0)).get_linestyle() == "--"
    assert labels_of(eigenvalues) == ["2/η = 40", "λ₁ (sharpness)", "λ₂", "λ₃"]
    assert line_of(ratio, [1.0, 1.0]).get_linestyle() == "--"
    del run["critical_curvature"].attrs["formula"]
    assert labels_of(overview(run).axes[1])[0].replace("\n", " ") == "critical curvature = 40"


def test_a_scheduled_critical_curvature_is_drawn_as_steps_and_named_without_a_number(make_run):
    run = make_run()
    run["critical_curvature"][0, 100:] = 300.0
    eigenvalues = overview(run).axes[1]
    line = line_of(eigenvalues, run.critical_curvature.values[0])
    assert line.get_drawstyle() == "steps-post"
    assert labels_of(eigenvalues)[0] == "2/η"
    assert eigenvalues.get_ylim()[1] > 300


def test_units_stand_on_the_axis_where_there_are_any(make_run):
    run = make_run()
    run["loss"].attrs["units"] = "nats"
    assert overview(run).axes[0].get_ylabel() == "loss (nats)"


def test_a_positive_loss_is_logarithmic_and_another_is_not(make_run):
    run = make_run()
    assert overview(run).axes[0].get_yscale() == "log"
    run["loss"][0, 50] = -0.1
    assert overview(run).axes[0].get_yscale() == "linear"


def test_sparse_readings_are_joined_and_each_is_shown(make_run):
    run = make_run(every=10)
    eigenvalues = overview(run).axes[1]
    read = run.sharpness.values[0, ::10, 0]
    line = line_of(eigenvalues, read)
    assert line.get_marker() == "o"
    assert np.array_equal(line.get_xdata(), np.arange(0, 301, 10))
    bars = [bar.get_segments() for bar in eigenvalues.collections]
    assert any(np.allclose([s[1, 1] - s[0, 1] for s in segments], 2e-3 * read) for segments in bars)


def test_dense_error_bounds_are_a_band(make_run):
    run = make_run()
    run["sharpness_bound"][:] = 5.0
    eigenvalues = overview(run).axes[1]
    assert "error bound" in labels_of(eigenvalues)
    heights = eigenvalues.collections[-1].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(run.sharpness.values[0, :, 0].max() + 5.0)


def test_bounds_too_narrow_to_see_get_no_legend(make_run):
    assert "error bound" not in labels_of(overview(make_run()).axes[1])


def test_unconverged_readings_are_hollow(make_run):
    run = make_run(unconverged=(20, 40))
    _, eigenvalues, ratio = overview(run).axes
    for panel, values in ((eigenvalues, run.sharpness), (ratio, run.edge_ratio)):
        hollow = line_of(panel, values.values[0, [20, 40], 0])
        assert hollow.get_markerfacecolor() == "white"
        assert np.array_equal(hollow.get_xdata(), [20, 40])
    assert labels_of(eigenvalues)[-1] == "not converged"


def test_many_unconverged_readings_are_thinned(make_run):
    eigenvalues = overview(make_run(unconverged=range(301))).axes[1]
    hollow = [len(line.get_xdata()) for line in eigenvalues.lines if line.get_markerfacecolor() == "white"]
    assert max(hollow) in range(15, 31)


def test_every_process_has_its_colour_in_every_panel(make_run):
    run = make_run(processes=("gd", "heavy ball"))
    run["loss"][1] *= 2
    run["sharpness"][1] *= 1.5
    run["edge_ratio"][1] *= 1.1
    loss, eigenvalues, ratio = overview(run).axes
    assert labels_of(loss) == ["gd", "heavy ball"]
    for panel, values in ((loss, run.loss), (eigenvalues, run.sharpness), (ratio, run.edge_ratio)):
        for row in range(2):
            heights = values.values[row] if values.ndim == 2 else values.values[row, :, 0]
            assert to_hex(line_of(panel, heights).get_color()).upper() == PALETTE[row]
    # They agree on the critical curvature, which is then drawn once.
    line_of(eigenvalues, run.critical_curvature.values[0])


@pytest.mark.parametrize("missing", ["dropped", "never read"])
def test_without_sharpness_the_loss_stands_alone(make_run, missing):
    run = make_run()
    if missing == "dropped":
        run = run.drop_vars(["sharpness", "sharpness_bound", "sharpness_converged", "edge_ratio"])
    else:
        run["sharpness"][:] = np.nan
    figure = overview(run)
    (panel,) = figure.axes
    assert panel.get_xlabel() == "step"
    assert any("No sharpness" in text.get_text() for text in panel.texts)


def test_bounds_and_flags_may_be_missing(make_run):
    eigenvalues = overview(make_run().drop_vars(["sharpness_bound", "sharpness_converged"])).axes[1]
    assert labels_of(eigenvalues) == ["2/η = 200", "λ₁ (sharpness)", "λ₂", "λ₃"]


def test_a_blow_up_is_cut_off_and_counted(make_run):
    run = make_run()
    run["sharpness"][0, 296:299] = 1e9
    run["edge_ratio"][0, 296:299] = 1e7
    run["loss"][0, 296:299] = 1e200
    run["loss"][0, 299:] = np.nan
    run["sharpness"][0, 299:] = np.nan
    loss, eigenvalues, ratio = overview(run).axes
    assert loss.get_ylim()[1] < 1e6
    assert eigenvalues.get_ylim()[1] < 1000
    assert ratio.get_ylim()[1] < 10
    assert [text.get_text() for text in loss.texts] == ["↑ 3 readings beyond"]
    assert [text.get_text() for text in eigenvalues.texts] == ["↑ 9 readings beyond"]
    assert loss.get_xlim() == (0, 298)


def test_a_run_at_its_edge_is_looked_at_closely_and_one_below_it_is_not(make_run):
    assert overview(make_run()).axes[2].get_ylim()[0] == 0.75
    run = make_run()
    run["edge_ratio"] /= 3
    assert overview(run).axes[2].get_ylim()[0] < 0


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_very_short_run_has_a_figure(make_run, steps):
    figure = overview(make_run(steps=max(steps, 1)).isel(step=slice(0, steps + 1)))
    assert len(figure.axes) == 3


def boxes(figure):
    """The drawn extents of everything written on a figure, and of its panels, in pixels."""
    figure.canvas.draw()
    texts = [*figure.texts, *(t for panel in figure.axes for t in panel.texts)]
    legends = [panel.get_legend() for panel in figure.axes if panel.get_legend()]
    labels = [label for panel in figure.axes for label in (panel.xaxis.label, panel.yaxis.label)]
    written = [thing.get_window_extent() for thing in [*texts, *labels, *legends] if thing.get_visible()]
    return written, [legend.get_window_extent() for legend in legends]


@pytest.mark.parametrize("formula", ["2/η", "(2+2β)/η", "critical curvature of the preconditioned Hessian"])
def test_nothing_written_leaves_the_page_and_no_legend_covers_data(make_run, formula):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    run = make_run(processes=("a process with a long name", "another_one_without_any_blank"), k=5)
    run["critical_curvature"].attrs["formula"] = formula
    figure = overview(run, title="A Title Of Many Wide Words " * 5, verdict=LONG)
    FigureCanvasAgg(figure)
    written, legends = boxes(figure)
    page = figure.bbox
    for box in written:
        assert page.x0 <= box.x0 and box.x1 <= page.x1, box
        assert page.y0 <= box.y0 and box.y1 <= page.y1, box
    for box in legends:
        assert all(box.x0 >= panel.bbox.x1 - 1 for panel in figure.axes)
    lines = [text.get_window_extent() for text in figure.texts]
    assert len(lines) >= 5
    assert min(line.y0 for line in lines) > max(panel.bbox.y1 for panel in figure.axes)


def test_no_global_setting_is_left_changed_and_the_readers_own_do_not_matter(make_run):
    before = dict(matplotlib.rcParams)
    overview(make_run(), title="t", verdict="v")
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"axes.facecolor": "red", "figure.facecolor": "black", "axes.grid": False}):
        figure = overview(make_run())
    assert to_hex(figure.get_facecolor()) == to_hex(figure.axes[0].get_facecolor()) == "#ffffff"


def test_pyplot_is_never_imported():
    code = "import sys, edgewise.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
