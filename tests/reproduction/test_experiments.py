"""Experiments: what makes two of them the same, and records that are found, resumed and refused."""

import importlib
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from papers import descent, halving

from edgewise.dynamics import Loss, Progress, Run, Silent, evolve
from edgewise.foundation import RecordError, SettingError, one_thread
from edgewise.methods import GradientDescent
from edgewise.problems import chebyshev_mlp
from edgewise.records import list_records
from edgewise.reproduction import Computation, Descent
from edgewise.reproduction.computation import _source


def made(experiment: Computation | Descent, folder: Path) -> xr.Dataset:
    experiment.perform(folder, 0, Silent())
    assert experiment.finished(folder)
    return experiment.dataset(folder)


def test_a_computation_is_kept_bit_for_bit(tmp_path: Path) -> None:
    kept = made(Computation(halving, {"steps": 3, "factor": 1 / 3}), tmp_path / "record")
    assert kept["x"].values.tolist() == ((1 / 3) ** np.arange(4.0)).tolist()
    assert Computation(halving, {"steps": 3}).seconds(tmp_path / "record") >= 0


def test_a_damaged_record_is_named_and_not_read(tmp_path: Path) -> None:
    computation = Computation(halving, {"steps": 3})
    made(computation, tmp_path)
    whole = bytearray((tmp_path / "arrays.nc").read_bytes())
    whole[-3] ^= 1
    (tmp_path / "arrays.nc").write_bytes(whole)
    with pytest.raises(RecordError, match=r"arrays\.nc: its checksum is not the one in the manifest"):
        computation.dataset(tmp_path)


def test_a_computation_that_was_cut_off_is_not_finished(tmp_path: Path) -> None:
    made(Computation(halving, {"steps": 3}), tmp_path)
    (tmp_path / "run.json").unlink()
    assert not Computation(halving, {"steps": 3}).finished(tmp_path)


def test_its_identity_is_its_code_and_its_arguments() -> None:
    one = Computation(halving, {"steps": 3})
    assert one.identity(0) == Computation(halving, {"steps": 3}).identity(5)
    assert one.identity(0) != Computation(halving, {"steps": 4}).identity(0)
    assert one.folder(Path("s"), 0) == Computation(halving, {"steps": 3}).folder(Path("s"), 1)
    assert one.identity(0)["function"] == "papers:halving"


def test_a_function_without_an_address_is_refused() -> None:
    with pytest.raises(SettingError, match="Define it at the top level of a module"):
        Computation(lambda: halving(1))
    with pytest.raises(SettingError, match="Define it at the top level of a module"):
        Computation(partial(halving, 1))


def test_a_descent_is_the_run_of_evolve(tmp_path: Path) -> None:
    dataset = made(descent(steps=5), tmp_path)
    run = evolve({"gd": GradientDescent(0.01)}, chebyshev_mlp(width=3), 5, [Loss()])
    assert dataset["loss"].values.tolist() == run.loss.values.tolist()


def test_a_descent_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """The folder holds a run of three steps out of six, as after a kill: its outcome is not written yet."""
    straight = made(descent(steps=6), tmp_path / "straight")
    whole = descent(steps=6)
    cut = tmp_path / "cut"
    run = evolve(
        {"gd": GradientDescent(0.01)}, chebyshev_mlp(width=3), 6, whole.probes, store=cut,
        progress=_Stopping(3), checkpoint_seconds=0.0,
    )  # fmt: skip
    assert run.outcomes["gd"].kind == "interrupted"
    assert not whole.finished(cut)
    assert made(whole, cut)["sharpness"].values.tolist() == straight["sharpness"].values.tolist()
    assert len([path for path in cut.iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("other", [descent(steps=4), descent(lr=0.02)])
def test_its_identity_is_its_recipe(other: Descent) -> None:
    assert descent().identity(0) == descent().identity(0)
    assert descent().identity(0) != other.identity(0)
    assert descent().identity(0) != descent().identity(1)


def test_its_cost_is_the_clock_with_its_probes_in_all_sittings(tmp_path: Path) -> None:
    """Advancing three steps of a tiny network takes less than reading it and writing the record."""
    one = descent()
    since = time.perf_counter()
    made(one, tmp_path)
    took = time.perf_counter() - since
    assert sum(Run(list_records(tmp_path).records[0]).seconds.values()) < one.seconds(tmp_path) <= took
    once = one.seconds(tmp_path)
    one.perform(tmp_path, 0, Silent())
    assert one.seconds(tmp_path) > once
    (tmp_path / "seconds").unlink()
    assert 0 < one.seconds(tmp_path) < once, "a record of before"


def test_the_first_process_is_the_first_of_the_recipe_whoever_made_the_record(tmp_path: Path) -> None:
    """Two recipes that name the same processes in another order share a record."""
    slow, fast = GradientDescent(0.01), GradientDescent(0.02)
    one = replace(descent(), processes={"slow": slow, "fast": fast})
    other = replace(descent(), processes={"fast": fast, "slow": slow})
    assert one.folder(tmp_path, 0) == other.folder(tmp_path, 0)
    assert made(one, tmp_path)["process"].values.tolist() == ["slow", "fast"]
    assert other.dataset(tmp_path)["process"].values.tolist() == ["fast", "slow"]
    assert float(other.dataset(tmp_path)["step_size"].isel(process=0, step=0)) == 0.02


def test_a_missing_record_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="there is no run in it"):
        descent().dataset(tmp_path / "nowhere")
    assert not descent().finished(tmp_path / "nowhere")


def test_one_thread_is_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class _Stopping(Progress):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def begin(self, step: int, steps: int) -> None:
        pass

    def row(self, step: int, rows: object) -> None:
        if step == self.step:
            signal.raise_signal(signal.SIGINT)

    def end(self) -> None:
        pass


def test_code_of_the_same_folder_counts_and_that_of_claims_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of a paper whose recipe takes a function from a second module."""

    def source(double: str, claims: str, share: float = 1.0) -> str:
        for name in [name for name in sys.modules if name.split(".")[0] == "somepaper"]:
            del sys.modules[name]
        _source.cache_clear()
        folder = tmp_path / f"{double}{claims}{share}".replace(" ", "") / "somepaper"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "second.py").write_text(f"def double(x):\n    return {double}\n")
        (folder / "claims.py").write_text(f"from somepaper.recipe import run\n\nSHARE = {claims}\n")
        (folder / "third.py").write_text(f"SHARE = {share}\n")
        imports = "from somepaper.second import double\nfrom somepaper.third import SHARE\n"
        (folder / "recipe.py").write_text(f"{imports}\n\ndef run(x):\n    double(x)\n")
        with monkeypatch.context() as context:
            context.syspath_prepend(folder.parent)
            importlib.import_module("somepaper.claims")
            return str(Computation(sys.modules["somepaper.recipe"].run, {"x": 1}).identity(0)["source"])

    assert source("2 * x", "0.5") == source("2 * x", "0.7")
    assert source("2 * x", "0.9") != source("x + x", "0.9")
    assert source("2 * x", "0.8") != source("2 * x", "0.8", share=2.0), "a number has no module to be found by"
