"""Small objectives whose descents are known in closed form, and what it means that two runs are the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgewise.dynamics import Run
from edgewise.objectives import Objective


def bowl(
    *curvatures: float, start: Sequence[float] | None = None, dtype: torch.dtype = torch.float64
) -> Objective:
    """L(w) = ½ Σ λ w², from w = 1 if no start is given: gradient descent multiplies w by 1 − ηλ."""
    eigenvalues = torch.tensor(curvatures, dtype=dtype)
    at = torch.ones(len(curvatures)) if start is None else torch.tensor(start)
    return Objective.from_function(lambda w: 0.5 * (eigenvalues * w**2).sum(), len(curvatures), dtype, start=at)


def bowl_loss(curvatures: Sequence[float], lr: float, steps: int) -> np.ndarray[Any, Any]:
    """The loss of gradient descent on that bowl, ½ Σ λ (1 − ηλ)^2t, at the steps 0 … n."""
    eigenvalues, t = np.array(curvatures), np.arange(steps + 1)[:, None]
    return 0.5 * (eigenvalues * (1 - lr * eigenvalues) ** (2 * t)).sum(axis=1)


def network(
    activation: type[nn.Module] = nn.Tanh,
    *,
    normalization: bool = False,
    dtype: torch.dtype = torch.float64,
    classes: bool = False,
    chunk_size: int | None = None,
    seed: int = 0,
) -> Objective:
    """A small network on twelve random samples."""
    numbers = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(3, 8), nn.GroupNorm(2, 8) if normalization else nn.Identity()]
    module = nn.Sequential(*layers, activation(), nn.Linear(8, 4)).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=numbers, dtype=torch.float64))
    inputs = torch.randn(12, 3, generator=numbers, dtype=torch.float64).to(dtype)
    if classes:
        targets = torch.randint(4, (12,), generator=numbers)
        return Objective.from_module(module, nn.CrossEntropyLoss(), (inputs, targets), chunk_size)
    targets = torch.randn(12, 4, generator=numbers, dtype=torch.float64).to(dtype)
    return Objective.from_module(module, nn.MSELoss(), (inputs, targets), chunk_size)


def final_point(run: Run, process: str) -> Tensor:
    """Where a process stands at the end of a run."""
    return run.record.checkpoint().tensors[f"/processes/{process}/w"]


def assert_same_readings(run: Run, other: Run) -> None:
    """Every series of both runs has the same bits."""
    ours, theirs = run.dataset, other.dataset
    assert list(ours.variables) == list(theirs.variables)
    for name in ours.variables:
        np.testing.assert_array_equal(ours[name].values, theirs[name].values, err_msg=str(name), strict=True)


def assert_beginning(run: Run, whole: Run) -> None:
    """The rows of a run that was stopped are those of the whole run.

    A kill can fall between the rows that two processes write at one step, and between a row and what it adds to
    the row before: so a process may lack the last step, and a midpoint the last two.
    """
    ours, theirs = run.dataset, whole.dataset
    assert list(ours.variables) == list(theirs.variables)
    rows = ours.sizes["step"]
    np.testing.assert_array_equal(ours.step, np.arange(rows))
    for process in ours.process.values:
        mine = ours.sel(process=process)
        written = np.isfinite(mine.step_size.values)
        count = int(written.sum())
        until_it_ended = int(np.isfinite(theirs.sel(process=process).step_size.values).sum())
        assert count >= min(rows, until_it_ended) - 1
        assert written[:count].all()
        for name, one in mine.data_vars.items():
            known = slice(0, max(0, count - 2 if str(name).startswith("midpoint") else count))
            expected = theirs[name].sel(process=process)
            expected = expected.isel({dim: slice(0, mine.sizes[dim]) for dim in one.dims})
            np.testing.assert_array_equal(one.isel(step=known), expected.isel(step=known), err_msg=str(name))


def assert_same_run(run: Run, other: Run) -> None:
    """Every reading, every outcome, and everything that either would go on with are the same bits."""
    assert_same_readings(run, other)
    assert run.outcomes == other.outcomes
    ours, theirs = run.record.checkpoint(), other.record.checkpoint()
    assert (ours.step, ours.state, list(ours.tensors)) == (theirs.step, theirs.state, list(theirs.tensors))
    for name, tensor in ours.tensors.items():
        assert torch.equal(tensor, theirs.tensors[name]), name
