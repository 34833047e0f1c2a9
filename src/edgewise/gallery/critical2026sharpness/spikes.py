"""What a spike is: a mean of a few losses in a row far above where the losses before were going."""

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

# A mean of five losses in a row that is three deviations of single losses above the level at the advice is no
# noise: that would be 6.7 deviations of its own.
_LAST, _MEAN_OF, _SPIKE = 50, 5, 3.0


def level_of(step: Reals, loss: Reals) -> tuple[float, float]:
    """The end of a straight line through the last losses, and their deviation from it.

    About their mean they would deviate by their fall as well, and a spike could hide in that.

    Args:
        step: of the losses.
        loss: before the advice.
    """
    step, loss = step[-_LAST:], loss[-_LAST:]
    line = np.polynomial.Polynomial.fit(step, loss, 1)
    return float(line(step[-1])), float(np.std(loss - line(step), ddof=2))


def spikes(loss: Reals, level: float, noise: float) -> bool:
    """Whether the losses after the advice have a spike, or are not finite.

    Args:
        loss: after it.
        level: where they were at it.
        noise: the deviation of a single one.
    """
    if not np.isfinite(loss).all():
        return True
    return bool(np.convolve(loss, np.ones(_MEAN_OF) / _MEAN_OF, "valid").max() > level + _SPIKE * noise)
