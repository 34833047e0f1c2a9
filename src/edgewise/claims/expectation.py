"""What a measured effect is expected to be: a range, with the words in which a paper would give it."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from edgewise.foundation import SettingError


class Expectation(ABC):
    """A closed range in which the effect shall lie."""

    @property
    @abstractmethod
    def low(self) -> float:
        """The least value that is still as expected."""

    @property
    @abstractmethod
    def high(self) -> float:
        """The greatest value that is still as expected."""

    @abstractmethod
    def __str__(self) -> str: ...


@final
@dataclass(frozen=True, slots=True)
class Within(Expectation):
    """At most `tolerance` from `of`.

    Args:
        tolerance: in the units of the effect, or as a share of `of`.
        of: the value that theory or paper gives.
        relative: whether the tolerance is a share of `of`.

    Example:
        >>> print(Within(0.05, of=2.0, relative=True))
        1.9 … 2.1
    """

    tolerance: float | int
    of: float | int = 1.0
    relative: bool = False

    def __post_init__(self) -> None:
        if not (self.tolerance >= 0 and math.isfinite(self.of)):
            raise SettingError(
                f"Within({self.tolerance}, of={self.of})",
                "a tolerance is a distance from a number",
                "Type Within(0.05, of=1.0)",
            )

    @property
    def _margin(self) -> float:
        return float(self.tolerance * (abs(self.of) if self.relative else 1.0))

    @property
    def low(self) -> float:
        """`of` less the tolerance."""
        return self.of - self._margin

    @property
    def high(self) -> float:
        """`of` plus the tolerance."""
        return self.of + self._margin

    def __str__(self) -> str:
        return (
            f"{self.low:.6g} … {self.high:.6g}" if self._margin > 1e-5 else f"{self.of:.8g} ± {self._margin:.1g}"
        )


@final
@dataclass(frozen=True, slots=True)
class Between(Expectation):
    """From `low` to `high`."""

    low: float | int
    high: float | int

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise SettingError(
                f"Between({self.low}, {self.high})",
                "nothing lies between them",
                f"Type Between({self.high}, {self.low})",
            )

    def __str__(self) -> str:
        return f"{self.low:.6g} … {self.high:.6g}"


@final
@dataclass(frozen=True, slots=True)
class AtMost(Expectation):
    """No more than `high`."""

    high: float | int

    @property
    def low(self) -> float:
        """There is none."""
        return -math.inf

    def __str__(self) -> str:
        return f"≤ {self.high:.6g}"


@final
@dataclass(frozen=True, slots=True)
class AtLeast(Expectation):
    """No less than `low`."""

    low: float | int

    @property
    def high(self) -> float:
        """There is none."""
        return math.inf

    def __str__(self) -> str:
        return f"≥ {self.low:.6g}"
