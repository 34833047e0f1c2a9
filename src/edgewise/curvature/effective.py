"""The effective Hessian: the curvature that a preconditioned method sees."""

from typing import final

from torch import Tensor

from edgewise.foundation import SettingError, Vector
from edgewise.linalg import Operator, PositiveDiagonal, Preconditioner


@final
class EffectiveHessian(Operator):
    """The effective (preconditioned) Hessian.

        P^(-1/2) H P^(-1/2)

    for the P by which a method divides the gradient, w' = w − η P⁻¹ ∇L(w). It has the eigenvalues
    of P⁻¹H, of which the largest is the effective sharpness, and is symmetric. A product costs one of H.

    Args:
        hessian: H; any operator, for example a Gauss–Newton matrix, may stand in for it.
        preconditioner: P, or its diagonal: all entries positive and finite.

    Raises:
        SettingError: if the preconditioner does not fit H or is not positive.

    Example:
        >>> import torch
        >>> from edgewise.linalg import Diagonal
        >>> H = Diagonal(torch.tensor([8.0, 1.0]))
        >>> EffectiveHessian(H, preconditioner=torch.tensor([4.0, 1.0])) @ torch.ones(2)
        tensor([2., 1.])

    References:
        cohen2022adaptive
    """

    def __init__(self, hessian: Operator, preconditioner: Vector | Preconditioner) -> None:
        if isinstance(preconditioner, Tensor):
            preconditioner = PositiveDiagonal(preconditioner)
        act_alike = (preconditioner.dtype, preconditioner.device) == (hessian.dtype, hessian.device)
        if preconditioner.size != hessian.size or not act_alike:
            raise SettingError(
                f"a preconditioner of size {preconditioner.size}, {preconditioner.dtype}, {preconditioner.device}",
                f"the operator acts on ({hessian.size},), {hessian.dtype}, {hessian.device}",
                "Give one entry of P for each parameter",
            )
        super().__init__(hessian.size, hessian.dtype, hessian.device)
        self._conjugation = hessian.conjugate_by(preconditioner.power(-0.5))

    def _apply(self, v: Tensor) -> Tensor:
        return self._conjugation.matvec(v)

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._conjugation.matmat(V)
