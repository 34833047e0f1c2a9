"""Momentum lowers the edge for small batches, and raises it for large ones."""

import numpy as np

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, at_share, hovering_at, of
from edgewise.gallery.andreyev2026momentum.recipe import LARGE, MILD, MOMENTA, SMALL

_KEY = "andreyev2026momentum"
_ABSTRACT = f"{_KEY}, abstract"


def _end(size: int, variable: str, raised: bool) -> Measure:
    """η × the batch sharpness at the edge ÷ 2(1 ± β), for the β where it is farthest from one."""

    def measure(runs: Runs) -> float:
        run = runs["mode"]
        expected = 2 * (1 + run["beta"]) if raised else 2 * (1 - run["beta"])
        ratios = (run[variable].isel(size=size) / expected).values
        return float(ratios[np.abs(ratios - 1).argmax()])

    return measure


def _falls(runs: Runs) -> float:
    """How often the batch sharpness at the edge falls from one batch size to the next larger one."""
    return float((np.diff(runs["mode"]["batch_sharpness"].values, axis=1) < 0).sum())


def _radius(runs: Runs) -> float:
    """The largest |ρ(E[J ⊗ J]) − 1| at the edge of the closed form."""
    return float(np.abs(runs["mode"]["radius"].values - 1).max())


def _share_of_raised(runs: Runs) -> float:
    """For batches of one, the batch sharpness at the edge ÷ 2(1 + β)/η, where it is largest."""
    run = runs["mode"]
    return float((run["batch_sharpness"].isel(size=0) / (2 * (1 + run["beta"]))).max())


def _hovers(name: str, raised: bool) -> Measure:
    """The batch sharpness in the second half of a run ÷ 2(1 ± β)/η."""
    # The critical curvature of the record is 2(1 + β)/η.
    ratio = hovering_at("batch_sharpness", "critical_curvature", after=at_share(0.5))
    factor = 1.0 if raised else (1 + MOMENTA[name]) / (1 - MOMENTA[name])
    return of(name, lambda runs: factor * ratio(runs))


MODE = (
    Claim(
        "for batches of one the batch sharpness is at the lower edge when stability is lost",
        _ABSTRACT,
        _end(0, "batch_sharpness", raised=False),
        Within(0.15),
        counter=Claim("it is at the edge of momentum without noise", _ABSTRACT, _share_of_raised, AtLeast(0.85)),
    ),
    Claim(
        "so it is with the ratio outside of the expectation",
        _ABSTRACT,
        _end(0, "outside", raised=False),
        Within(0.15),
    ),
    Claim(
        "for large batches it is at the edge of momentum without noise",
        _ABSTRACT,
        _end(-1, "batch_sharpness", raised=True),
        Within(0.15),
    ),
    Claim("it rises with the batch size all the way", _ABSTRACT, _falls, AtMost(0.0)),
    Claim("the closed form is where the mean square loses stability", _ABSTRACT, _radius, AtMost(1e-9)),
)


def _at_lower(sentence: str, name: str) -> Claim:
    return Claim(
        sentence,
        _ABSTRACT,
        _hovers(name, raised=False),
        Within(0.15),
        counter=Claim(
            "it settles at the edge of momentum without noise",
            _ABSTRACT,
            _hovers(name, raised=True),
            AtLeast(0.85),
        ),
    )


NETWORK = (
    _at_lower("under strong momentum in small batches batch sharpness settles at the lower edge", SMALL),
    _at_lower("under mild momentum it does so too", MILD),
    Claim(
        "with all data it settles at the edge of momentum without noise",
        _ABSTRACT,
        _hovers(LARGE, raised=True),
        Within(0.15),
    ),
)
