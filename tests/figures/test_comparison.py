"""The comparison of a run with flows: what is drawn is what the record says."""

import numpy as np
import pytest
import xarray as xr

from edgewise.figures import comparison


def record(*, flows: tuple[str, ...] = ("gradient", "central"), steps: int = 40) -> xr.Dataset:
    names = ["run", "midpoint", *flows]
    step = np.arange(steps + 1)
    shape = (len(names), steps + 1)
    falling = np.exp(-step / 20) * np.ones(shape)
    dims = ("process", "step")
    return xr.Dataset(
        {
            "loss": (dims, falling),
            "predicted_loss": (dims, np.where(np.arange(len(names))[:, None] > 1, 1.5 * falling, np.nan)),
            "relative_distance": (dims, np.where(np.arange(len(names))[:, None] > 1, 0.1 * falling, np.nan)),
            "critical_curvature": (dims, np.full(shape, 20.0), {"formula": "2/η"}),
            "sharpness": ((*dims, "rank"), (10 + step * np.ones(shape))[..., None]),
        },
        coords={"process": names, "step": step, "rank": [1]},
    )


def test_a_line_for_each_process_and_a_band_for_each_prediction() -> None:
    dataset = record()
    figure = comparison(dataset, run="run", midpoint="midpoint", flows=("gradient", "central"), title="A title")
    sharpness, loss, distance = figure.axes
    drawn = [np.asarray(line.get_ydata()) for line in sharpness.lines]
    assert len(drawn) == 5  # run, midpoints, two flows and the critical curvature
    np.testing.assert_array_equal(drawn[0], dataset.sharpness.sel(process="run").values[:, 0])
    np.testing.assert_array_equal(drawn[-1], 20.0)
    labels = [text.get_text() for text in sharpness.get_legend().get_texts()]
    assert labels == ["run", "its midpoints", "2/η", "gradient", "central"]
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), dataset.predicted_loss.sel(process="gradient"))
    assert len(loss.collections) == 2
    low, high = (loss.collections[0].get_paths()[0].vertices[:, 1].min(), 2.0)
    assert low == pytest.approx(np.exp(-2)) and loss.collections[0].get_paths()[0].vertices[:, 1].max() == high
    assert loss.get_yscale() == distance.get_yscale() == "log"
    assert [text.get_text() for text in figure.texts] == ["A title"]


def test_flows_have_styles_of_their_own() -> None:
    flows = tuple("abcdef")
    figure = comparison(record(flows=flows), run="run", midpoint="midpoint", flows=flows)
    styles = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[2].lines}
    assert len(styles) == len(flows)


def test_a_flow_that_ended_early_ends_in_the_figure() -> None:
    dataset = record()
    dataset["relative_distance"].loc[{"process": "central"}][10:] = np.nan
    figure = comparison(dataset, run="run", midpoint="midpoint", flows=("gradient", "central"))
    assert [len(line.get_xdata()) for line in figure.axes[2].lines] == [41, 10]


def test_without_any_distance_there_is_still_a_figure() -> None:
    dataset = record()
    dataset["relative_distance"][:] = np.nan
    dataset["loss"] = -dataset["loss"]
    figure = comparison(dataset, run="run", midpoint="midpoint", flows=("gradient",), verdict="Words.")
    assert figure.axes[1].get_yscale() == "linear"
