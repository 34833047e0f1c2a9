"""Verdicts: the rule, the interval against SciPy's, and what leaves a claim undecided."""

import json
import math
from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgewise.claims import AtLeast, AtMost, Between, Claim, Evidence, Runs, Verdict, Within, gather, judge
from edgewise.foundation import EvidenceError, SettingError, decode, encode


def effect(runs: Runs) -> float:
    """The number that stands in the record."""
    return float(runs["run"]["effect"])


def records(*values: float) -> dict[int, Mapping[str, xr.Dataset]]:
    """One record a seed, each holding one number."""
    return {seed: {"run": xr.Dataset({"effect": value})} for seed, value in enumerate(values)}


def claim(expect: object = Within(0.1), **more: object) -> Claim:
    return Claim("it is one", "somebody2000paper, Figure 1", effect, expect, **more)  # type: ignore[arg-type]


def test_one_seed_is_judged_by_its_value() -> None:
    assert judge(claim(), records(1.05)).ruling == "holds"
    assert judge(claim(), records(1.15)).ruling == "fails"
    assert judge(claim(), records(0.85)).ruling == "fails"


def test_several_seeds_are_judged_by_the_whole_interval() -> None:
    assert judge(claim(), records(0.99, 1.0, 1.01)).ruling == "holds"
    assert judge(claim(), records(2.99, 3.0, 3.01)).ruling == "fails"
    wide = judge(claim(), records(0.9, 1.0, 1.1))
    assert wide.ruling == "undecided"
    assert "reaches over the border" in wide.why


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8))
def test_the_interval_is_students(values: list[float]) -> None:
    low, high = Evidence(dict(enumerate(values)), {}).interval
    if np.ptp(values) < 1e-9:  # SciPy divides by the spread
        assert low == pytest.approx(high, abs=1e-8)
        return
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.floats(-3, 3), st.floats(0.01, 3), st.floats(-100, 100)
)
def test_a_ruling_does_not_depend_on_where_zero_is(
    values: list[float], centre: float, tolerance: float, shift: float
) -> None:
    """Moving effect and expectation together changes nothing, but for values within rounding of a border."""
    one = judge(claim(Within(tolerance, of=centre)), records(*values))
    borders = [
        abs(end - border) for end in (one.low, one.high) for border in (centre - tolerance, centre + tolerance)
    ]
    if min(borders) > 1e-9:
        moved = judge(claim(Within(tolerance, of=centre + shift)), records(*(v + shift for v in values)))
        assert moved.ruling == one.ruling


def test_too_few_seeds_leave_it_undecided() -> None:
    verdict = judge(claim(seeds=3), records(1.0, 1.0))
    assert (verdict.ruling, verdict.why) == ("undecided", "2 of the 3 seeds it asks for")


def test_a_seed_without_evidence_leaves_it_undecided_and_says_why() -> None:
    def picky(runs: Runs) -> float:
        if effect(runs) > 2:
            raise EvidenceError("the crossing", "there is none", "Take more steps")
        return effect(runs)

    asked = Claim("it is one", "x", picky, Within(0.1))
    verdict = judge(asked, records(1.0, 3.0))
    assert (verdict.ruling, verdict.why) == ("undecided", "the crossing: there is none. Take more steps.")
    assert gather(asked, records(1.0, 3.0)).values == {0: 1.0}
    assert "seed 1 and others" in judge(asked, records(1.0, 3.0, 4.0)).why


def test_a_number_that_is_none_is_no_evidence() -> None:
    verdict = judge(claim(AtMost(1)), records(math.nan))
    assert (verdict.ruling, verdict.seeds, verdict.measured) == ("undecided", 0, "—")


def test_an_infinite_effect_is_judged() -> None:
    assert judge(claim(AtLeast(1)), records(math.inf)).ruling == "holds"
    assert judge(claim(AtMost(1)), records(math.inf)).ruling == "fails"


def test_an_effect_that_is_infinite_on_every_seed_is_judged_and_on_some_is_not() -> None:
    assert judge(claim(AtLeast(1)), records(math.inf, math.inf)).ruling == "holds"
    assert judge(claim(AtMost(1)), records(math.inf, math.inf)).ruling == "fails"
    some = judge(claim(AtLeast(1)), records(math.inf, 5.0))
    assert (some.ruling, some.effect, some.low, some.high) == ("undecided", math.inf, -math.inf, math.inf)
    opposite = judge(claim(AtLeast(1)), records(math.inf, -math.inf))
    assert (opposite.ruling, opposite.measured) == ("undecided", "—")


def test_a_rival_that_is_borne_out_as_well_leaves_it_undecided() -> None:
    refuted = claim(counter=claim(Between(2, 3)))
    assert judge(refuted, records(1.0)).ruling == "holds"
    rivalled = claim(counter=claim(Between(0, 3)))
    verdict = judge(rivalled, records(1.0))
    assert verdict.ruling == "undecided"
    assert "the counter-claim is not refuted: holds: it is one" in verdict.why
    # A rival cannot rescue a claim that fails.
    assert judge(rivalled, records(2.0)).ruling == "fails"


def test_a_verdict_prints_its_numbers_and_can_be_stored() -> None:
    verdict = judge(claim(), records(0.99, 1.0, 1.01))
    assert str(verdict) == "holds: it is one: 1 (0.9752 … 1.025), expected 0.9 … 1.1; 3 seeds"
    again = decode(json.loads(json.dumps(encode(verdict), allow_nan=False)))
    assert isinstance(again, Verdict)
    assert again == verdict
    lost = judge(claim(), records(math.nan))
    assert math.isnan(decode(json.loads(json.dumps(encode(lost), allow_nan=False))).effect)


def test_a_claim_about_no_seed_is_refused() -> None:
    with pytest.raises(SettingError, match="a claim is judged on one seed or more"):
        claim(seeds=0)
