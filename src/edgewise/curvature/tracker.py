"""Following the largest eigenvalues of a matrix that changes a little at a time.

The eigenvalue's error is quadratic in the eigenvector's, so yesterday's vectors are nearly today's answer:
one product a pair, and more only where the error bound asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import SettingError, generator
from edgewise.linalg import BlockKrylov, Eigenpairs, Lanczos, Operator, align


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackerState:
    """What the tracker carries from one reading to the next.

    Attributes:
        blocks: Ritz vectors of the last `lag` readings, latest first; as columns the followed ones, then the
            guards.
        reaches: what the rest of the spectrum lay below when its guards were last measured, one a block.
        followed: how many are followed.
        readings: how many readings were taken.
        seed: of the fresh directions.
    """

    blocks: tuple[Tensor, ...]
    reaches: tuple[float | None, ...]
    followed: int
    readings: int
    seed: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """The top eigenpairs of a sequence of nearby operators, from a warm start.

    Each reading applies the operator to earlier Ritz vectors, and spends more only while a bound is above `rtol`:
    first on the guards, which follow the largest eigenvalues after the wanted ones, then on residuals. A
    direction that was not followed can overtake those that are: the guards see it coming once they contain
    any of it, so they are measured every `guard_every` readings even where no bound asks for it. Nothing leads
    from an exact eigenvector to a direction that rises beside it, so every `refresh` readings a short Lanczos
    run searches from a fresh one.

    Attributes:
        k: how many pairs to follow at least.
        above: follow also every eigenvalue above this fraction of the critical curvature; pairs come and go
            as they cross it. None follows just k.
        rtol: bound of the error of every value, relative to the largest.
        lag: how many readings ago the warm start comes from. At the edge of stability the iterate has period two,
            and so have the eigenvectors: those of two readings ago are a far better start than the last ones.
        guards: columns beyond the followed ones, one product each when measured.
        guard_every: readings between measurements of the guards that no bound asks for.
        refresh: readings between searches from a fresh direction; each costs `BlockKrylov.search` products.
        max_products_per_pair: the most products a reading may spend, per column.

    Example:
        >>> from edgewise.linalg import Diagonal
        >>> tracker = Tracker(k=1)
        >>> state = tracker.init(seed=0)
        >>> for top in (5.0, 5.1, 5.2):
        ...     pairs, state = tracker.read(Diagonal(torch.tensor([1.0, top, 2.0, 0.5])), state)
        >>> round(float(pairs.values[0]), 3)
        5.2
    """

    k: int = 1
    above: float | None = None
    rtol: float = 2e-3
    lag: int = 1
    guards: int = 1
    guard_every: int = 8
    refresh: int = 50
    max_products_per_pair: float = 4.0

    def __post_init__(self) -> None:
        for name, value, least in self._counts:
            if value < least:
                raise SettingError(f"{name}={value}", f"it has to be at least {least}", f"Type {name}={least}")
        if not 0 < self.rtol < 1:
            raise SettingError(f"rtol={self.rtol}", "a relative tolerance lies between 0 and 1", "Type rtol=1e-3")
        if self.above is not None and not self.above > 0:
            raise SettingError(
                f"above={self.above}", "a fraction of the critical curvature is positive", "Type above=0.8"
            )

    @property
    def _counts(self) -> tuple[tuple[str, int, int], ...]:
        every = (("guard_every", self.guard_every, 1), ("refresh", self.refresh, 1))
        return (("k", self.k, 1), ("lag", self.lag, 1), ("guards", self.guards, 0), *every)

    def init(self, seed: int) -> TrackerState:
        """Nothing read yet: the first reading starts cold."""
        return TrackerState(blocks=(), reaches=(), followed=self.k, readings=0, seed=seed)

    def read(
        self,
        operator: Operator,
        state: TrackerState,
        critical_curvature: float | None = None,
        directions: Sequence[Tensor] = (),
    ) -> tuple[Eigenpairs, TrackerState]:
        """The top eigenpairs of `operator`, and the state for the next reading.

        Args:
            operator: near the one of the last reading.
            state: what `init` or the last reading returned.
            critical_curvature: what `above` is a fraction of; needed only with it.
            directions: vectors that a fresh direction is preferably taken from, such as the gradient, which
                grows along whatever becomes unstable.

        Raises:
            SettingError: if `above` is set and no critical curvature is given.
        """
        threshold = self._threshold(critical_curvature)
        before = operator.products
        numbers = generator(state.seed, str(state.readings))
        followed = min(state.followed, operator.size)
        # With a threshold the first pair below it is wanted too: only that shows that no more are above.
        wanted = followed if threshold is None else min(followed + 1, operator.size)
        warm, reach = self._warm(state, wanted)
        if warm is None:
            columns = min(max(wanted, followed + self.guards), operator.size)
            cold = Lanczos().solve(operator, columns, self.rtol, numbers)
            block, pairs = cold.vectors, _first(cold, wanted)
            reach = float((cold.values + cold.residuals)[wanted:].max()) if columns > wanted else None
        else:
            fresh = self._fresh(operator, state, numbers, directions)
            resting = self._guards_rest(state, reach) and threshold is None and fresh is None
            start, reserve = (warm[:, :wanted], warm[:, wanted:]) if resting else (warm, None)
            tracked = self._solver.solve(operator, start, wanted, self.rtol, numbers, reserve, reach, fresh)
            block, pairs, reach = tracked.block, tracked.pairs, tracked.reach
            if block.shape[1] < warm.shape[1]:  # the guards were not needed, and stay as they were
                block = torch.cat([block, warm[:, block.shape[1] :]], 1)

        while threshold is not None and wanted < operator.size and float(pairs.values[-1]) >= threshold:
            block = torch.cat([block, _random(operator, numbers)], 1)
            wanted = min(block.shape[1], operator.size)
            tracked = self._solver.solve(operator, block, wanted, self.rtol, numbers)
            block, pairs, reach = tracked.block, tracked.pairs, tracked.reach
        if threshold is not None:
            followed = min(max(self.k, int((pairs.values >= threshold).sum())), operator.size)
            pairs = _first(pairs, followed)

        if state.blocks:
            pairs = pairs.with_vectors(align(pairs.vectors, state.blocks[0]))
        kept = max(self.guards, int(threshold is not None))
        block = torch.cat([pairs.vectors, block[:, followed : followed + kept]], 1)
        pairs = replace(pairs, products=operator.products - before)
        after = TrackerState(
            blocks=(block, *state.blocks)[: self.lag],
            reaches=(reach, *state.reaches)[: self.lag],
            followed=followed,
            readings=state.readings + 1,
            seed=state.seed,
        )
        return pairs, after

    @property
    def _solver(self) -> BlockKrylov:
        return BlockKrylov(max_products_per_pair=self.max_products_per_pair)

    def _threshold(self, critical_curvature: float | None) -> float | None:
        if self.above is None:
            return None
        if critical_curvature is None:
            raise SettingError(
                f"above={self.above} and no critical curvature",
                "it is a fraction of it",
                "Give critical_curvature=2 / lr, or follow a fixed number with k",
            )
        return self.above * critical_curvature

    def _warm(self, state: TrackerState, followed: int) -> tuple[Tensor | None, float | None]:
        """The block of `lag` readings ago, or the latest before that which is wide enough."""
        for block, reach in zip(reversed(state.blocks), reversed(state.reaches), strict=True):
            if block.shape[1] >= followed:
                return block, reach
        return None, None

    def _guards_rest(self, state: TrackerState, reach: float | None) -> bool:
        # With a lag the readings form interleaved chains, and the guards of each are measured in turn.
        return reach is not None and state.readings % self.guard_every >= self.lag

    def _fresh(
        self, operator: Operator, state: TrackerState, numbers: torch.Generator, directions: Sequence[Tensor]
    ) -> Tensor | None:
        # With a lag the readings form interleaved chains, and each has to search for itself.
        if state.readings % self.refresh >= self.lag or state.blocks[0].shape[1] >= operator.size:
            return None
        usable = [d for d in directions if bool(torch.isfinite(d).all()) and bool(d.any())]
        turn = state.readings // self.refresh
        # Random directions take their turn: the gradient can be blind to a mode by symmetry.
        choice = turn % (len(usable) + 1)
        return usable[choice] if choice < len(usable) else _random(operator, numbers)[:, 0]


def _first(pairs: Eigenpairs, count: int) -> Eigenpairs:
    return replace(
        pairs,
        values=pairs.values[:count],
        vectors=pairs.vectors[:, :count],
        residuals=pairs.residuals[:count],
        bounds=pairs.bounds[:count],
        converged=pairs.converged[:count],
    )


def _random(operator: Operator, numbers: torch.Generator) -> Tensor:
    column = torch.randn(operator.size, 1, generator=numbers, dtype=operator.dtype)
    return column.to(operator.device)
