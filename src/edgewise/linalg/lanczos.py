"""Thick-restart Lanczos: the largest algebraic eigenpairs from a cold start."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import Block, SettingError
from edgewise.linalg.krylov import KrylovBasis, check_block, check_request, random_vector
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Eigenpairs


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lanczos:
    """Thick-restart Lanczos with full reorthogonalisation.

    The basis grows by A times its newest direction; when it is full it is replaced by its leading Ritz
    vectors and the open direction (wu2000thick). It stops as soon as every wanted bound is within rtol
    times the largest wanted |value|, a tolerance that does not scale with the dimension.

    A Krylov space holds one vector per eigenspace, so copies of a multiple eigenvalue stay invisible to it.
    The **guard** looks for them: once the wanted pairs have converged, a Lanczos chain of ln(n) + 5 products
    is started from a random vector orthogonal to everything so far, in the same basis. A chain of that
    length sees anything that stands clear of the bulk (kuczynski1992estimating). What rises above the
    smallest wanted value takes its place, converges like the others, and is followed by another chain. A
    random start is itself the first such chain: bounds are believed only after it, and a single pair needs
    no other.

    Attributes:
        basis: how many directions are kept in memory; None takes 3k + 20, at least 40.
        max_products: where it gives up, and says so.
        guard: whether to look for missed copies.

    References:
        wu2000thick, kuczynski1992estimating
    """

    basis: int | None = None
    max_products: int = 1000
    guard: bool = True

    def solve(
        self,
        operator: Operator,
        k: int,
        rtol: float,
        generator: torch.Generator,
        start: Block | None = None,
    ) -> Eigenpairs:
        """The `k` largest algebraic eigenpairs of `operator`.

        Args:
            operator: A.
            k: how many.
            rtol: bound of the error, relative to the largest wanted |value|.
            generator: draws the start and the guard's vectors.
            start: vectors to start from, as columns; None draws one.

        Raises:
            SettingError: if `k`, `rtol`, `start` or the solver's own settings do not fit, or if a product
                is not finite.
        """
        check_request(operator, k, rtol)
        capacity = self._capacity(operator, k)
        chain = math.ceil(math.log(operator.size)) + 5
        if start is None:
            start = random_vector(operator, generator)[:, None]
            guard, probe = self.guard and k > 1, chain - 1
        else:
            check_block(operator, start, k=1)
            guard, probe = self.guard, 0
        basis = KrylovBasis(operator, start, capacity)
        known: Tensor | None = None  # the wanted values before the running chain

        while True:
            ritz = basis.ritz(k, rtol)
            if basis.complete or basis.products >= self.max_products:
                break
            if basis.closed >= capacity:
                basis.restart(ritz, keep=(k + capacity) // 2)
                ritz = basis.ritz(k, rtol)
            short, unfinished = basis.closed < k, bool(ritz.unfinished.any())
            if unfinished:
                basis.close(ritz.residual_direction)
            elif (short or probe) and basis.lead.norm() > ritz.rounding:
                basis.close(basis.lead)
            elif short:
                basis.close_random(generator)
            elif guard and (known is None or bool((ritz.values[:k] > known + ritz.bounds).any())):
                known, probe = ritz.values[:k], chain
                basis.close_random(generator)
            else:
                break
            probe = max(probe - 1, 0)
        return basis.eigenpairs(ritz, basis.vectors(ritz, k))

    def _capacity(self, operator: Operator, k: int) -> int:
        capacity = max(40, 3 * k + 20) if self.basis is None else self.basis
        if capacity < min(k + 2, operator.size):
            raise SettingError(
                f"Lanczos(basis={self.basis}) for k={k} pairs",
                "a restart has to keep the wanted pairs and have room for two directions more",
                f"Type Lanczos(basis={3 * k + 20}), or leave it out",
            )
        if self.max_products < k:
            raise SettingError(
                f"Lanczos(max_products={self.max_products}) for k={k} pairs",
                "every pair takes at least one product",
                f"Type Lanczos(max_products={max(1000, 10 * k)})",
            )
        return min(capacity, operator.size)
