"""Critical sharpness of a model along a direction of its parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgewise.curvature import CriticalStep, critical_step
from edgewise.foundation import ParameterSpace, SettingError
from edgewise.watch.live import Autocast, LiveLoss, Weights
from edgewise.watch.sharding import Agreement, local

Direction = Tensor | Mapping[str, Tensor] | Sequence[Tensor]


def critical_sharpness(
    model: nn.Module,
    criterion: Callable[..., Tensor] | None,
    batch: Any,
    direction: Direction,
    *,
    guess: float | int = 1.0,
    rtol: float = 0.05,
    passes: int = 12,
    autocast: Autocast | None = None,
) -> CriticalStep:
    """The critical sharpness of a live model: how far along a direction its loss falls, by forward passes alone.

        η_c = min{η > 0 : L(w + ηd) > L(w)},     λ_c = 2/η_c

    For gradient descent on a quadratic, d = −g, it is gᵀHg/‖g‖². The model is left as it is, bit by bit. All
    processes of a sharded one ask together, each with a batch of its own.

    Args:
        model: any module, in the mode in which its loss is wanted.
        criterion: `criterion(outputs, targets)` → scalar; None for a model that returns its own loss.
        batch: `(inputs, targets)`, or with no criterion a dict of keyword arguments.
        direction: d, one entry for each trainable parameter: a flat vector, a tensor for each, or a dict by name.
        guess: where to begin, such as the present step size.
        rtol: of the step.
        passes: the most forward passes to use.
        autocast: makes the context in which forward passes run.

    Returns:
        `.sharpness` is λ_c, `.bounds` between what it lies, `.step` is η_c.

    Raises:
        ObjectiveError: if the model has no trainable parameter.
        SettingError: if the parts do not fit, or the direction is none.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> data = torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1)
        >>> found = critical_sharpness(layer, nn.MSELoss(), data, -layer.weight.sign())
        >>> weight = layer.weight.abs().item()
        >>> abs(found.sharpness * weight - 1.0) < 0.01  # the loss comes back on the other side, at 2|w|
        True

    References:
        critical2026sharpness
    """
    space = ParameterSpace.of(model)
    parameters = {name: p for name, p in model.named_parameters() if name in space.names}
    live = LiveLoss(model, criterion, batch, parameters, autocast=autocast)
    with live.agreement.together():
        start = live.snapshot()
        steps = _pieces(direction, space, start, live.agreement)
        with live.between(start, [p + d for p, d in zip(start, steps, strict=True)]) as loss:
            present = loss(0.0)
            noise = live.rounding * abs(present)
            found = critical_step(loss, present, guess=guess, rtol=rtol, passes=passes, noise=noise)
    return found


def _pieces(direction: Direction, space: ParameterSpace, like: Weights, agreement: Agreement) -> list[Tensor]:
    """A tensor for each parameter, of the shape, in the precision and on the device of what this process has."""
    if isinstance(direction, Tensor):
        if direction.shape == (space.size,):
            pieces = list(space.unflatten(direction).values())
        elif space.shapes == (tuple(direction.shape),):
            pieces = [direction]
        else:
            raise _misfit(f"a direction of shape {tuple(direction.shape)}", space)
    elif isinstance(direction, Mapping):
        if direction.keys() != set(space.names):
            raise _misfit(f"a direction with the names {', '.join(map(str, direction))}", space)
        pieces = [direction[name] for name in space.names]
    else:
        pieces = list(direction)
    if tuple(tuple(piece.shape) for piece in pieces) != space.shapes:
        raise _misfit(f"a direction of {len(pieces)} tensors", space)
    pieces = [local(piece.detach()).to(own) for piece, own in zip(pieces, like, strict=True)]
    if any(piece.shape != own.shape for piece, own in zip(pieces, like, strict=True)):
        raise SettingError(
            "a direction of whole tensors for a sharded model",
            "each process has its shard of every parameter, and moves that",
            "Give a tensor for each that is sharded as it is, such as -p.grad",
        )
    infinite = agreement.anywhere(not all(bool(torch.isfinite(piece).all()) for piece in pieces))
    if infinite or not agreement.anywhere(any(bool(piece.any()) for piece in pieces)):
        raise SettingError(
            "a direction that is zero or not finite",
            "it points nowhere",
            "Give the negative gradient, or an update",
        )
    return pieces


def _misfit(given: str, space: ParameterSpace) -> SettingError:
    return SettingError(
        given,
        f"the model has {len(space.names)} trainable parameters with {space.size} entries",
        "Give a tensor for each, a dict by their names, or one flat vector",
    )
