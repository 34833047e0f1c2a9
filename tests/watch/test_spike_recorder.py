"""What is kept of the last steps, and what second moments tell of past gradients."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from edgewise.foundation import SettingError, generator
from edgewise.watch.spikes import Recorder, SecondMoments, second_moments, staleness


def test_weights_are_kept_in_the_same_memory_again() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    recorder = Recorder([parameter])
    places = set()
    for step in range(5):
        with torch.no_grad():
            parameter += 1.0
        recorder.keep(step, 1.0, 0.1, True)
        kept = recorder.weights(step + 1)
        assert kept is not None and torch.equal(kept[0], parameter) and not kept[0].requires_grad
        places.add(kept[0].data_ptr())
    assert len(places) == 2
    assert recorder.weights(3) is None
    # w_5 and w_4 are there: those before step 5 are w_4.
    older = recorder.weights_before(5)
    assert older is not None and older[0] == 4 and float(older[1][0][0]) == 4.0
    assert recorder.weights_before(4) is None


def test_weights_that_are_not_affordable_are_not_kept() -> None:
    recorder = Recorder([nn.Parameter(torch.zeros(3))])
    recorder.keep(0, 1.0, 0.1, True)
    recorder.keep(1, 1.0, 0.1, False)
    assert recorder.weights(1) is not None and recorder.weights(2) is None


def test_only_the_last_batches_are_held() -> None:
    """Not copied, and let go as soon as they are too old to be replayed."""
    recorder = Recorder([nn.Parameter(torch.zeros(3))])
    batches = [(torch.ones(1) * step, torch.ones(1)) for step in range(4)]
    for step, batch in enumerate(batches):
        recorder.keep(step, 1.0, 0.1, False, batch)
    assert recorder.batch(3) is batches[3]
    assert recorder.batch(2) is batches[2]
    assert recorder.batch(1) is None


def test_what_is_usual_is_the_median_before_a_step() -> None:
    recorder = Recorder([nn.Parameter(torch.zeros(3))], length=4)
    for step, norm in enumerate([100.0, 1.0, None, math.nan, torch.tensor(3.0), 50.0]):
        recorder.keep(step, torch.tensor(2.0), 0.1, False, gradient_norm=norm)
    # Of steps 2, 3 and 4 only the last one has a finite norm; steps 0 and 1 are forgotten.
    assert recorder.usual("gradient_norm", 5) == 3.0
    assert recorder.usual("update_norm", 5) is None
    assert recorder.usual("loss", 6) == 2.0
    assert [kept.step for kept in recorder.kept] == [2, 3, 4, 5]
    assert recorder.at(1) is None


@pytest.mark.parametrize("settings", [{"length": 0}, {"snapshots": 1}])
def test_a_recorder_of_nothing_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="an update is seen between two snapshots") as error:
        Recorder([nn.Parameter(torch.zeros(3))], **settings)
    assert "Type length=64, snapshots=2" in str(error.value)


OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.99)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.999)),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01, betas=(0.9, 0.95)),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_moving_average_runs_backwards(name: str) -> None:
    """‖g‖²/Σν̂ of every past step, against the sums written down as they were."""
    numbers = generator(0, "gradients")
    parameters = [
        nn.Parameter(torch.zeros(4, 3, dtype=torch.float64)),
        nn.Parameter(torch.zeros(5, dtype=torch.float64)),
    ]
    optimizer = OPTIMIZERS[name](parameters)
    norms, ratios = [], []
    for step in range(1, 9):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=numbers, dtype=torch.float64) * 2.0**step
        square = sum(float((p.grad**2).sum()) for p in parameters if p.grad is not None)
        optimizer.step()
        which = "square_avg" if name == "RMSprop" else "exp_avg_sq"
        total = sum(float(optimizer.state[p][which].sum()) for p in parameters)
        decay = optimizer.param_groups[0]["alpha" if name == "RMSprop" else "betas"]
        corrected = total if name == "RMSprop" else total / (1 - decay[1] ** step)
        norms.append(math.sqrt(square))
        ratios.append(square / corrected)
    moments = second_moments(optimizer)
    assert moments is not None
    # Running back over squares that grew by 4⁷ loses as much of 1e-16.
    assert moments.staleness([norm**2 for norm in reversed(norms)]) == pytest.approx(ratios[::-1], rel=1e-9)
    assert staleness(moments, norms[::-1]) == pytest.approx(max(ratios[:-1]), rel=1e-9)
    assert staleness(moments, norms[::-1], since=3) == pytest.approx(max(ratios[:-3]), rel=1e-9)


@given(st.floats(0.5, 0.999), st.floats(0.1, 10.0), st.integers(2, 6))
def test_constant_gradients_are_never_stale(beta2: float, square: float, steps: int) -> None:
    """Σν̂ = ‖g‖² from the first step on."""
    moments = SecondMoments(total=square * (1 - beta2**steps), beta2=beta2, steps=steps)
    ratios = moments.staleness([square] * 10)
    assert len(ratios) == steps
    assert ratios == pytest.approx([1.0] * steps, rel=1e-6)


def test_norms_that_are_not_those_of_the_optimiser_end_the_run() -> None:
    """A gradient larger than all that is remembered cannot have been in it."""
    assert SecondMoments(total=1.0, beta2=0.9, steps=None).staleness([100.0, 1.0]) == [100.0]


@pytest.mark.parametrize("norms", [[], [1.0], [1.0, None, 1.0], [None, 1.0], [math.inf, 1.0]])
def test_staleness_of_unknown_gradients_is_unknown(norms: list[float | None]) -> None:
    assert staleness(SecondMoments(total=1.0, beta2=0.9, steps=None), norms) is None


def one() -> Tensor:
    return nn.Parameter(torch.ones(2))


def test_no_second_moments() -> None:
    first, second = one(), one()
    assert second_moments(torch.optim.SGD([first], lr=0.1)) is None
    fresh = torch.optim.Adam([first])
    assert second_moments(fresh) is None
    different = torch.optim.Adam([{"params": [first]}, {"params": [second], "betas": (0.9, 0.5)}])
    first.grad, second.grad = torch.ones(2), torch.ones(2)
    different.step()
    assert second_moments(different) is None
