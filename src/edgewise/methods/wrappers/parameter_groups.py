"""Parameter groups: a method for each part of the parameters, with one edge for all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.foundation import Parameters, ParameterSpace, SettingError
from edgewise.linalg import Diagonal, Identity, Operator, Preconditioner
from edgewise.methods.descent import SGD
from edgewise.methods.method import AnyMethod, Method, require_method
from edgewise.methods.requirements import require_count, shown
from edgewise.methods.schedules import Schedule, require_step_size
from edgewise.methods.wrappers.block_diagonal import BlockDiagonal, Blocks
from edgewise.methods.wrappers.weight_decay import DecoupledWeightDecay, WeightDecay


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class ParameterGroupsState:
    """What a composite of methods carries.

    Attributes:
        step: the number of steps taken.
        groups: the state of each method.
    """

    step: int
    groups: tuple[Any, ...]


@final
@dataclass(frozen=True, slots=True)
class ParameterGroups(Method[ParameterGroupsState]):
    """Consecutive slices of the parameters, each with a method of its own: the param groups of `torch.optim`.

        w = (w₁, w₂, …),    w_g' = w_g − η_g P_g⁻¹ m_g    with method g on its part of ∇L(w)

    A mode of the whole Hessian lies in several groups, so their edges are one. At the edge it flips its sign at
    every step, z = −1, where the recursion of method g says (H w)_g = Λ_g P_g w_g with its own critical curvature
    Λ_g: stability is lost where H reaches the metric diag(Λ_g P_g). The preconditioner of the composite is
    therefore diag(P_g Λ_g/Λ₁), and its critical curvature is Λ₁, that of the first group. For groups that
    differ in step size only, Λ_g/Λ₁ = η₁/η_g. (No mode leaves through another z on the unit circle: there the
    recursions of all methods here have imaginary parts of one sign, which no real Hessian balances.) What a group
    adds to the Hessian it adds to its own block: `WeightDecay` around a method with a preconditioner γ_g I.

    Args:
        methods: one for each group; all look at the full gradient at w.
        sizes: how many parameters each group has, in the order of w.

    Raises:
        SettingError: if there is no group, a size is missing or below one, or a method looks elsewhere than
            at the full gradient.

    Example:
        >>> from edgewise.methods import GradientDescent
        >>> groups = ParameterGroups((GradientDescent(0.1), GradientDescent(0.2)), sizes=(1, 1))
        >>> w = torch.ones(2)
        >>> groups.critical_curvature, (groups.preconditioner(w, w, groups.init(w)) @ w).tolist()
        (20.0, [1.0, 0.5])

    References:
        cohen2022adaptive
    """

    methods: tuple[AnyMethod, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        inside = "(GradientDescent(0.1), GradientDescent(0.2)), sizes=(24, 8)"
        fix = f"Type ParameterGroups({inside})"
        for name, given in (("methods", self.methods), ("sizes", self.sizes)):
            if not isinstance(given, tuple):
                raise SettingError(
                    f"{name}={shown(given)}", "it takes a tuple, with an entry for every group", fix
                )
        why = "every group has a method and at least one parameter"
        if not self.methods or len(self.methods) != len(self.sizes):
            raise SettingError(f"{len(self.methods)} methods and sizes={shown(self.sizes)}", why, fix)
        for place, (method, size) in enumerate(zip(self.methods, self.sizes, strict=True)):
            require_count(f"sizes[{place}]", size, 1, why, fix)
            require_method("ParameterGroups", method, inside)
            if not _looks_at_the_full_gradient(method):
                raise SettingError(
                    f"a group with {type(method).__name__}",
                    "all groups step by one full gradient at w, and it looks at something else",
                    f"Give {type(method).__name__} all parameters, or the group another method",
                )

    @property
    def lr(self) -> float | Schedule:  # type: ignore[override]
        """The step size η of the first group, in which the clock counts."""
        return self.methods[0].lr

    def on(self, space: ParameterSpace | None) -> "ParameterGroups":
        """Each method on the names and shapes of its group.

        Raises:
            SettingError: if a group ends inside a tensor.
        """
        if space is None:
            return self
        ends = np.cumsum(space.lengths).tolist()
        cuts = np.cumsum(self.sizes).tolist()
        if not set(cuts) <= set(ends) or cuts[-1] != ends[-1]:
            raise SettingError(
                f"groups of sizes {self.sizes}",
                f"a group is made of whole tensors, and those have {', '.join(map(str, space.lengths))} entries",
                "Type sizes that are sums of these, in order",
            )
        places = [0, *(ends.index(cut) + 1 for cut in cuts)]
        spaces = [ParameterSpace(space.names[a:b], space.shapes[a:b]) for a, b in pairwise(places)]
        return replace(self, methods=tuple(m.on(part) for m, part in zip(self.methods, spaces, strict=True)))

    def init(self, w: Parameters) -> ParameterGroupsState:
        """Every group before its first step.

        Raises:
            SettingError: if the groups do not add up to w.
        """
        if sum(self.sizes) != w.shape[0]:
            raise SettingError(
                f"groups of sizes {self.sizes} and {w.shape[0]} parameters",
                f"the groups have {sum(self.sizes)} together",
                "Type sizes that add up to objective.size",
            )
        parts = zip(self.methods, w.split(self.sizes), strict=True)
        return ParameterGroupsState(step=0, groups=tuple(method.init(part) for method, part in parts))

    def settled(self, w: Parameters, step: int) -> ParameterGroupsState:
        """Every group's."""
        parts = zip(self.methods, w.split(self.sizes), strict=True)
        return ParameterGroupsState(step=step, groups=tuple(method.settled(part, step) for method, part in parts))

    def step(
        self, w: Parameters, gradient: Parameters, state: ParameterGroupsState
    ) -> tuple[Parameters, ParameterGroupsState]:
        """Every group steps by its part of the gradient."""
        stepped = [method.step(part, g, own) for method, part, g, own in self._parts(w, gradient, state)]
        groups = tuple(own for _, own in stepped)
        return torch.cat([part for part, _ in stepped]), ParameterGroupsState(step=state.step + 1, groups=groups)

    def step_size_at(self, state: ParameterGroupsState) -> float:
        """η of the first group's coming step."""
        return self.methods[0].step_size_at(state.groups[0])

    def preconditioner(self, w: Parameters, gradient: Parameters, state: ParameterGroupsState) -> Preconditioner:
        """diag(P_g Λ_g/Λ₁)."""
        blocks = [method.preconditioner(part, g, own) for method, part, g, own in self._parts(w, gradient, state)]
        factors = self._relative_edges(state)
        if all(isinstance(block, Identity) for block in blocks) and set(factors) == {1.0}:
            return Identity(w.shape[0], w.dtype, w.device)
        return BlockDiagonal(blocks, factors)

    def seen(self, hessian: Operator) -> Operator:
        """H + diag(…), with what each group adds to its own block."""
        nothing = [Diagonal(torch.zeros(size, dtype=hessian.dtype, device=hessian.device)) for size in self.sizes]
        added = [method.seen(block) for method, block in zip(self.methods, nothing, strict=True)]
        unchanged = all(one is other for one, other in zip(added, nothing, strict=True))
        return hessian if unchanged else hessian + Blocks(added)

    def companion(self, curvature: float, state: ParameterGroupsState | None = None) -> NDArray[np.float64]:
        """The first group's, in the metric of the composite, if all groups agree on it.

        Raises:
            SettingError: if the groups step by different recursions.
        """
        states: Sequence[Any] = [None] * len(self.methods) if state is None else state.groups
        factors = self._relative_edges(state)

        def companions(at: float) -> list[NDArray[np.float64]]:
            each = zip(self.methods, factors, states, strict=True)
            return [method.companion(at * factor, own) for method, factor, own in each]

        # Every companion matrix here is affine in the curvature: two of them say it all.
        for at in (0.0, self.critical_curvature_at(state) if state is not None else self._edges(None)[0]):
            first, *others = companions(at)
            if not all(other.shape == first.shape and np.allclose(other, first, rtol=1e-12) for other in others):
                raise SettingError(
                    "a companion matrix of groups that step by different recursions",
                    "a mode that lies in several of them obeys none of their companion matrices",
                    "Ask each with groups.methods[i].companion(curvature); the critical curvature is that of all",
                )
        return companions(curvature)[0]

    @property
    def critical_curvature(self) -> float | Callable[[ParameterGroupsState], float]:
        """Λ₁, in the metric of the composite."""
        critical = self.methods[0].critical_curvature
        return (lambda state: critical(state.groups[0])) if callable(critical) else critical

    @property
    def critical_formula(self) -> str:
        """That of the first group."""
        return self.methods[0].critical_formula

    def with_step_size(self, lr: float) -> "ParameterGroups":
        """The first group at this step size, the others in proportion.

        Raises:
            SettingError: if `lr` is no step size; or if the step sizes follow different schedules, and so are in
                no fixed proportion.
        """
        require_step_size("lr", lr)
        rates = [method.lr for method in self.methods]
        if all(rate == rates[0] for rate in rates):
            return replace(self, methods=tuple(method.with_step_size(lr) for method in self.methods))
        numbers = [rate for rate in rates if not isinstance(rate, Schedule)]
        if len(numbers) < len(rates):
            raise SettingError(
                f"lr={lr} for groups whose step sizes follow schedules of their own",
                "they are in no fixed proportion to each other",
                "Give every group the same schedule, or a number",
            )
        scaled = [
            method.with_step_size(lr * (rate / numbers[0]))
            for method, rate in zip(self.methods, numbers, strict=True)
        ]
        return replace(self, methods=tuple(scaled))

    def _parts(
        self, w: Parameters, gradient: Parameters, state: ParameterGroupsState
    ) -> Iterator[tuple[AnyMethod, Parameters, Parameters, Any]]:
        return zip(self.methods, w.split(self.sizes), gradient.split(self.sizes), state.groups, strict=True)

    def _edges(self, state: ParameterGroupsState | None) -> list[float]:
        """Λ_g of every group."""
        if state is not None:
            return [m.critical_curvature_at(own) for m, own in zip(self.methods, state.groups, strict=True)]
        edges = [method.critical_curvature for method in self.methods]
        known = [edge for edge in edges if not callable(edge)]
        if len(known) < len(edges):
            raise SettingError(
                "groups whose critical curvature depends on the state, and no state",
                "a schedule, or what was seen of the gradient, decides on it",
                "Give the state, as in method.companion(curvature, state)",
            )
        return known

    def _relative_edges(self, state: ParameterGroupsState | None) -> list[float]:
        """Λ_g/Λ₁ of every group."""
        return relative_edges(self._edges(state))


def relative_edges(edges: Sequence[float]) -> list[float]:
    """Λ_g/Λ₁ of groups with these critical curvatures Λ_g.

    Raises:
        SettingError: if one of them is zero.
    """
    if not all(edge > 0 for edge in edges):
        raise SettingError(
            f"groups with the critical curvatures {', '.join(f'{edge:.3g}' for edge in edges)}",
            "one that is stable at no curvature has no metric in common with the others",
            "Lower its step size or its weight decay",
        )
    return [edge / edges[0] for edge in edges]


def _looks_at_the_full_gradient(method: AnyMethod) -> bool:
    if isinstance(method, WeightDecay | DecoupledWeightDecay):
        return _looks_at_the_full_gradient(method.method)
    return method.batch_size is None if isinstance(method, SGD) else type(method).look is Method.look
