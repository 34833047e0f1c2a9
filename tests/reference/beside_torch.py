"""A method beside the optimiser of PyTorch that it is said to equal, and what every step owes its inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from edgewise.foundation import JSON, decode, encode
from edgewise.methods import Method


def wavy_gradient(w: Tensor) -> Tensor:
    """The gradient of Σ w⁴/4 − cos w."""
    return w**3 + torch.sin(w)


def start(size: int, dtype: torch.dtype) -> Tensor:
    return torch.linspace(-1.5, 1.4, size, dtype=dtype)


def assert_equals_torch(
    method: Method[Any],
    optimizer: Callable[[list[Tensor]], torch.optim.Optimizer],
    dtype: torch.dtype,
    shapes: Sequence[tuple[int, ...]] = ((37,),),
    steps: int = 100,
) -> None:
    """Both take the same steps to the last bit, with the gradient each has at its own point."""
    lengths = [int(torch.tensor(shape).prod()) for shape in shapes]
    w = start(sum(lengths), dtype)
    theirs = [
        piece.reshape(shape).clone().requires_grad_()
        for piece, shape in zip(w.split(lengths), shapes, strict=True)
    ]
    other, state = optimizer(theirs), method.init(w)
    for t in range(steps):
        for tensor in theirs:
            tensor.grad = wavy_gradient(tensor.detach())
        other.step()
        w, state = method.step(w, wavy_gradient(w), state)
        assert torch.equal(w, torch.cat([tensor.detach().reshape(-1) for tensor in theirs])), t
    assert state.step == steps


def tensors_of(state: Any) -> dict[str, Tensor]:
    """Every tensor in a state, by its path."""
    found: dict[str, Tensor] = {}
    encode(state, found)
    return found


def assert_a_step_leaves_its_inputs_unchanged(method: Method[Any], size: int = 12) -> None:
    w, g = start(size, torch.float32), torch.linspace(1, 2, size)
    _, state = method.step(w, g, method.init(w))
    inputs = [w, g, *tensors_of(state).values()]
    before, numbers = [tensor.clone() for tensor in inputs], _numbers(state)
    method.preconditioner(w, g, state)
    stepped, after = method.step(w, g, state)
    for now, then in zip(inputs, before, strict=True):
        assert torch.equal(now, then)
    assert _numbers(state) == numbers
    outputs = [stepped, *tensors_of(after).values()]
    assert not {w.data_ptr(), g.data_ptr()} & {t.data_ptr() for t in outputs}
    assert len({t.data_ptr() for t in outputs}) == len(outputs)


def assert_goes_on_from_what_was_stored(method: Method[Any], size: int = 12) -> None:
    """Method and state are written down and read back, and the next steps have the same bits."""
    assert decode(encode(method)) == method
    w = start(size, torch.float32)
    state = method.init(w)
    for _ in range(3):
        w, state = method.step(w, wavy_gradient(w), state)
    tensors: dict[str, Tensor] = {}
    tree = encode(state, tensors)
    copy, read = w.clone(), decode(tree, {name: tensor.clone() for name, tensor in tensors.items()})
    for _ in range(3):
        w, state = method.step(w, wavy_gradient(w), state)
        copy, read = method.step(copy, wavy_gradient(copy), read)
        assert torch.equal(w, copy)
    assert _numbers(state) == _numbers(read)


def _numbers(state: Any) -> JSON:
    """Everything in a state but its tensors."""
    return encode(state, {})
