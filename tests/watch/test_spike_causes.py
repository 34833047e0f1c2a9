"""From the numbers of a spike to its cause, its sentences and what to do: no training in here."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from edgewise.foundation import DataError, SettingError
from edgewise.watch.spikes import (
    STALE,
    SpikeEvidence,
    SpikeHistory,
    SpikeReport,
    cause_of,
    remedies,
    safe_step_size,
)

# A loss that rose from 1 to 8: half of that, in logarithms, is √8.
BASE = SpikeEvidence(step=50, loss_before=1.0, loss_last=1.0, loss_at=8.0, scales=12.0, updates_between=1)
IN_WEIGHTS = replace(BASE, probe_old=1.0, probe_new=8.0, edge_ratio_probe=2.0, lr_at=0.1, lr_before=0.1)
IN_BATCH = replace(BASE, probe_old=1.0, probe_new=1.0, batch_old=8.0, batch_new=8.0)


def test_shares_are_of_the_logarithm() -> None:
    evidence = replace(BASE, batch_old=2.0, probe_old=0.5, probe_new=2.0)
    assert evidence.batch_share == pytest.approx(1 / 3)
    assert evidence.weights_share == pytest.approx(2 / 3)


def test_shares_of_losses_that_can_be_negative_are_differences() -> None:
    evidence = replace(
        BASE, loss_before=-3.0, loss_last=-3.0, loss_at=1.0, batch_old=-2.0, probe_old=-3.0, probe_new=0.0
    )
    assert evidence.batch_share == pytest.approx(1 / 4)
    assert evidence.weights_share == pytest.approx(3 / 4)


def test_what_had_risen_before_the_last_step_is_nobodys_share() -> None:
    """Under the old weights every batch had a loss of 4: the one of the spike is not a bad one."""
    growing = replace(BASE, loss_last=4.0, batch_old=4.0, probe_old=4.0, probe_new=8.0)
    assert growing.batch_share == 0.0
    assert growing.weights_share == 1.0
    assert cause_of(growing).cause == "curvature"


@pytest.mark.parametrize("missing", ["loss_before", "probe_old", "probe_new"])
def test_a_share_of_something_unknown_is_unknown(missing: str) -> None:
    assert replace(IN_WEIGHTS, **{missing: None}).weights_share is None
    assert replace(IN_WEIGHTS, **{missing: math.nan}).weights_share is None


def test_curvature() -> None:
    finding = cause_of(IN_WEIGHTS)
    assert finding.cause == "curvature"
    assert finding.because[0] == (
        "the update before the spike was 2.00 times as long as the curvature along it allows on the probe batch: "
        "the loss came back to its old value after 0.5 of it"
    )
    assert finding.because[1] == "the update raised the loss of the probe batch from 1 to 8"
    # 0.7 η s_c
    assert safe_step_size(IN_WEIGHTS) == pytest.approx(0.7 * 0.1 / 2)
    assert remedies("curvature", IN_WEIGHTS)[0] == (
        "Lower the step size from 0.1 to 0.035 or less, or come back to 0.1 by a warm-up"
    )


def test_a_raised_step_size_is_named() -> None:
    finding = cause_of(replace(IN_WEIGHTS, lr_before=0.02))
    assert (
        "the step size had been raised from 0.02 to 0.1; at 0.02 the edge ratio would have been 0.40"
        in finding.because
    )


def test_a_bad_batch() -> None:
    finding = cause_of(IN_BATCH)
    assert finding.cause == "bad batch"
    assert finding.because == (
        "the batch has a loss of 8 under the weights before the update already, against 1 as usual",
    )
    assert finding.ruled_out == ("the probe batch went from 1 to 1 in the update, none of the rise",)
    assert remedies("bad batch", replace(IN_BATCH, gradient_norm_before=0.5))[1].startswith(
        "Clip the gradient at a norm of 1, twice the usual one"
    )


def test_a_bad_batch_that_was_not_handed_over_is_what_is_left() -> None:
    finding = cause_of(replace(IN_BATCH, batch_old=None, batch_new=None))
    assert finding.cause == "bad batch"
    assert "its loss under the old weights was not measured" in finding.because[0]


STALE_NUMBERS: dict[str, Any] = {
    "staleness": 100.0, "beta2": 0.999, "update_norm_before": 0.1, "update_norm_at": 1.0, "update_rms": 3.0,
}  # fmt: skip


def test_stale_second_moments() -> None:
    """The update was ten times as long as usual and overshot twofold: at its usual length it would not have."""
    finding = cause_of(replace(IN_WEIGHTS, **STALE_NUMBERS))
    assert finding.cause == "stale second moments"
    assert finding.because[0] == (
        "the squared gradient had grown to 100 times what the second moments remembered (β2 = 0.999 remembers "
        "1000 steps), so the step size was divided by too little: the update was 3 step sizes a parameter, "
        "10 times the usual length"
    )
    advice = remedies(finding.cause, replace(IN_WEIGHTS, **STALE_NUMBERS))
    assert advice[0].startswith("Lower β2 from 0.999 to 0.95")
    # Who has a responsive β2 already is not told to lower it.
    assert not any("β2" in words for words in remedies(finding.cause, replace(IN_WEIGHTS, beta2=0.9)))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"staleness": STALE - 0.01}, "curvature"),
        ({"staleness": STALE}, "stale second moments"),
        # An update of the usual length would overshoot 20/10 times.
        ({"edge_ratio_probe": 20.0}, "curvature"),
        # The step size was raised, and with it the update: it is as long as usual in units of the step size.
        ({"lr_before": 0.01}, "curvature"),
        ({"update_norm_before": None}, "stale second moments"),
        ({"update_norm_before": None, "update_rms": 0.9}, "curvature"),
        ({"edge_ratio_probe": math.inf, "uphill": True}, "stale second moments"),
    ],
)
def test_what_tells_stale_moments_from_curvature(change: dict[str, Any], cause: str) -> None:
    assert cause_of(replace(IN_WEIGHTS, **{**STALE_NUMBERS, **change})).cause == cause


def test_up_to_date_moments_are_ruled_out() -> None:
    assert (
        "the second moments were up to date: ‖g‖²/Σν̂ was at most 1.2"
        in cause_of(replace(IN_WEIGHTS, staleness=1.2)).ruled_out
    )


@pytest.mark.parametrize(
    ("bend", "own", "cause"),
    [(0.9, None, "curvature"), (0.1, None, "unknown"), (0.1, 1.5, "curvature"), (None, None, "unknown")],
)
def test_an_update_that_goes_uphill_at_once(bend: float | None, own: float | None, cause: str) -> None:
    """Then the length is to blame if most of the rise is bend, or if it overshot on its own batch."""
    evidence = replace(IN_WEIGHTS, edge_ratio_probe=math.inf, uphill=True, bend=bend, edge_ratio_batch=own)
    assert cause_of(evidence).cause == cause


def test_a_bad_batch_and_a_worse_probe_contradict_each_other() -> None:
    both = replace(IN_BATCH, probe_new=4.0)
    finding = cause_of(both)
    assert finding.cause == "unknown"
    assert len(finding.because) == 2


def test_too_little_is_unknown_and_says_what_to_give() -> None:
    finding = cause_of(replace(BASE, edge_ratio_last=0.9))
    assert finding.cause == "unknown"
    assert finding.because == (
        "the loss under the weights before and after the update was not measured",
        "the last edge ratio read before it was 0.90",
    )
    assert remedies("unknown", BASE)[0].startswith("Type watch.step(loss, batch=batch)")
    assert remedies("unknown", IN_BATCH)[0].startswith("Take a larger probe batch")


def test_a_third_of_the_rise_is_too_little_and_too_much() -> None:
    finding = cause_of(replace(BASE, probe_old=1.0, probe_new=2.0))
    assert finding.cause == "unknown"
    assert "33% of the rise, too little to explain the spike" in finding.because[0]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        # The spike itself may have worsened the probe batch, so that decides nothing; its own batch does.
        ({}, "unknown"),
        ({"batch_old": 8.0}, "bad batch"),
        ({"batch_old": 1.0}, "curvature"),
        ({"batch_old": 1.0, "edge_ratio_probe": 0.5}, "unknown"),
        # Not even the spike has worsened it: then nothing before has.
        ({"probe_new": 1.0}, "bad batch"),
    ],
)
def test_weights_after_the_spike_accuse_nobody(change: dict[str, Any], cause: str) -> None:
    evidence = replace(IN_WEIGHTS, after_spike=True, updates_between=3)
    assert cause_of(replace(evidence, **change)).cause == cause


@pytest.mark.parametrize(
    ("own", "last", "cause"), [(1.1, None, "curvature"), (0.5, 1.2, "curvature"), (0.5, 0.5, "unknown")]
)
def test_a_slow_divergence(own: float, last: float | None, cause: str) -> None:
    finding = cause_of(replace(IN_WEIGHTS, climb=70, edge_ratio_batch=own, edge_ratio_last=last))
    assert finding.cause == cause
    assert finding.because[0].startswith("the loss has been climbing for 70 steps")


NAN = replace(BASE, loss_at=math.nan, scales=math.inf)


def test_a_batch_with_nan() -> None:
    finding = cause_of(replace(NAN, non_finite=("the batch", "the gradient of a"), batch_old=math.nan))
    assert finding.cause == "non-finite values"
    assert (
        finding.because[1]
        == "the batch itself holds values that are not finite; the weights that met it were finite"
    )
    assert finding.ruled_out == ()
    assert remedies(finding.cause, replace(NAN, non_finite=("the batch",)))[0].startswith(
        "Look at the batch of step 50"
    )


def test_nan_that_came_with_a_batch_that_was_not_handed_over() -> None:
    finding = cause_of(replace(NAN, non_finite=("the gradient of a",), probe_new=0.7))
    assert finding.because[1:] == (
        "the first tensor that is not finite is the gradient of a",
        "the probe batch has a loss of 0.7 at the same weights: it came with the batch",
    )


def test_an_overflow_that_a_loss_scaler_skipped() -> None:
    evidence = replace(
        NAN, non_finite=("the gradient of a", "the gradient of b"), overflow="float16", skipped=True
    )
    finding = cause_of(evidence)
    assert "float16 was exceeded: it ends at 65504" in finding.because
    assert (
        "the optimiser left the weights as they were, as a loss scaler does with such a gradient"
        in finding.because
    )
    assert remedies(finding.cause, evidence) == (
        "Train in bfloat16, or keep the parameters in float32 under autocast with a GradScaler",
        "The weights were not touched: training may go on",
    )


def test_an_infinity_at_the_end_of_a_divergence() -> None:
    evidence = replace(IN_WEIGHTS, loss_at=math.inf, probe_new=math.inf, lr_before=0.01)
    finding = cause_of(evidence)
    assert finding.cause == "non-finite values"
    assert any("this may be the end of a divergence" in words for words in finding.because)
    assert any("the step size had been raised from 0.01 to 0.1" in words for words in finding.because)
    assert "weights and batch are finite as far as they were seen" in finding.because
    assert remedies(finding.cause, evidence)[0].startswith("Type torch.autograd.set_detect_anomaly(True)")


def test_weights_that_the_step_broke() -> None:
    assert "the step made a not finite" in cause_of(replace(NAN, non_finite=("a after the step",))).because[1]


def test_what_a_finite_loss_leads_to_is_not_its_cause() -> None:
    led = replace(IN_WEIGHTS, non_finite=("the gradient of a", "a after the step"))
    assert cause_of(led).cause == "curvature"


MEASURED = (
    "loss_before", "loss_last", "scales", "lr_before", "lr_at", "gradient_norm_before", "update_norm_before",
    "update_norm_at", "update_rms", "probe_old", "probe_new", "batch_old", "batch_new", "edge_ratio_probe",
    "edge_ratio_batch", "edge_ratio_last", "bend", "staleness",
)  # fmt: skip
NUMBER = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.fixed_dictionaries(dict.fromkeys(MEASURED, NUMBER)),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, 1, 3]),
    st.lists(st.sampled_from(["the batch", "a", "the gradient of a", "a after the step"]), max_size=3),
)
def test_any_evidence_has_a_cause_and_sentences(
    numbers: dict[str, float | None], loss: float, uphill: bool | None, updates: int | None, names: list[str]
) -> None:
    """Every combination of numbers, of None, nan and infinity gives a cause, why, and what to do."""
    evidence = SpikeEvidence(
        step=3, loss_at=loss, uphill=uphill, updates_between=updates, non_finite=tuple(names), **numbers
    )
    finding = cause_of(evidence)
    assert finding.because and all(finding.because)
    assert all(remedies(finding.cause, evidence))
    assert report(evidence).from_json(report(evidence).to_json()).cause == finding.cause
    assert str(report(evidence)).startswith("Loss spike at step 3")


def report(evidence: SpikeEvidence) -> SpikeReport:
    finding = cause_of(evidence)
    return SpikeReport(
        step=evidence.step,
        cause=finding.cause,
        because=finding.because,
        ruled_out=finding.ruled_out,
        advice=remedies(finding.cause, evidence),
        evidence=evidence,
        history=SpikeHistory(
            step=(1, 2, 3), loss=(1.0, 1.1, evidence.loss_at), lr=(0.1, 0.1, 0.1),
            gradient_norm=(1.0, None, 2.0), update_norm=(None, 0.1, None),
        ),
        profile=((0.0, 1.0), (0.5, 0.9), (1.0, 8.0)),
    )  # fmt: skip


def test_a_report_in_words() -> None:
    assert str(report(IN_WEIGHTS).ended(58, 9.0, True)) == (
        "Loss spike at step 50: 8 after 1, 12 times as far as losses here usually scatter. Cause: curvature. "
        "The update before the spike was 2.00 times as long as the curvature along it allows on the probe batch: "
        "the loss came back to its old value after 0.5 of it. "
        "The update raised the loss of the probe batch from 1 to 8.\n"
        "The loss was back at step 58, after a peak of 9.\n"
        "What to do: Lower the step size from 0.1 to 0.035 or less, or come back to 0.1 by a warm-up. "
        "If the loss does not come back, go on from the last checkpoint before it."
    )
    missing = replace(IN_BATCH, unmeasured=("the layer: none",))
    assert str(report(missing)).endswith("Not measured: the layer: none.")
    assert "Other causes: the probe batch went from 1 to 1" in str(report(missing))
    assert "The loss stayed at a new level at step 58" in str(report(IN_BATCH).ended(58, 9, False))


def test_a_report_goes_through_json() -> None:
    """With nan and infinity, which strict JSON does not have."""
    for evidence in (IN_WEIGHTS, replace(IN_WEIGHTS, scales=math.inf, edge_ratio_probe=math.inf)):
        before = report(evidence).ended(60, 9.0, True)
        json.loads(before.to_json(), parse_constant=pytest.fail)
        assert SpikeReport.from_json(before.to_json()) == before
    again = SpikeReport.from_json(report(NAN).to_json())
    assert math.isnan(again.evidence.loss_at)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is no JSON"),
        ("[]", "it does not say that its format is 'edgewise spike report 1'"),
        ('{"format": "edgewise spike report 2"}', "it does not say that its format is"),
        ('{"format": "edgewise spike report 1"}', "its fields are not those of a report"),
        ("cause", "its cause is 'sunspots'"),
        ("history", "the columns of its history differ in length"),
        ("evidence", "its fields are not those of a report"),
        ("number", "probe_old is 'low', not a number"),
    ],
)
def test_what_is_no_report_is_refused(text: str, why: str) -> None:
    stored = json.loads(report(IN_WEIGHTS).to_json())
    if text == "cause":
        text = json.dumps({**stored, "cause": "sunspots"})
    elif text == "history":
        stored["history"]["step"] = {"tuple": [1]}
        text = json.dumps(stored)
    elif text == "evidence":
        stored["evidence"]["moon"] = 1.0
        text = json.dumps(stored)
    elif text == "number":
        stored["evidence"]["probe_old"] = "low"
        text = json.dumps(stored)
    with pytest.raises(DataError, match="a stored spike report") as error:
        SpikeReport.from_json(text)
    assert why in str(error.value)
    assert "Give the text that SpikeReport.to_json returned" in str(error.value)


def test_everything_measured_is_in_the_json() -> None:
    stored = json.loads(report(IN_WEIGHTS).to_json())
    assert stored["evidence"].keys() == asdict(IN_WEIGHTS).keys()


def test_a_figure_of_three_panels(tmp_path: Path) -> None:
    drawn = report(replace(IN_WEIGHTS, gradient_norm_before=1.0)).figure(tmp_path / "spike.png")
    assert isinstance(drawn, Figure)
    assert [axes.get_title(loc="left") for axes in drawn.axes] == [
        "The loss", "What the optimiser did", "Along the update before it",
    ]  # fmt: skip
    along = drawn.axes[2]
    # The critical step: the old loss at half the update.
    critical = next(line for line in along.lines if str(line.get_label()).startswith("critical"))
    assert list(critical.get_xydata()[0]) == [0.5, 1.0]
    assert (tmp_path / "spike.png").stat().st_size > 10_000
    with pytest.raises(SettingError, match=r"a figure called 'spike.gif'"):
        report(IN_WEIGHTS).figure(tmp_path / "spike.gif")


def test_a_figure_of_what_is_there() -> None:
    """Without norms and without a profile only the loss is drawn, and a loss that is nan is marked."""
    bare = replace(report(NAN), profile=())
    (axes,) = bare.figure().axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["the loss is nan"]
