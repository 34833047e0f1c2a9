"""The variance of mini-batch gradients against all mini-batches, one by one."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from edgewise.curvature import gradient_noise
from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives import Objective

F64 = torch.float64
N = 5
_numbers = torch.Generator().manual_seed(3)
X, Y = torch.randn(N, 3, generator=_numbers, dtype=F64), torch.randn(N, 2, generator=_numbers, dtype=F64)
CLASSES = torch.tensor([0, 1, 1, 0, 1])


def network(criterion: nn.Module, targets: torch.Tensor, chunk_size: int | None = None) -> Objective:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    return Objective.from_module(module, criterion, (X, targets), chunk_size)


@pytest.mark.parametrize("batch_size", [1, 2, N])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("kind", ["mse", "sum", "classes"])
def test_it_is_the_variance_over_all_batches(batch_size: int, replacement: bool, kind: str) -> None:
    if replacement and batch_size == N:
        batch_size = 3  # 5⁵ batches would tell no more
    criteria = {
        "mse": (nn.MSELoss(), Y, 2),
        "sum": (nn.MSELoss(reduction="sum"), Y, None),
        "classes": (nn.CrossEntropyLoss(), CLASSES, 3),
    }
    objective = network(*criteria[kind])
    w = objective.start
    u = torch.randn(objective.size, generator=torch.Generator().manual_seed(1), dtype=F64)
    u /= u.norm()
    each = [float(u @ objective.batch_at(w, torch.tensor([i])).gradient) for i in range(N)]
    if replacement:
        batches = itertools.product(range(N), repeat=batch_size)
    else:
        batches = itertools.combinations(range(N), batch_size)
    means = [np.mean([each[i] for i in batch]) for batch in batches]
    found = gradient_noise(objective, w, 7 * u, batch_size, replacement)
    assert found == pytest.approx(np.var(means), rel=1e-11, abs=1e-25)
    assert (found == 0.0) == (batch_size == N)


def test_what_has_no_noise_is_refused() -> None:
    objective = network(nn.MSELoss(), Y)
    w = objective.start
    with pytest.raises(SettingError, match=r"batch_size=0: a batch has at least one sample"):
        gradient_noise(objective, w, w, 0)
    with pytest.raises(SettingError, match=r"batch_size=6 and 5 samples"):
        gradient_noise(objective, w, w, 6)
    with pytest.raises(SettingError, match=r"a direction of length 0\.0: it points nowhere"):
        gradient_noise(objective, w, 0 * w, 2)
    tokens = network(nn.CrossEntropyLoss(), torch.tensor([0, 1, -100, 0, 1]))
    with pytest.raises(ObjectiveError, match="the gradient noise with the criterion CrossEntropyLoss"):
        gradient_noise(tokens, w, w, 2)
    bowl = Objective.from_function(lambda w: w.square().sum(), 2)
    with pytest.raises(ObjectiveError, match="the gradient noise of a plain function"):
        gradient_noise(bowl, torch.ones(2).double(), torch.ones(2).double(), 1)
