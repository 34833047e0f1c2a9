"""The effective Hessian: the curvature that a preconditioned method sees."""

from typing import final

import torch
from torch import Tensor

from edgewise.foundation import SettingError, Vector
from edgewise.linalg import Diagonal, Operator


@final
class EffectiveHessian(Operator):
    """The effective (preconditioned) Hessian.

        P^(-1/2) H P^(-1/2)

    for the diagonal P by which a method divides the gradient, w' = w − η P⁻¹ ∇L(w). It has the eigenvalues
    of P⁻¹H, of which the largest is the effective sharpness, and is symmetric. A product costs one of H.

    Args:
        hessian: H; any operator, for example a Gauss–Newton matrix, may stand in for it.
        preconditioner: the diagonal of P, all entries positive and finite.

    Raises:
        SettingError: if the preconditioner does not fit H or is not positive.

    Example:
        >>> H = Diagonal(torch.tensor([8.0, 1.0]))
        >>> EffectiveHessian(H, preconditioner=torch.tensor([4.0, 1.0])) @ torch.ones(2)
        tensor([2., 1.])

    References:
        cohen2022adaptive
    """

    def __init__(self, hessian: Operator, preconditioner: Vector) -> None:
        same = (preconditioner.dtype, preconditioner.device) == (hessian.dtype, hessian.device)
        if preconditioner.shape != (hessian.size,) or not same:
            raise SettingError(
                f"a preconditioner of shape {tuple(preconditioner.shape)}, {preconditioner.dtype}, "
                f"{preconditioner.device}",
                f"the operator acts on ({hessian.size},), {hessian.dtype}, {hessian.device}",
                "Give one entry of P for each parameter",
            )
        refused = ~((preconditioner > 0) & torch.isfinite(preconditioner))
        if bool(refused.any()):
            raise SettingError(
                f"a preconditioner with {int(refused.sum())} entries that are not positive and finite "
                f"(the smallest is {float(preconditioner.min()):.3g})",
                "P^(-1/2) exists for positive entries only",
                "Add the method's ε, as in preconditioner + 1e-8, or measure after a few steps",
            )
        super().__init__(hessian.size, hessian.dtype, hessian.device)
        self._conjugation = hessian.conjugate_by(Diagonal(preconditioner.rsqrt()))

    def _apply(self, v: Tensor) -> Tensor:
        return self._conjugation.matvec(v)

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._conjugation.matmat(V)
