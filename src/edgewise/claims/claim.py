"""A claim: a sentence of a paper, what to measure, and what the measurement is expected to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import xarray as xr

from edgewise.claims.expectation import Expectation
from edgewise.foundation import SettingError

Runs = Mapping[str, xr.Dataset]
"""The records of one seed by the names that the recipe gave them."""

Measure = Callable[[Runs], float]
"""The effect, from the records of one seed; raises `EvidenceError` where they do not hold what it needs."""


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """What a reproduction asserts.

    Args:
        sentence: what is asserted, as a reader would say it, without the numbers.
        source: the paper by its key, and the place in it.
        measure: the effect, a number, from the records of one seed.
        expect: where the effect shall lie.
        seeds: the fewest seeds on which it may be judged; with fewer it is undecided.
        counter: the rival sentence. Where both are borne out, neither is decided.

    Example:
        >>> from edgewise.claims import Claim, Within, hovering_at, onset_of
        >>> Claim("sharpness settles at the critical curvature",
        ...       source="cohen2021gradient, Figure 5",
        ...       measure=hovering_at("sharpness", "critical_curvature", after=onset_of("edge")),
        ...       expect=Within(0.05, relative=True), seeds=3).seeds
        3
    """

    sentence: str
    source: str
    measure: Measure
    expect: Expectation
    seeds: int = 1
    counter: "Claim | None" = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise SettingError(f"seeds={self.seeds}", "a claim is judged on one seed or more", "Type seeds=3")
