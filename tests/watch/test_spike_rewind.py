"""Updates taken back from the optimiser's state, against copies of the weights."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.foundation import generator
from edgewise.watch.spikes import rewind

Make = Callable[[Sequence[Tensor]], Optimizer]


def trained(
    make: Make, dtype: torch.dtype, steps: int = 12, lr: float | None = None
) -> tuple[Optimizer, list[list[Tensor]]]:
    """An optimiser after some steps on random gradients, and the weights before each step and after the last."""
    numbers = generator(0, "rewind")
    parameters = [nn.Parameter(torch.randn(shape, generator=numbers).to(dtype)) for shape in ((4, 3), (5,))]
    optimizer = make(parameters)
    path = []
    for step in range(steps):
        path.append([p.detach().clone() for p in parameters])
        if lr is not None and step == steps - 1:
            optimizer.param_groups[0]["lr"] = lr
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=numbers).to(dtype)
        optimizer.step()
    path.append([p.detach().clone() for p in parameters])
    return optimizer, path


TWO_BACK: dict[str, Make] = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "momentum, damped, decayed": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.8, dampening=0.5, weight_decay=0.1
    ),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "Adam, decayed": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}
ONE_BACK: dict[str, Make] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD, decayed": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
}


# Two steps back divide rounding by β1 μ at worst twice, of weights of size one: a few eps.
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
@pytest.mark.parametrize("name", [*TWO_BACK, *ONE_BACK])
def test_updates_are_taken_back(name: str, dtype: torch.dtype, atol: float) -> None:
    optimizer, path = trained((TWO_BACK | ONE_BACK)[name], dtype)
    new, old = rewind(optimizer, optimizer.param_groups[0]["params"])
    assert new is not None
    for mine, kept in zip(new, path[-2], strict=True):
        assert torch.allclose(mine, kept, rtol=0, atol=atol) and mine.dtype == dtype
    assert (old is None) == (name in ONE_BACK)
    if old is not None:
        for mine, kept in zip(old, path[-3], strict=True):
            assert torch.allclose(mine, kept, rtol=0, atol=atol)


def test_a_step_size_that_changed_between() -> None:
    optimizer, path = trained(TWO_BACK["Adam"], torch.float64, lr=0.5)
    _, old = rewind(optimizer, optimizer.param_groups[0]["params"], lr_before=0.01)
    assert old is not None
    assert all(torch.allclose(mine, kept, rtol=0, atol=1e-13) for mine, kept in zip(old, path[-3], strict=True))


@pytest.mark.parametrize("to_none", [True, False])
def test_without_gradients_one_step_at_most(to_none: bool) -> None:
    for name, known in (("Adam", True), ("momentum", True), ("SGD", False), ("Nesterov", False)):
        optimizer, _ = trained((TWO_BACK | ONE_BACK)[name], torch.float64)
        optimizer.zero_grad(set_to_none=to_none)
        new, old = rewind(optimizer, optimizer.param_groups[0]["params"])
        assert (new is not None, old) == (known, None)


@pytest.mark.parametrize(
    "make",
    [
        torch.optim.RMSprop,
        lambda p: torch.optim.Adam(p, amsgrad=True),
        lambda p: torch.optim.SGD(p, lr=0.1, maximize=True),
    ],
    ids=["RMSprop", "amsgrad", "maximize"],
)
def test_what_cannot_be_taken_back_is_not(make: Make) -> None:
    optimizer, _ = trained(make, torch.float64)
    assert rewind(optimizer, optimizer.param_groups[0]["params"]) == (None, None)


def test_nothing_before_the_first_step() -> None:
    optimizer, path = trained(TWO_BACK["Adam"], torch.float64, steps=1)
    new, old = rewind(optimizer, optimizer.param_groups[0]["params"])
    assert new is not None and torch.allclose(new[0], path[0][0], rtol=0, atol=1e-14)
    assert old is None
    fresh = TWO_BACK["Adam"]([nn.Parameter(torch.ones(2))])
    assert rewind(fresh, fresh.param_groups[0]["params"]) == (None, None)
    assert rewind(fresh, [nn.Parameter(torch.ones(2))]) == (None, None)


def test_gradients_that_the_optimiser_did_not_see_take_nothing_back() -> None:
    """Scaled by 2¹⁶ they would be larger than all that the second moments remember."""
    optimizer, _ = trained(TWO_BACK["Adam"], torch.float32)
    for p in optimizer.param_groups[0]["params"]:
        p.grad *= 2.0**16
    new, old = rewind(optimizer, optimizer.param_groups[0]["params"])
    assert new is not None and old is None


def test_nothing_is_changed() -> None:
    optimizer, path = trained(TWO_BACK["AdamW"], torch.float32)
    before = [v.clone() for state in optimizer.state.values() for v in state.values()]
    rewind(optimizer, optimizer.param_groups[0]["params"])
    assert all(torch.equal(a, b) for a, b in zip(optimizer.param_groups[0]["params"], path[-1], strict=True))
    after = [v for state in optimizer.state.values() for v in state.values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
