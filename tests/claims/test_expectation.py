"""Ranges: where an effect is expected, and how that is said."""

import math

import pytest

from edgewise.claims import AtLeast, AtMost, Between, Within
from edgewise.foundation import SettingError


def test_within_is_an_absolute_or_a_relative_distance() -> None:
    assert (Within(0.5, of=4.0).low, Within(0.5, of=4.0).high) == (3.5, 4.5)
    assert (Within(0.5, of=4.0, relative=True).low, Within(0.5, of=4.0, relative=True).high) == (2.0, 6.0)
    # A share of a negative number is still a distance.
    assert (Within(0.5, of=-4.0, relative=True).low, Within(0.5, of=-4.0, relative=True).high) == (-6.0, -2.0)


def test_one_sided_ranges_are_open_on_the_other_side() -> None:
    assert (AtMost(1).low, AtMost(1).high) == (-math.inf, 1)
    assert (AtLeast(1).low, AtLeast(1).high) == (1, math.inf)


def test_they_say_what_they_expect() -> None:
    assert [str(e) for e in (Within(0.05), Within(1e-9, of=1.5), Between(0, 2), AtMost(3), AtLeast(0.25))] == [
        "0.95 … 1.05",
        "1.5 ± 1e-09",
        "0 … 2",
        "≤ 3",
        "≥ 0.25",
    ]


def test_impossible_ranges_are_refused() -> None:
    with pytest.raises(SettingError, match=r"nothing lies between them\. Type Between\(1, 2\)"):
        Between(2, 1)
    for tolerance, of in ((-1.0, 1.0), (math.nan, 1.0), (0.1, math.inf)):
        with pytest.raises(SettingError, match="a tolerance is a distance from a number"):
            Within(tolerance, of=of)
