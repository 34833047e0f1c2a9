"""What clipping leaves of gradients, seen from outside.

Between `backward` and `step` a training may scale its gradient g to a largest norm, by min(1, max_norm/‖g‖). The
optimiser then takes a step that is so much smaller, and loses stability at a curvature that is so much larger.
Nobody tells a watch, but gradients that arrive with one and the same norm, again and again and never with a larger
one, have been clipped to it.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

# Of so many norms the largest has come so often, to rounding: that is no chance.
_SEEN, _OFTEN, _ALIKE = 20, 3, 1e-4
# And a gradient that has turned by less has not been seen anew.
_TURNED = 10 * _ALIKE


@final
class Clipping:
    """The largest norm that gradients are clipped to, as far as can be seen.

    Example:
        >>> clipping = Clipping()
        >>> for gradient in (1.0, -0.4, -1.0, 0.9, 1.0):
        ...     clipping.see([torch.tensor([gradient])])
        >>> clipping.max_norm, clipping.left([4.0, 0.5, 2.0])
        (1.0, 0.5833333333333334)
    """

    def __init__(self) -> None:
        self._norms: deque[float] = deque(maxlen=_SEEN)
        self._last: Tensor | None = None

    def see(self, gradients: Sequence[Tensor | None]) -> None:
        """A gradient that the optimiser was given, a tensor for each parameter."""
        parts = [g.detach() for g in gradients if g is not None and not g.is_sparse]
        if not parts:
            return
        norms = torch.stack(torch._foreach_norm(parts))
        norm, trace = float(norms.norm()), torch.cat([norms, torch.stack([g.sum() for g in parts])])
        # One that has overflowed has no size: mixed precision skips its step, and goes on clipping.
        if not math.isfinite(norm):
            return
        # One that has hardly changed, as where nothing is left to learn, has its norm from the last.
        last = self._last
        if last is None or last.shape != trace.shape or float((trace - last).norm()) > _TURNED * norm:
            self._norms.append(norm)
            self._last = trace

    @property
    def max_norm(self) -> float | None:
        """What they are clipped to; None where nothing shows that they are."""
        largest = max(self._norms, default=0.0)
        often = sum(norm >= (1.0 - _ALIKE) * largest for norm in self._norms)
        return largest if largest > 0 and often >= _OFTEN else None

    def left(self, norms: Sequence[float]) -> float:
        """The share of gradients of these norms that is left after clipping, in the mean."""
        largest = self.max_norm
        if largest is None or not norms:
            return 1.0
        return sum(min(1.0, largest / norm) if norm > 0 else 1.0 for norm in norms) / len(norms)
