"""The midpoint of two steps: where a discrete run is on average, as a process of its own."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.foundation import SettingError


@final
@dataclass(frozen=True, slots=True)
class Midpoint:
    """The two-step midpoint of another process, advanced and measured like any other.

        w*ₜ = (wₜ₋₁ + 2 wₜ + wₜ₊₁) / 4

    At the edge of stability the iterates flip along the critical eigenvectors at every step. The midpoint leaves
    that out to second order, so it is what a continuous flow is to be compared with. It costs nothing but its
    readings; its first row is that of step 1.

    Args:
        of: the name of a process that is a discrete method.

    Raises:
        SettingError: if `of` is no name.

    References:
        cohen2025understanding
    """

    of: str

    def __post_init__(self) -> None:
        of: Any = self.of
        if not isinstance(of, str):
            raise SettingError(
                f"Midpoint({of!r:.60})",
                f"it lies on a process that is told by its name, and that is of type {type(of).__name__}",
                "Type {'gd': GradientDescent(0.01), 'midpoint': Midpoint('gd')}",
            )
