"""From evidence to a verdict: *holds*, *fails* or *undecided*, with the effect, its interval and the seeds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal, final

from scipy.stats import t as student

from edgewise.claims.claim import Claim, Runs
from edgewise.foundation import EvidenceError

_CONFIDENCE = 0.95


Ruling = Literal["holds", "fails", "undecided"]
"""What a verdict says."""


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured for one claim.

    Attributes:
        values: the effect by seed.
        missing: why there is none, by seed.
    """

    values: Mapping[int, float]
    missing: Mapping[int, str]

    @property
    def mean(self) -> float:
        """The mean over seeds; NaN without any, or of two opposite infinities."""
        infinite = {value for value in self.values.values() if math.isinf(value)}
        if infinite:
            return infinite.pop() if len(infinite) == 1 else math.nan
        return fmean(self.values.values()) if self.values else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that mean by Student's t; of one seed the value itself, twice.

        Seeds that agree exactly, as those of a computation without chance do, give an interval of no width; an
        effect that is infinite on some seeds only gives the whole line.
        """
        n = len(self.values)
        if len(set(self.values.values())) < 2:
            return self.mean, self.mean
        if math.isinf(self.mean) or math.isnan(self.mean):
            return -math.inf, math.inf
        margin = float(student.ppf(0.5 + _CONFIDENCE / 2, n - 1)) * stdev(self.values.values()) / math.sqrt(n)
        return self.mean - margin, self.mean + margin


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judged claim.

    Attributes:
        sentence: what was claimed.
        source: by whom, where.
        ruling: holds, fails or undecided.
        effect: the mean of the measured effect over seeds; NaN if there is none.
        low: the lower end of its 95 % interval.
        high: the upper end.
        expected: where it was expected, in words.
        seeds: on how many seeds it rests.
        why: the reason, where the numbers alone do not say it; else empty.
    """

    sentence: str
    source: str
    ruling: Ruling
    effect: float
    low: float
    high: float
    expected: str
    seeds: int
    why: str = ""

    @property
    def measured(self) -> str:
        """The effect, with its interval where there are several seeds."""
        if math.isnan(self.effect):
            return "—"
        spread = f" ({self.low:.4g} … {self.high:.4g})" if self.seeds > 1 and self.low != self.high else ""
        return f"{self.effect:.4g}{spread}"

    def __str__(self) -> str:
        n = f"{self.seeds} seed{'' if self.seeds == 1 else 's'}"
        why = f": {self.why}" if self.why else ""
        return f"{self.ruling}: {self.sentence}: {self.measured}, expected {self.expected}; {n}{why}"


def gather(claim: Claim, runs: Mapping[int, Runs]) -> Evidence:
    """Measure the claim's effect on every seed.

    Args:
        claim: what to measure.
        runs: the records by seed.
    """
    values, missing = {}, {}
    for seed, records in runs.items():
        try:
            value = float(claim.measure(records))
        except EvidenceError as error:
            missing[seed] = str(error)
            continue
        if math.isnan(value):
            missing[seed] = "the effect is not a number there"
        else:
            values[seed] = value
    return Evidence(values, missing)


def judge(claim: Claim, runs: Mapping[int, Runs]) -> Verdict:
    """Judge a claim on the records of one or many seeds.

    It *holds* if the whole interval of the mean effect is as expected, *fails* if none of it is, and is
    *undecided* otherwise: if the interval reaches over a border, if a seed could not be measured, if there are
    fewer seeds than the claim asks for, or if its counter-claim is not refuted.

    Args:
        claim: what is asserted.
        runs: the records by seed.
    """
    evidence = gather(claim, runs)
    low, high = evidence.interval
    ruling, why = _rule(claim, evidence, low, high)
    if ruling == "holds" and claim.counter is not None:
        rival = judge(claim.counter, runs)
        if rival.ruling != "fails":
            ruling, why = "undecided", f"the counter-claim is not refuted: {rival}"
    return Verdict(
        sentence=claim.sentence,
        source=claim.source,
        ruling=ruling,
        effect=evidence.mean,
        low=low,
        high=high,
        expected=str(claim.expect),
        seeds=len(evidence.values),
        why=why,
    )


def _rule(claim: Claim, evidence: Evidence, low: float, high: float) -> tuple[Ruling, str]:
    expect = claim.expect
    if evidence.missing:
        seed, reason = next(iter(evidence.missing.items()))
        return "undecided", reason if len(evidence.missing) == 1 else f"seed {seed} and others: {reason}"
    if len(evidence.values) < claim.seeds:
        return "undecided", f"{len(evidence.values)} of the {claim.seeds} seeds it asks for"
    if expect.low <= low and high <= expect.high:
        return "holds", ""
    if high < expect.low or low > expect.high:
        return "fails", ""
    return "undecided", "the interval reaches over the border of what is expected"
