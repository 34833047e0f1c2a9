"""The Hessian of an objective at one point, as an operator."""

from typing import final

from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.linalg import Operator
from edgewise.objectives import Objective, Point


@final
class Hessian(Operator):
    """The Hessian of the loss at one point.

        H(w) = ∇² L(w)

    All products share the one graph of `point`, which is built at the first of them; the gradient that an
    optimiser needs comes out of it too.

    Args:
        objective: L.
        w: where.

    Attributes:
        point: the objective at w: its `value`, `gradient` and `metrics` cost nothing more.

    Raises:
        ObjectiveError: if w does not fit the objective.

    Example:
        >>> import torch
        >>> bowl = Objective.from_function(lambda w: (torch.tensor([1.0, 2.0]) * w**2).sum(), 2)
        >>> Hessian(bowl, bowl.start) @ torch.ones(2).double()
        tensor([2., 4.], dtype=torch.float64)

    References:
        pearlmutter1994fast, cohen2021gradient
    """

    point: Point

    def __init__(self, objective: Objective, w: Parameters) -> None:
        self._stand_at(objective.at(w))

    @classmethod
    def at(cls, point: Point) -> "Hessian":
        """The Hessian at a point that somebody else asks too: its graph is shared, not built again."""
        hessian = cls.__new__(cls)
        hessian._stand_at(point)
        return hessian

    def _stand_at(self, point: Point) -> None:
        super().__init__(point.w.shape[0], point.w.dtype, point.w.device)
        self.point = point

    def _apply(self, v: Tensor) -> Tensor:
        return self.point.hvp(v)
