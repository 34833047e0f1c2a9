"""Measures: small pure functions from the records of a seed to the number that a claim is about.

Those of one run (`hovering_at`, `slope_of` …) become measures of many by `of`, `largest`, `farthest`, `order` …
"""

from edgewise.claims.measures.across import (
    among,
    difference,
    exponent,
    farthest,
    largest,
    of,
    order,
    ratio,
    smallest,
)
from edgewise.claims.measures.moments import at_share, at_step, crossing, last_above, later, onset_of
from edgewise.claims.measures.series import (
    Moment,
    first,
    increases,
    last,
    maximum,
    mean,
    median,
    minimum,
    only,
    readings,
    values,
)
from edgewise.claims.measures.shape import (
    alternating,
    hovering_at,
    mean_ratio,
    period_two,
    rank_correlation,
    ratio_of_time_means,
    slope_of,
    window_decreases,
)

__all__ = [
    "Moment",
    "alternating",
    "among",
    "at_share",
    "at_step",
    "crossing",
    "difference",
    "exponent",
    "farthest",
    "first",
    "hovering_at",
    "increases",
    "largest",
    "last",
    "last_above",
    "later",
    "maximum",
    "mean",
    "mean_ratio",
    "median",
    "minimum",
    "of",
    "only",
    "onset_of",
    "order",
    "period_two",
    "rank_correlation",
    "ratio",
    "ratio_of_time_means",
    "readings",
    "slope_of",
    "smallest",
    "values",
    "window_decreases",
]
