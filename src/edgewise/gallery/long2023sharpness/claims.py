"""A mode is neutral, a quadratic ends, and a network settles at the edge that sinks with the gradient."""

import numpy as np

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    Within,
    at_share,
    farthest,
    hovering_at,
    largest,
    of,
    only,
    order,
    rank_correlation,
    ratio,
)
from edgewise.gallery.long2023sharpness.recipe import RADII

_SOURCE = "long2023sharpness, Section 2"
_FIGURE = "long2023sharpness, Figure 2"


def _neutral(runs: Runs) -> float:
    """|x'| ÷ |x| at the edge, farthest from 1."""
    growth = only(runs)["growth"].sel(share=1.0).values
    return float(growth[np.argmax(np.abs(growth - 1))])


def _sides(runs: Runs) -> float:
    """The share of modes that shrink below the edge and grow above it."""
    growth = only(runs)["growth"]
    right = (growth.sel(share=0.99).values < 1) & (growth.sel(share=1.01).values > 1)
    return float(right.mean())


def _most(name: str) -> Measure:
    return lambda runs: float(only(runs)[name].values.max())


def _worst(name: str) -> Measure:
    def measure(runs: Runs) -> float:
        values = only(runs)[name].values
        return float(values[np.argmax(np.abs(values - 1))])

    return measure


QUADRATIC = (
    Claim("a mode at the edge neither grows nor shrinks", _SOURCE, of("modes", _neutral), Within(1e-12)),
    Claim("below the edge modes shrink, above it they grow", _SOURCE, of("modes", _sides), Within(0, of=1)),
    Claim("the edge lies below that of gradient descent", _SOURCE, of("modes", _most("of_plain")), AtMost(1.0)),
    Claim("on a quadratic it ends in an oscillation of the derived size", _SOURCE,
          of("descents", _worst("amplitude")), Within(1e-9)),
    Claim("along the top mode alone", _SOURCE, of("descents", _most("others")), AtMost(1e-9)),
    Claim("with period two", _SOURCE, of("descents", _most("flip")), AtMost(1e-9)),
    Claim("there the sharpness is at the edge, whatever it is", _SOURCE, of("descents", _worst("edge_ratio")),
          Within(1e-9),
          counter=Claim("it is at the edge of gradient descent", _SOURCE, of("descents", _worst("plain")),
                        Within(0.05))),
)  # fmt: skip

_NAMES = tuple(f"SAM, ρ = {rho:g}" for rho in RADII)
_late = at_share(0.5)


def _sam(measure: Measure) -> Measure:
    """Over the runs of sharpness-aware minimisation."""
    return lambda runs: measure({name: runs[name] for name in _NAMES})


def _late_sharpness(runs: Runs) -> float:
    return hovering_at("sharpness", 1.0, after=_late)(runs)


def _plain(runs: Runs) -> float:
    """The late sharpness ÷ 2/η, from the critical curvature of the gradient descent beside it."""
    critical = float(runs["GD"]["critical_curvature"].isel(process=0, step=0))
    return max(_late_sharpness({name: runs[name]}) for name in _NAMES) / critical


NETWORK = (
    Claim("the sharpness settles at the edge of sharpness-aware minimisation", _FIGURE,
          _sam(farthest(hovering_at("sharpness", "critical_curvature", after=_late))), Between(0.9, 1.15),
          counter=Claim("it settles at the edge of gradient descent", _FIGURE, _plain, Between(0.9, 1.15))),
    Claim("far below the edge of gradient descent", _FIGURE, _plain, AtMost(0.5)),
    Claim("that edge sinks as training goes on, and the sharpness with it", _FIGURE,
          _sam(largest(rank_correlation("sharpness", after=_late))), AtMost(-0.5)),
    Claim("the edge goes with the gradient norm", _FIGURE,
          _sam(largest(lambda runs: -rank_correlation("critical_curvature", "gradient_norm", after=_late)(runs))),
          AtMost(-0.99)),
    Claim("the larger the radius, the flatter", _FIGURE, order(_late_sharpness), Within(0, of=-1)),
    Claim("gradient descent itself settles at 2/η", _FIGURE,
          of("GD", hovering_at("sharpness", "critical_curvature", after=_late)), Within(0.05)),
    Claim("gradient descent ends far sharper", _FIGURE,
          ratio(of("GD", _late_sharpness), of(_NAMES[0], _late_sharpness)), AtLeast(2.0)),
)  # fmt: skip
