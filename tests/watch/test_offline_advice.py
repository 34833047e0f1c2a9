"""Advice over a folder of checkpoints."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edgewise.foundation import DataError
from edgewise.watch.checkpoints import checkpoint_files, load_tensors, read_checkpoint
from edgewise.watch.offline import CheckpointReadings, OfflineAdvice, advise_offline

INPUTS = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
TARGETS = torch.zeros(2, 1, dtype=torch.float64)
# The mean of (w·x)² over the samples has the Hessian diag(4, 1).
SHARPNESS, LR = 4.0, 0.1


def model() -> nn.Module:
    layer = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 1.0]]))
    return layer


def advised(folder: Path, made: nn.Module | None = None, optimizer: Any = None, **more: Any) -> OfflineAdvice:
    made = made or model()
    optimizer = optimizer or torch.optim.SGD(made.parameters(), lr=LR)
    return advise_offline(folder, made, optimizer, nn.MSELoss(), (INPUTS, TARGETS), **more)


def weights(scale: float) -> dict[str, Tensor]:
    return {"weight": torch.tensor([[scale, scale]], dtype=torch.float64)}


def reading_of(row: CheckpointReadings, kind: str) -> float:
    reading = row.of(kind)
    assert reading is not None and reading.ratio is not None
    return reading.ratio


def test_a_quadratic_is_known_at_every_checkpoint(tmp_path: Path) -> None:
    """Both formats, in the order of steps as numbers; along −g = −(4, 1) curvature is (4·16 + 1)/17."""
    torch.save(weights(0.5), tmp_path / "step-20.pt")
    save_file(weights(2.0), tmp_path / "step-3.safetensors")
    torch.save({"model": weights(0.25), "step": 100, "epoch": 7}, tmp_path / "last.pth")
    heard: list[tuple[int, int, int]] = []
    found = advised(tmp_path, told=lambda number, total, row: heard.append((number, total, row.step)))
    assert heard == [(1, 3, 3), (2, 3, 20), (3, 3, 100)]
    for row, scale in zip(found.checkpoints, (2.0, 0.5, 0.25), strict=True):
        assert row.loss == pytest.approx(2.5 * scale**2)
        assert row.lr == LR
        assert reading_of(row, "effective sharpness") == pytest.approx(SHARPNESS * LR / 2, rel=1e-6)
        assert reading_of(row, "critical sharpness") == pytest.approx(65 / 17 * LR / 2, rel=0.1)
        assert row.missing is None
    assert found.refused == ()
    assert found.advice.max_lr == pytest.approx(2 / SHARPNESS, rel=1e-6)
    assert found.advice.first_to_break == "weight (100% of the top eigenvector)"


def test_batches_are_read_where_their_size_is_known(tmp_path: Path) -> None:
    """One sample a batch: curvature 8 along (1, 0) or 2 along (0, 1), mean 5; E h²/E h along (1, 0) is 8."""
    torch.save(weights(1.0), tmp_path / "step-1.pt")
    found = advised(tmp_path, batch_size=1)
    assert reading_of(found.checkpoints[0], "batch sharpness") == pytest.approx(5 * LR / 2)
    assert reading_of(found.checkpoints[0], "mean-square sharpness") == pytest.approx(8 * LR / 2)
    assert found.advice.kind == "mean-square sharpness"


def masked(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean square over the samples that have a target."""
    return (outputs - targets.nan_to_num()).square()[~targets.isnan()].mean()


def careless(outputs: Tensor, targets: Tensor) -> Tensor:
    """The same, but for its gradient: zero times nan."""
    return (outputs - targets).square()[~targets.isnan()].mean()


@pytest.mark.parametrize(
    ("criterion", "lacks"),
    [(masked, ["batch sharpness"]), (careless, ["batch sharpness", "critical sharpness"])],
)
def test_a_batch_without_a_loss_is_said(criterion: Any, lacks: list[str], tmp_path: Path) -> None:
    """The second sample has no target, and a batch of it alone nothing to average over."""
    torch.save(weights(1.0), tmp_path / "step-1.pt")
    made, targets = model(), torch.tensor([[0.0], [float("nan")]], dtype=torch.float64)
    optimizer = torch.optim.SGD(made.parameters(), lr=LR)
    found = advise_offline(tmp_path, made, optimizer, criterion, (INPUTS, targets), batch_size=1)
    why = "the loss of the batch that curvature is read on is not finite"
    assert found.checkpoints[0].missing == " ".join(f"No {kind}: {why}." for kind in lacks)


def test_the_state_of_the_optimiser_is_used(tmp_path: Path) -> None:
    """Adam after 50 steps at another step size than it is made with.

    P = (1 − β₁⁵¹)(√ν̂ + ε) for a gradient that leaves ν̂ where it is, and the edge at (2 + 2β₁)/((1 − β₁)η).
    """
    made = model()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.003)
    for _ in range(50):
        optimizer.zero_grad()
        nn.functional.mse_loss(made(INPUTS), TARGETS).backward()
        optimizer.step()
    torch.save(
        {"model_state_dict": made.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, tmp_path / "50.pt"
    )
    again = model()
    found = advised(tmp_path, again, torch.optim.Adam(again.parameters(), lr=0.1))
    (row,) = found.checkpoints
    assert row.lr == 0.003
    square = optimizer.state[made.weight]["exp_avg_sq"].reshape(-1) / (1 - 0.999**50)
    half = torch.diag(((1 - 0.9**51) * (square.sqrt() + 1e-8)) ** -0.5)
    effective = torch.linalg.eigvalsh(half @ torch.diag(torch.tensor([4.0, 1.0]).double()) @ half)[-1]
    expected = float(effective) * 0.003 * 0.1 / 3.8
    assert reading_of(row, "effective sharpness") == pytest.approx(expected, rel=1e-6)
    assert row.of("critical sharpness") is not None


def test_without_the_state_nothing_is_invented(tmp_path: Path) -> None:
    torch.save(weights(1.0), tmp_path / "step-1.pt")
    made = model()
    found = advised(tmp_path, made, torch.optim.Adam(made.parameters(), lr=0.1))
    assert found.checkpoints[0].readings == ()
    assert found.checkpoints[0].missing == (
        "No effective sharpness of an optimiser of type Adam that has taken no step: its preconditioner is made "
        "of the gradients that it has seen. No critical sharpness, since the optimiser's state was not stored."
    )
    assert found.advice.max_lr is None
    made = model()
    found = advised(tmp_path, made, torch.optim.SGD(made.parameters(), lr=LR, momentum=0.5))
    assert reading_of(found.checkpoints[0], "effective sharpness") == pytest.approx(SHARPNESS * LR / 3)
    assert found.checkpoints[0].of("critical sharpness") is None
    assert found.checkpoints[0].missing == "No critical sharpness, since the optimiser's state was not stored."


def test_groups_of_other_step_sizes_count(tmp_path: Path) -> None:
    """Two layers of one weight each; the second, with half the step size, breaks second."""
    made = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    state = {"0.weight": torch.tensor([[1.0]]).double(), "1.weight": torch.tensor([[2.0]]).double()}
    save_file(state, tmp_path / "1.safetensors")
    groups = [{"params": made[0].parameters(), "lr": 0.1}, {"params": made[1].parameters(), "lr": 0.05}]
    inputs, targets = torch.ones(1, 1).double(), torch.full((1, 1), 2.0).double()
    found = advise_offline(tmp_path, made, torch.optim.SGD(groups), nn.MSELoss(), (inputs, targets))
    # (ab − 2)² at (1, 2), where ab = 2: the Hessian is 2 (b, a)(b, a)ᵀ; with η on both sides its only
    # eigenvalue but zero is 2 (η₁ b² + η₂ a²).
    expected = 2 * (0.1 * 4 + 0.05 * 1) / 2
    assert reading_of(found.checkpoints[0], "effective sharpness") == pytest.approx(expected, rel=1e-6)
    assert found.advice.first_to_break == "0.weight (89% of the top eigenvector)"


def test_an_optimiser_without_a_line_goes_by_its_updates(tmp_path: Path) -> None:
    torch.save(weights(1.0), tmp_path / "step-1.pt")
    made = model()
    optimizer = torch.optim.ASGD(made.parameters(), lr=LR)
    optimizer.zero_grad()
    nn.functional.mse_loss(made(INPUTS), TARGETS).backward()
    optimizer.step()
    torch.save({"model": weights(1.0), "optimizer": optimizer.state_dict(), "step": 1}, tmp_path / "step-1.pt")
    found = advised(tmp_path, made, optimizer)
    assert [reading.kind for reading in found.checkpoints[0].readings] == ["critical sharpness"]
    assert "No effective sharpness of an optimiser of type ASGD" in str(found.checkpoints[0].missing)


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    torch.save(weights(1e200), tmp_path / "step-1.pt")
    found = advised(tmp_path)
    assert found.checkpoints[0].missing == "The loss is not finite."
    assert "The loss is not finite at step 1." in str(found.advice)


def test_folders_of_trainers_are_understood(tmp_path: Path) -> None:
    """As the Trainer of Hugging Face lays them out, with files beside the weights that no one may unpickle."""
    made = model()
    optimizer = torch.optim.SGD(made.parameters(), lr=0.05, momentum=0.5)
    nn.functional.mse_loss(made(INPUTS), TARGETS).backward()
    optimizer.step()
    for step in (500, 1000):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file(made.state_dict(), folder / "model.safetensors")
        torch.save(optimizer.state_dict(), folder / "optimizer.pt")
        for name in ("training_args.bin", "rng_state.pth", "scheduler.pt"):
            torch.save(Dangerous(tmp_path / "done"), folder / name)
    found = advised(tmp_path, made, torch.optim.SGD(made.parameters(), lr=LR, momentum=0.5))
    assert [(row.step, row.lr) for row in found.checkpoints] == [(500, 0.05), (1000, 0.05)]
    assert all(row.of("critical sharpness") for row in found.checkpoints)
    assert not (tmp_path / "done").exists()


def test_shards_are_put_together(tmp_path: Path) -> None:
    made = nn.Sequential(model(), nn.Linear(1, 1, bias=False, dtype=torch.float64))
    state = made.state_dict()
    save_file({"0.weight": state["0.weight"]}, tmp_path / "model-7-00001-of-00002.safetensors")
    save_file({"1.weight": state["1.weight"]}, tmp_path / "model-7-00002-of-00002.safetensors")
    found = advised(tmp_path, made)
    assert [row.step for row in found.checkpoints] == [7]
    assert found.refused == ()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_what_wrappers_put_before_names_is_taken_off(prefix: str, tmp_path: Path) -> None:
    save_file({prefix + name: tensor for name, tensor in weights(3.0).items()}, tmp_path / "1.safetensors")
    assert advised(tmp_path).checkpoints[0].loss == pytest.approx(22.5)


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    made = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)).double()
    made[1].weight = made[0].weight
    save_file({"0.weight": made[0].weight.detach().clone()}, tmp_path / "1.safetensors")
    targets = torch.zeros(2, 2, dtype=torch.float64)
    optimizer = torch.optim.SGD(made.parameters(), lr=LR)
    found = advise_offline(tmp_path, made, optimizer, nn.MSELoss(), (INPUTS, targets))
    assert len(found.checkpoints) == 1


class Dangerous:
    """What runs a program when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


class TestRefusals:
    def test_what_would_have_to_be_unpickled_is_not(self, tmp_path: Path) -> None:
        torch.save(weights(1.0), tmp_path / "step-1.pt")
        torch.save({"model": Dangerous(tmp_path / "done")}, tmp_path / "step-2.pt")
        found = advised(tmp_path)
        assert [row.step for row in found.checkpoints] == [1]
        (error,) = found.refused
        assert f"the file {tmp_path / 'step-2.pt'}: it would have to be unpickled" in str(error)
        assert "posix.system is in it" in str(error)
        assert not (tmp_path / "done").exists()

    def test_a_whole_model_is_not(self, tmp_path: Path) -> None:
        torch.save(model(), tmp_path / "step-2.pt")
        with pytest.raises(DataError, match="it would have to be unpickled, which can run any program"):
            load_tensors(tmp_path / "step-2.pt")

    @pytest.mark.parametrize("name", ["step-2.pt", "step-2.safetensors"])
    @pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", None])
    def test_corrupt_files_are_named(self, name: str, content: bytes | None, tmp_path: Path) -> None:
        path = tmp_path / name
        if content is None:
            (torch.save if name.endswith("pt") else save_file)(weights(1.0), path)
            content = path.read_bytes()[:-20]
        path.write_bytes(content)
        torch.save(weights(1.0), tmp_path / "step-1.pt")
        (error,) = advised(tmp_path).refused
        assert f"the file {path}: it is truncated or corrupt" in str(error)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ({"epoch": 3}, "no weights are in it"),
            ([torch.zeros(1)], "it holds a list, not tensors by name"),
            ({"bias": torch.zeros(1)}, "the model has weight, which is not in it"),
            (weights(1.0) | {"bias": torch.zeros(1)}, "bias is in it, which the model does not have"),
            ({"weight": torch.zeros(1, 3)}, "weight has another shape in it than in the model"),
            (
                {"model": weights(1.0), "optimizer": {"param_groups": [], "state": {}}},
                "its optimiser state does not fit the optimiser",
            ),
        ],
    )
    def test_what_does_not_fit_is_named(self, content: Mapping[str, Any], why: str, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "step-2.pt")
        torch.save(weights(1.0), tmp_path / "step-1.pt")
        found = advised(tmp_path)
        assert [row.step for row in found.checkpoints] == [1]
        (error,) = found.refused
        assert f"the file {tmp_path / 'step-2.pt'}" in str(error) and why in str(error)

    def test_a_file_without_a_step(self, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        save_file(weights(1.0), folder / "final.safetensors")
        with pytest.raises(DataError, match=r"say at which step it was written. Name it like step-100.pt."):
            read_checkpoint([folder / "final.safetensors"])

    def test_two_files_of_one_step(self, tmp_path: Path) -> None:
        torch.save(weights(1.0), tmp_path / "a-1.pt")
        torch.save(weights(2.0), tmp_path / "b-1.pt")
        found = advised(tmp_path)
        assert [row.path.name for row in found.checkpoints] == ["a-1.pt"]
        assert "a-1.pt is of step 1 too" in str(found.refused[0])

    def test_the_same_in_both_formats_is_one(self, tmp_path: Path) -> None:
        torch.save(weights(1.0), tmp_path / "1.pt")
        save_file(weights(1.0), tmp_path / "1.safetensors")
        found = advised(tmp_path)
        assert [row.path.name for row in found.checkpoints] == ["1.safetensors"]
        assert found.refused == ()

    def test_none_that_can_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "1.pt").write_bytes(b"")
        with pytest.raises(
            DataError, match=r"none of its checkpoints can be used; of the first: the file .*1\.pt"
        ):
            advised(tmp_path)

    def test_a_folder_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no checkpoint is in it"):
            checkpoint_files(tmp_path)
        with pytest.raises(DataError, match="nowhere: there is none"):
            checkpoint_files(tmp_path / "nowhere")
