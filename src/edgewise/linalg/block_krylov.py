"""Block Krylov from a warm start: the next answer from the last one, for a product or two a pair."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.foundation import Block, SettingError, Vector
from edgewise.linalg.krylov import KrylovBasis, check_block, check_request
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Eigenpairs


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """The wanted pairs, and what the next warm start is given.

    Attributes:
        pairs: the k wanted eigenpairs.
        block: the leading Ritz vectors, as many as the start block had: the wanted ones, then the guards.
        ritz_values: the Ritz values of the columns of `block`, descending.
        reach: what the eigenvalues after the wanted ones are taken to lie below; None without guards.
    """

    pairs: Eigenpairs
    block: Float[Tensor, "size block"]
    ritz_values: Float[Tensor, "block"]
    reach: float | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKrylov:
    """Rayleigh–Ritz on a warm block, widened along its residuals until the bounds are met.

    The operator is applied to the block, one product a column. A Ritz value's error is quadratic in its
    vector's, so after a small change of the operator that alone is often good to the tolerance. Where the
    bounds say otherwise the subspace is widened, one product at a time, by the direction that holds most
    of the unfinished residuals: Davidson's method without a preconditioner, which from a warm block is
    block Krylov with the products spent where they are needed (davidson1975iterative).

    Columns beyond the k wanted are *guards*. Each costs one product too, and is already there when an
    eigenvalue of lower rank overtakes. Where an earlier answer has measured how far the rest of the spectrum
    reaches, the guards can be held in *reserve*: they join, and cost, only if a product more does not meet
    the bounds without them.

    A warm block can still miss an eigenvalue that rose from elsewhere, since nothing in it leads there. Whoever
    tracks for long gives a *fresh* direction now and then, from which a short Lanczos run searches.

    Attributes:
        max_products_per_pair: products allowed, per column of the block.
        search: products of a search from a fresh direction, beside those.

    References:
        davidson1975iterative
    """

    max_products_per_pair: float | int = 4
    search: int = 6

    def solve(
        self,
        operator: Operator,
        block: Block,
        k: int,
        rtol: float,
        generator: torch.Generator | None = None,
        reserve: Float[Tensor, "size guards"] | None = None,
        reach: float | None = None,
        fresh: Vector | None = None,
    ) -> Tracked:
        """The `k` largest algebraic eigenpairs of `operator` reachable from `block`.

        Args:
            operator: A.
            block: at least k columns near the wanted eigenvectors; they need not be orthonormal, and
                dependent ones are dropped.
            k: how many pairs are wanted.
            rtol: bound of the error, relative to the largest wanted |value|.
            generator: draws directions to replace dropped columns; None uses a fixed seed.
            reserve: guards that join if the bounds are not met without them by one product more.
            reach: what the eigenvalues after the wanted ones lie below, as an earlier `Tracked.reach` says; used
                until a guard has joined.
            fresh: where to search for eigenvalues that the block may have missed; None does not search.

        Raises:
            SettingError: if an argument does not fit, or a product is not finite.
        """
        check_request(operator, k, rtol)
        check_block(operator, block, k)
        if not self.max_products_per_pair >= 1:
            raise SettingError(
                f"BlockKrylov(max_products_per_pair={self.max_products_per_pair})",
                "every column of the block takes at least one product",
                "Type BlockKrylov(max_products_per_pair=4)",
            )
        waiting = [] if reserve is None else list(reserve.T)
        columns = block.shape[1]
        searched = 0 if fresh is None else self.search
        allowed = math.floor(self.max_products_per_pair * (columns + len(waiting)))
        budget = min(allowed + searched, operator.size)
        generator = generator or torch.Generator().manual_seed(0)
        basis = KrylovBasis(operator, block, capacity=budget)

        for run in range(searched):
            if run == 0 and fresh is not None:
                basis.close_toward(fresh)
            elif bool(basis.lead.any()):
                basis.close(basis.lead)

        known = reach
        ritz = basis.ritz(k, rtol, columns - k, known)
        while basis.products < budget and (basis.closed < k or bool(ritz.unfinished.any())):
            # The first product beyond the block goes to the residuals: it improves what is wanted, where a guard
            # only tells how far the rest reaches.
            if waiting and basis.products > columns + searched:
                for guard in waiting:
                    basis.close_toward(guard)
                columns, waiting, known = columns + len(waiting), [], None
            elif bool(ritz.unfinished.any()) and basis.open:
                basis.close(ritz.residual_direction)
            else:
                basis.close_random(generator)
            ritz = basis.ritz(k, rtol, columns - k, known)

        kept = min(columns, basis.closed)
        vectors = basis.vectors(ritz, kept)
        pairs = basis.eigenpairs(ritz, vectors[:, :k])
        reaches = ritz.values[k:kept] + ritz.outside[:, k:kept].norm(dim=0)
        return Tracked(
            pairs=pairs,
            block=vectors,
            ritz_values=ritz.values[:kept].to(vectors),
            reach=float(reaches.max()) if kept > k else known,
        )
