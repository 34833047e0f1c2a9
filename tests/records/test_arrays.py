"""Arrays in a file and their manifest: what comes back, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from edgewise.foundation import RecordError
from edgewise.records import read_arrays, write_arrays


def dataset(value: float = 1 / 3) -> xr.Dataset:
    return xr.Dataset(
        {
            "x": ("step", np.array([value, np.nan, np.inf, -0.0, 5e-324])),
            "count": ("step", np.arange(5)),
            "over": ("step", np.array([True, False, True, True, False])),
            "word": "η",
        },
        coords={"step": [0, 1, 2, 3, 70_000]},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_arrays(tmp_path / "record", dataset(), {"seconds": 1.5})
    again = read_arrays(tmp_path / "record")
    assert again["x"].values.tobytes() == dataset()["x"].values.tobytes()
    assert again["over"].values.tolist() == [True, False, True, True, False]
    assert again["word"].item() == "η"
    assert json.loads((tmp_path / "record" / "run.json").read_text())["seconds"] == 1.5


def test_integers_do_not_overflow(tmp_path: Path) -> None:
    """70 000² is more than 32 bits hold, and the file has 32."""
    write_arrays(tmp_path, dataset(), {})
    again = read_arrays(tmp_path)
    assert (again["step"] ** 2).values[-1] == 4_900_000_000
    assert again["count"].dtype == again["step"].dtype == np.int64


def test_it_replaces_what_is_there(tmp_path: Path) -> None:
    write_arrays(tmp_path, dataset(), {})
    write_arrays(tmp_path, dataset(2.0), {})
    assert read_arrays(tmp_path)["x"].values[0] == 2.0


@pytest.mark.parametrize("values", [np.array([1j]), np.array([2**40]), np.array([1, "a"], dtype=object)])
def test_what_the_file_cannot_hold_is_refused_and_leaves_nothing_that_looks_whole(
    tmp_path: Path, values: np.ndarray
) -> None:
    write_arrays(tmp_path, dataset(), {})
    with pytest.raises(RecordError, match=r"arrays\.nc: .*\. Make the arrays of floats, integers below 2³¹"):
        write_arrays(tmp_path, xr.Dataset({"x": ("n", values)}), {})
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("arrays.nc", lambda whole: whole[:-7], "its checksum is not the one in the manifest"),
        ("arrays.nc", lambda whole: b"", "its checksum is not the one in the manifest"),
        ("arrays.nc", None, r"reading .*arrays\.nc: it does not exist"),
        ("run.json", lambda whole: whole[:40], r"reading .*run\.json: it is not JSON"),
        ("run.json", lambda whole: whole.replace(b"checksum", b"chacksum"), "its checksum is not the one"),
        ("run.json", None, r"it holds no run\.json, so it is not a run"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, damage: object, message: str) -> None:
    write_arrays(tmp_path, dataset(), {})
    path = tmp_path / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(RecordError, match=message):
        read_arrays(tmp_path)


def test_a_dimension_without_length_is_refused(tmp_path: Path) -> None:
    dataset = xr.Dataset({"x": ("step", np.ones(2)), "modes": (("step", "mode"), np.ones((2, 0)))})
    with pytest.raises(RecordError, match=r"its dimension 'mode' has no length.*drop_dims\('mode'\)"):
        write_arrays(tmp_path, dataset, {})
    write_arrays(tmp_path, dataset.drop_dims("mode"), {})
    assert read_arrays(tmp_path)["x"].values.tolist() == [1, 1]
