"""Where an optimiser of PyTorch that is at work loses stability, whatever its gradients are.

`from_torch` reads a method that goes on as the optimiser would, and refuses what it could not go on with. To say
at which curvature the coming step is unstable takes less: the settings, and the second moments as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from math import inf
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.foundation import SettingError, Vector
from edgewise.linalg import Diagonal, Identity, Operator, PositiveDiagonal, Preconditioner
from edgewise.methods.adaptive import Adagrad, Adam, AdamW, NAdam
from edgewise.methods.mean_square import critical_curvature_in_mean_square
from edgewise.methods.method import AnyMethod
from edgewise.methods.momentum import HeavyBall
from edgewise.methods.orthogonal import Muon
from edgewise.methods.param_groups import (
    Group,
    Kept,
    joined,
    kind_of,
    listed,
    method_of,
    on_tensors,
    state_of,
    steps_taken,
    undecayed,
)
from edgewise.methods.wrappers import BlockDiagonal, WeightDecay
from edgewise.methods.wrappers.parameter_groups import relative_edges


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CriticalLine:
    """Where the coming step of an optimiser loses stability: at which curvature, in which metric.

    The edge ratio is the largest eigenvalue of P^(-1/2) `seen(H)` P^(-1/2) ÷ the critical curvature, with H the
    Hessian by the kept tensors.

    Attributes:
        preconditioner: P, on the kept tensors in order.
        critical_curvature: Λ; infinity where all step sizes are zero.
        in_mean_square: Λ for the curvature of single batches, by the share of it that their mean has; by the
            momentum of the first param group there is.
        formula: the closed form of Λ, that of the same group.
        kept: which of the tensors it is about, by their places among those that were given.
        decay: γ of every kept parameter, where weight decay goes through the gradient and into P; None for none.
        adaptive: whether P is made of gradients; that of SGD is of the settings of its param groups.
    """

    preconditioner: Preconditioner
    critical_curvature: float
    in_mean_square: Callable[[float], float]
    formula: str
    kept: tuple[int, ...]
    decay: Vector | None
    adaptive: bool

    def of_share(self, share: float) -> "CriticalLine":
        """The line where the optimiser is given that share of every gradient, clipped before it steps: Λ/share."""
        return replace(
            self,
            critical_curvature=self.critical_curvature / share,
            in_mean_square=lambda agreement: self.in_mean_square(agreement) / share,
        )

    def seen(self, hessian: Operator) -> Operator:
        """The Hessian of what the optimiser descends: H + diag(γ)."""
        return hessian if self.decay is None else hessian + Diagonal(self.decay)


def line_from_torch(optimizer: Optimizer, parameters: Iterable[Tensor] | None = None) -> CriticalLine:
    """The critical curvature of an optimiser's coming step and its preconditioner, from the state that it is in.

    The gradient of the coming step is not asked for: P is the one of a gradient that leaves it where it is, g² = ν̂
    for the averages ν of Adam, NAdam and RMSprop, g = 0 for the sum of Adagrad, g = m for Muon. The gradient
    that comes changes P by the share (1 − β₂)(g²/ν̂ − 1)/2 or so where it is made of averages, and that of Muon
    altogether.

    Beyond what `from_torch` reads it takes Adam with `amsgrad`, RMSprop `centered` and with `momentum` (heavy ball
    in the metric of P, (2+2β)/η), step sizes of zero, and parameters that differ in how many steps they have
    taken. Not in `kept` are tensors that do not move: those that the optimiser does not have, that want no
    gradient, whose step size is zero while that of others is not, or that have taken no step while others have.

    Several param groups make one line: P = diag(P_g Λ_g/Λ₁) and Λ₁, as for `ParameterGroups`.

    Args:
        optimizer: as for `from_torch`.
        parameters: all that the optimiser moves, and any others, in the order of the Hessian; None takes
            those of the optimiser that want a gradient, in its order.

    Raises:
        SettingError: if it is not known what the optimiser does; if it moves tensors that are not among the
            parameters; or if its preconditioner is made of gradients and it has seen none.

    Example:
        >>> layer = torch.nn.Linear(3, 2)
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.01, momentum=0.9)
        >>> line = line_from_torch(optimizer, [*layer.parameters(), torch.ones(5)])
        >>> round(line.critical_curvature, 6), line.formula, line.kept, line.preconditioner.size
        (380.0, '(2+2μ)/η', (0, 1), 8)

    References:
        cohen2022adaptive
    """
    kind = kind_of(optimizer)
    groups = {id(t): group for group in optimizer.param_groups for t in group["params"] if t.requires_grad}
    tensors = _given(optimizer, groups, parameters)
    taken = {place: _steps(kind, groups[id(t)], optimizer.state.get(t, {})) for place, t in tensors.items()}
    if any(taken.values()):
        tensors = {place: tensor for place, tensor in tensors.items() if taken[place] != 0}
    elif kind is not torch.optim.SGD:
        raise SettingError(
            f"an optimiser of type {type(optimizer).__name__} that has taken no step",
            "its preconditioner is made of the gradients that it has seen",
            "Ask again after the first optimizer.step()",
        )
    blocks = []
    # Neighbours with the same settings and the same past are one block.
    for _, run in groupby(tensors, lambda place: (id(groups[id(tensors[place])]), taken[place])):
        own = [tensors[place] for place in run]
        blocks.append(_block(kind, groups[id(own[0])], own, [optimizer.state.get(t, {}) for t in own]))
    edges = [block.critical_curvature for block in blocks]
    metrics = [block.preconditioner for block in blocks]
    coupled = any(block.decay for block in blocks)
    moves = any(float(groups[id(t)]["lr"]) for t in tensors.values())
    return CriticalLine(
        preconditioner=_composed(metrics, relative_edges(edges)) if len(blocks) > 1 else metrics[0],
        critical_curvature=edges[0] if moves else inf,
        in_mean_square=blocks[0].in_mean_square if moves else lambda agreement: inf,
        formula=blocks[0].formula,
        kept=tuple(tensors),
        decay=torch.cat([torch.full_like(b.like, b.decay) for b in blocks]) if coupled else None,
        adaptive=kind is not torch.optim.SGD,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    """The line of neighbouring tensors, and a vector as long as they are."""

    preconditioner: Preconditioner
    critical_curvature: float
    in_mean_square: Callable[[float], float]
    formula: str
    decay: float
    like: Tensor


def _given(
    optimizer: Optimizer, groups: Mapping[int, Group], parameters: Iterable[Tensor] | None
) -> dict[int, Tensor]:
    """The tensors that the optimiser moves, by their places among the parameters."""
    own = [t for group in optimizer.param_groups for t in group["params"] if t.requires_grad]
    given = own if parameters is None else listed(parameters)
    if not groups.keys() <= {id(t) for t in given} or len({id(t) for t in given}) < len(given):
        raise SettingError(
            f"{len(given)} parameters for an optimiser of {len(groups)}",
            "a mode may lie in all tensors that the optimiser moves, and each is one part of it",
            "Give all trainable parameters that the optimiser has, each once",
        )
    if not groups:
        raise SettingError(
            "an optimiser of tensors none of which wants a gradient",
            "what does not move has no edge",
            "Type requires_grad_(True) on what is to be trained",
        )
    tensors = {place: tensor for place, tensor in enumerate(given) if id(tensor) in groups}
    return {place: t for place, t in tensors.items() if float(groups[id(t)]["lr"])} or tensors


def _steps(kind: type[Optimizer], group: Group, kept: Kept) -> int | None:
    """How many steps a tensor has taken; None where nothing tells, as for SGD without momentum."""
    return None if kind is torch.optim.SGD and not group["momentum"] else steps_taken(kept)


def _block(kind: type[Optimizer], group: Group, tensors: Sequence[Tensor], kept: Sequence[Kept]) -> _Block:
    """The line of tensors of one group with the same number of steps behind them."""
    # A step size of zero has no edge; the metric is that of any other.
    plain = {**group, "amsgrad": False, "centered": False, "lr": float(group["lr"]) or 1.0}
    ball = None
    if kind is torch.optim.RMSprop and group["momentum"]:
        ball, plain["momentum"] = HeavyBall(plain["lr"], float(group["momentum"])), 0
    method = on_tensors(method_of(kind, plain), tensors)
    inner, like = undecayed(method), torch.cat([t.detach().reshape(-1) for t in tensors])
    if kind is torch.optim.SGD:
        state, gradient = None, like
    else:
        state = state_of(method, kept)
        if group.get("amsgrad"):
            state = replace(state, square_average=joined(kept, "max_exp_avg_sq"))
        if group.get("centered"):
            variance = state.square_average - joined(kept, "grad_avg").square()
            state = replace(state, square_average=variance.clamp_min(0.0))
        gradient = _resting(inner, state)
    edge: AnyMethod = method if ball is None else ball
    return _Block(
        preconditioner=inner.preconditioner(like, gradient, state),
        critical_curvature=edge.critical_curvature_at(state),
        in_mean_square=partial(critical_curvature_in_mean_square, edge, state=None if ball else state),
        formula=edge.critical_formula,
        decay=float(method.decay) if isinstance(method, WeightDecay) else 0.0,
        like=like,
    )


def _resting(method: AnyMethod, state: Any) -> Tensor:
    """A gradient that leaves the second moment of this state where it is."""
    match method:
        case Muon():
            average: Tensor = state.average
            return average
        case Adagrad():
            return torch.zeros_like(state.square_sum)
        case Adam() | AdamW() | NAdam():
            # The root of the corrected average, which then is that of the next step too.
            return (state.square_average / (1 - method.betas[1] ** state.step)).sqrt_()
        case _:
            return torch.sqrt(state.square_average)


def _composed(metrics: Sequence[Preconditioner], factors: Sequence[float]) -> Preconditioner:
    """diag(c_g P_g), as one diagonal where all of them are."""
    if set(factors) == {1.0} and all(isinstance(metric, Identity) for metric in metrics):
        return Identity(sum(metric.size for metric in metrics), metrics[0].dtype, metrics[0].device)
    diagonals = [_entries(metric) for metric in metrics]
    known = [entries for entries in diagonals if entries is not None]
    if len(known) < len(metrics):
        return BlockDiagonal(metrics, factors)
    return PositiveDiagonal(torch.cat([c * entries for c, entries in zip(factors, known, strict=True)]))


def _entries(metric: Preconditioner) -> Tensor | None:
    match metric:
        case PositiveDiagonal():
            return metric.entries
        case Identity():
            return torch.ones(metric.size, dtype=metric.dtype, device=metric.device)
        case _:
            return None
