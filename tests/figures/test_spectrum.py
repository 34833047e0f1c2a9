import numpy as np
import pytest

from edgewise.figures import save, spectrum

GRID = np.linspace(-10.0, 100.0, 500)
DENSITY = np.exp(-0.5 * GRID**2) / np.sqrt(2 * np.pi)


def labels_of(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_the_density_is_drawn_on_a_logarithmic_axis_of_six_decades():
    (panel,) = spectrum(GRID, DENSITY).axes
    bottom, _ = panel.get_ylim()
    assert panel.get_yscale() == "log"
    assert bottom == pytest.approx(DENSITY.max() * 1e-6)
    drawn = panel.lines[0].get_ydata()
    shown = bottom < DENSITY
    assert np.array_equal(drawn[shown], DENSITY[shown])
    assert drawn.min() == bottom
    assert labels_of(panel) == ["density"]


def test_the_top_eigenvalues_and_the_critical_curvature_are_marked(tmp_path):
    values, bounds = np.array([140.0, 90.0]), np.array([2.0, np.inf])
    figure = spectrum(
        GRID, DENSITY, eigenvalues=values, bounds=bounds, critical_curvature=200.0, formula="2/η", title="Spectrum"
    )
    (panel,) = figure.axes
    assert labels_of(panel) == ["density", "top 2 eigenvalues", "2/η = 200"]
    assert panel.get_xlim()[1] > 200
    stems = panel.collections[1].get_segments()
    assert [stem[0, 0] for stem in stems] == [140.0, 90.0]
    bars = panel.containers[0].lines[2][0].get_segments()
    assert [bar[1, 0] - bar[0, 0] for bar in bars] == [4.0, 0.0]
    assert [text.get_text() for text in panel.texts] == ["λ₁ = 140"]
    assert save(figure, tmp_path / "spectrum.png").stat().st_size > 1000


def test_one_eigenvalue_is_called_so():
    (panel,) = spectrum(GRID, DENSITY, eigenvalues=np.array([50.0])).axes
    assert labels_of(panel)[1] == "top eigenvalue"
