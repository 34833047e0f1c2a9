import matplotlib
import pytest

from edgewise.figures import overview, save
from edgewise.foundation import SettingError

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("ending", MAGIC)
def test_a_figure_is_written_as_its_ending_says_in_the_same_bytes_each_time(make_run, tmp_path, ending):
    before = dict(matplotlib.rcParams)
    run = make_run(steps=40)
    first = save(overview(run, title="η → 2/λ₁"), tmp_path / "made" / f"one{ending}")
    second = save(overview(run, title="η → 2/λ₁"), str(tmp_path / f"two{ending.upper()}"))
    assert first == tmp_path / "made" / f"one{ending}"
    assert first.read_bytes().startswith(MAGIC[ending])
    assert first.read_bytes() == second.read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_another_ending_is_refused(make_run, tmp_path):
    with pytest.raises(SettingError, match=r"'loss\.jpeg': .*only \.png, \.svg and \.pdf.*Type loss\.png"):
        save(overview(make_run(steps=4)), tmp_path / "loss.jpeg")
