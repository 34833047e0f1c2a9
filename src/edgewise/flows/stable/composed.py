"""Drifts made of others: with weight decay, of a part of the gradient, and slice by slice."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from torch import Tensor

from edgewise.curvature import Hessian, Tracker
from edgewise.flows.cost import Cost
from edgewise.flows.stable.drift import Drift, Known, Motion, Seen
from edgewise.foundation import Parameters, Vector
from edgewise.linalg import Function, Identity, Preconditioner
from edgewise.methods import AnyMethod, BlockDiagonal, step_size
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class Decayed(Drift):
    """Another drift with weight decay: that of g + γ w (coupled), or with −γ w beside it (decoupled).

    Attributes:
        inner: the other.
        decay: γ.
        coupled: whether the decay goes through the gradient.
    """

    inner: Drift
    decay: float
    coupled: bool

    @property
    def gradients(self) -> int:
        """Those of the other."""
        return self.inner.gradients

    @property
    def remembers(self) -> bool:
        """Whether the other does."""
        return self.inner.remembers

    def beside(self, size: int) -> int:
        """As many as the other's."""
        return self.inner.beside(size)

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """Those of the other, by its gradient."""
        return self.inner.begin(w, gradient.add(w, alpha=self.decay) if self.coupled else gradient)

    def measure(self, point: Point, step: int, known: Known) -> tuple[Known, Cost]:
        """What the other measures."""
        return self.inner.measure(point, step, known)

    def after(self, step: int, known: Known) -> Drift:
        """Around what the other then is."""
        return replace(self, inner=self.inner.after(step, known))

    def look(self, objective: Objective, point: Point) -> Parameters:
        """What the other looks at."""
        return self.inner.look(objective, point)

    def preconditioner(self, seen: Seen) -> Preconditioner | None:
        """That of the other, for the gradient that it is given."""
        return self.inner.preconditioner(self._given(seen))

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """That of the other: coupled decay is not around a method that looks at anything itself."""
        return self.inner.held(state, point, gradient, moments)

    def at(self, seen: Seen) -> Motion:
        """The other one's, by g + γ w, or with γ w taken off the velocity and γ added to the rate."""
        motion = self.inner.at(self._given(seen))
        if self.coupled:
            return motion
        velocity, rate = motion.velocity.clone(), motion.rate
        velocity[: seen.w.shape[0]].add_(seen.w, alpha=-self.decay)
        return replace(motion, velocity=velocity, rate=lambda S: rate(S) + self.decay)

    def _given(self, seen: Seen) -> Seen:
        if not self.coupled:
            return seen
        return replace(seen, gradient=seen.gradient.add(seen.w, alpha=self.decay), shift=seen.shift + self.decay)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Drift):
    """The drift of a method that is shown a part of its gradient only.

        g ← Π g,    Π = U Uᵀ or I − U Uᵀ,    U the top k eigenvectors of H

    U is measured where the flow is as often as the method does where it is, and rests in between.

    Attributes:
        inner: the drift of the method.
        k: the dimension of the dominant subspace.
        bulk: whether what is shown is the rest.
        every: steps between measurements.
        rtol: bound of the error of each eigenvalue, relative to the largest.
        seed: of the random directions.
        subspace: U, from the first measurement on.
    """

    inner: Drift
    k: int
    bulk: bool
    every: int
    rtol: float
    seed: int
    subspace: Tensor | None = field(default=None, compare=False)

    @property
    def gradients(self) -> int:
        """Those of the other."""
        return self.inner.gradients

    @property
    def remembers(self) -> bool:
        """Whether the other does."""
        return self.inner.remembers

    def beside(self, size: int) -> int:
        """As many as the other's."""
        return self.inner.beside(size)

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """Those of the other, by the gradient that it is shown."""
        return self.inner.begin(w, gradient)

    def measure(self, point: Point, step: int, known: Known) -> tuple[Known, Cost]:
        """U, where that is due, and what the other measures."""
        if known and step % self.every:
            first, cost = known[0], Cost()
        else:
            # Nothing leads from exact eigenvectors to one that rises beside them: every reading looks for it.
            tracker = Tracker(k=self.k, rtol=self.rtol, refresh=1)
            pairs, first = tracker.read(Hessian.at(point), known[0] if known else tracker.init(self.seed))
            cost = Cost(gradients=1, products=pairs.products)
        rest, paid = self.inner.measure(point, step, known[1:])
        return (first, *rest), cost + paid

    def after(self, step: int, known: Known) -> Drift:
        """With U as it was last measured."""
        subspace = known[0].blocks[0][:, : self.k]
        return replace(self, inner=self.inner.after(step, known[1:]), subspace=subspace)

    def look(self, objective: Objective, point: Point) -> Parameters:
        """The part of what the other looks at."""
        return self._part(self.inner.look(objective, point))

    def preconditioner(self, seen: Seen) -> Preconditioner | None:
        """That of the other, for the gradient that it is shown."""
        return self.inner.preconditioner(replace(seen, gradient=self._part(seen.gradient)))

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """With that of the other, for the gradient that it is shown."""
        inner = self.inner.held(state.method, point, lambda: self._part(gradient()), moments)
        return replace(state, method=inner)

    def at(self, seen: Seen) -> Motion:
        """The other one's; Π commutes with H, so that what moves sees Π H Π."""
        motion, w = self.inner.at(seen), seen.w
        # Around another projection: both are on eigenvectors of H, and commute.
        within = motion.within
        shown = (lambda v: self._part(within @ v)) if within is not None else self._part
        return replace(motion, within=Function(shown, w.shape[0], w.dtype, w.device))

    def _part(self, gradient: Tensor) -> Tensor:
        U = self.subspace
        assert U is not None
        dominant = U @ (U.T @ gradient)
        return gradient - dominant if self.bulk else dominant


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Groups(Drift):
    """Slices of the parameters, each with a drift of its own, in the time of the first.

        dw_g/dτ = r_g × the drift of group g in its own time τ_g = r_g τ,    r_g = η_g/η₁

    Attributes:
        methods: of the groups.
        drifts: of the groups.
        sizes: how many parameters each group has.
        ratios: r_g at the present step.
        step: the number of the present step.
    """

    methods: tuple[AnyMethod, ...]
    drifts: tuple[Drift, ...]
    sizes: tuple[int, ...]
    ratios: tuple[float, ...]
    step: int = field(default=0, compare=False)

    @property
    def remembers(self) -> bool:
        """Whether one of them does."""
        return any(drift.remembers for drift in self.drifts)

    def beside(self, size: int) -> int:
        """All of theirs."""
        return sum(self._beside)

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """One after the other."""
        parts = zip(self.drifts, w.split(self.sizes), gradient.split(self.sizes), strict=True)
        return torch.cat([drift.begin(part, g) for drift, part, g in parts])

    def after(self, step: int, known: Known) -> Drift:
        """With what each then is, and the ratios of the step sizes at that step."""
        # Every group looks at the full gradient: none of them measures anything.
        drifts = tuple(drift.after(step, known) for drift in self.drifts)
        return replace(self, drifts=drifts, ratios=ratios_at(self.methods, step), step=step)

    def preconditioner(self, seen: Seen) -> Preconditioner | None:
        """diag(P_g Λ_g/Λ₁) with the critical curvatures Λ of the groups: the metric of their common edge.

        Where a group is stable at no curvature there is none, and Λ_g/Λ₁ is taken as 1/r_g, as it is for groups
        that differ in their step size only.
        """
        blocks, edges = [], []
        for method, (drift, own) in zip(self.methods, self._parts(seen), strict=True):
            blocks.append(drift.preconditioner(own))
            # None of them sees anything but its gradient: there is nothing to be held.
            edges.append(method.critical_curvature_at(method.settled(own.w, self.step)))
        stable = all(edge > 0.0 for edge in edges)
        factors = [edge / edges[0] for edge in edges] if stable else [1.0 / ratio for ratio in self.ratios]
        return self._metric(seen, blocks, factors)

    def at(self, seen: Seen) -> Motion:
        """Each with its slice of the gradient; diag(r_g M_g⁻¹) H behind them."""
        motions = [drift.at(own) for drift, own in self._parts(seen)]
        scaled = [ratio * motion.velocity for ratio, motion in zip(self.ratios, motions, strict=True)]
        moving = [velocity[:size] for velocity, size in zip(scaled, self.sizes, strict=True)]
        besides = [velocity[size:] for velocity, size in zip(scaled, self.sizes, strict=True)]
        rates = [(ratio, motion.rate) for ratio, motion in zip(self.ratios, motions, strict=True)]
        return Motion(
            velocity=torch.cat([*moving, *besides]),
            metric=self._metric(seen, [motion.metric for motion in motions], [1.0 / r for r in self.ratios]),
            rate=lambda S: max(ratio * rate(S / ratio) for ratio, rate in rates),
        )

    @property
    def _beside(self) -> list[int]:
        return [drift.beside(size) for drift, size in zip(self.drifts, self.sizes, strict=True)]

    def _parts(self, seen: Seen) -> Iterator[tuple[Drift, Seen]]:
        ws, gradients = seen.w.split(self.sizes), seen.gradient.split(self.sizes)
        each = zip(self.drifts, ws, gradients, seen.moments.split(self._beside), self.ratios, strict=True)
        for drift, w, gradient, moments, ratio in each:
            yield drift, replace(seen, w=w, gradient=gradient, moments=moments, eta=ratio * seen.eta)

    def _metric(
        self, seen: Seen, blocks: list[Preconditioner | None], factors: list[float]
    ) -> Preconditioner | None:
        if set(factors) == {1.0} and all(block is None for block in blocks):
            return None
        found = [
            Identity(size, seen.w.dtype, seen.w.device) if block is None else block
            for block, size in zip(blocks, self.sizes, strict=True)
        ]
        return BlockDiagonal(found, factors)


def ratios_at(methods: tuple[AnyMethod, ...], step: int) -> tuple[float, ...]:
    """The step sizes of methods at a step, in units of that of the first."""
    rates = [step_size(method.lr, step) for method in methods]
    return tuple(rate / rates[0] for rate in rates)
