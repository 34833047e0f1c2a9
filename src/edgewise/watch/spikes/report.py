"""What a loss spike was, for somebody who has to decide what to do about it: sentences, JSON, a figure."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, final, get_args

import numpy as np
from matplotlib.figure import Figure

from edgewise.figures import FAINT, PALETTE, Curve, Level, Panel, plate, save
from edgewise.foundation import DataError, NounError, decode, encode
from edgewise.watch.spikes.causes import Cause
from edgewise.watch.spikes.evidence import SpikeEvidence

Style = Literal["line", "dashes", "dots"]

_FORMAT = "edgewise spike report 1"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeHistory:
    """The steps up to the spike, a tuple for each column.

    Attributes:
        step: the last one is that of the spike.
        loss: of each.
        lr: the step size of each.
        gradient_norm: ‖g‖ of each; None where it was not measured.
        update_norm: ‖Δ‖ of the update that each step made.
    """

    step: tuple[int, ...]
    loss: tuple[float, ...]
    lr: tuple[float, ...]
    gradient_norm: tuple[float | None, ...]
    update_norm: tuple[float | None, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeReport:
    """A loss spike, its cause, and the evidence.

    Attributes:
        step: where it begins.
        cause: one word for it.
        because: sentences that say why, the decisive one first.
        ruled_out: what it was not.
        advice: what to do, the first thing first.
        evidence: the numbers.
        history: the steps before it.
        profile: (s, loss of the probe batch at old + s (new − old)) along the update before the spike.
        peak: the highest loss of the spike; None as long as it lasts.
        over: the step at which it was over; None as long as it lasts.
        recovered: whether the loss came back; None as long as it lasts.
    """

    step: int
    cause: Cause
    because: tuple[str, ...]
    ruled_out: tuple[str, ...]
    advice: tuple[str, ...]
    evidence: SpikeEvidence
    history: SpikeHistory
    profile: tuple[tuple[float, float], ...] = ()
    peak: float | None = None
    over: int | None = None
    recovered: bool | None = None

    def ended(self, step: int, peak: float | int, recovered: bool) -> "SpikeReport":
        """The same, once it is known how it went on.

        Args:
            step: at which it was over.
            peak: its highest loss.
            recovered: whether the loss came back.
        """
        return replace(self, over=step, peak=float(peak), recovered=recovered)

    def __str__(self) -> str:
        because = [_sentence(words) for words in self.because]
        lines = [f"{self._headline()} {' '.join(because)}"]
        if self.ruled_out:
            lines.append(f"Other causes: {'; '.join(self.ruled_out)}.")
        if self.over is not None:
            how = "was back" if self.recovered else "stayed at a new level"
            lines.append(f"The loss {how} at step {self.over}, after a peak of {self.peak:.4g}.")
        lines.append(f"What to do: {' '.join(_sentence(words) for words in self.advice)}")
        if self.evidence.unmeasured:
            lines.append(f"Not measured: {'; '.join(self.evidence.unmeasured)}.")
        return "\n".join(lines)

    def to_json(self) -> str:
        """The report as JSON, which `from_json` reads back."""
        return json.dumps({"format": _FORMAT, **encode(asdict(self))}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "SpikeReport":
        """Read what `to_json` wrote.

        Raises:
            DataError: if the text is not such a report.
        """
        try:
            tree = json.loads(text)
        except ValueError as error:
            raise _not_a_report(f"it is no JSON ({error})") from error
        if not isinstance(tree, dict) or tree.pop("format", None) != _FORMAT:
            raise _not_a_report(f"it does not say that its format is {_FORMAT!r}")
        try:
            values = decode(tree)
            wrong = _misfit(values)
            if wrong is not None:
                raise _not_a_report(wrong)
            values["evidence"] = SpikeEvidence(**values["evidence"])
            values["history"] = SpikeHistory(**values["history"])
            return cls(**values)
        except (NounError, TypeError, KeyError, AttributeError) as error:
            raise _not_a_report(f"its fields are not those of a report ({error})") from error

    def figure(self, path: str | Path | None = None) -> Figure:
        """The spike in pictures: the loss, the norms, and the loss along the update before it.

        Args:
            path: where to write it, as .png, .svg or .pdf; None only returns it.

        Raises:
            SettingError: if the ending is another one.
        """
        panels = [_losses(self), *_norms(self), *_along(self)]
        text = " ".join(_sentence(words) for words in self.because[:2])
        title = f"Loss spike at step {self.step}: {self.cause}"
        drawn = plate(panels, title=title, text=text, columns=len(panels))
        if path is not None:
            save(drawn, path)
        return drawn

    def _headline(self) -> str:
        numbers = self.evidence
        rise = f"Loss spike at step {self.step}: {numbers.loss_at:.4g}"
        if numbers.loss_before is not None:
            rise += f" after {numbers.loss_before:.4g}"
        if numbers.scales is not None and math.isfinite(numbers.scales):
            rise += f", {numbers.scales:.0f} times as far as losses here usually scatter"
        return f"{rise}. Cause: {self.cause}."


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _losses(report: SpikeReport) -> Panel:
    history, level = report.history, report.evidence.loss_before
    at, finite = report.evidence.loss_at, [loss for loss in history.loss if math.isfinite(loss)]
    if math.isfinite(at):
        spike = _curve([(report.step, at)], "the spike", PALETTE[1], "dots")
    else:
        ends = [(report.step, end(finite)) for end in (min, max) if finite]
        spike = _curve(ends, f"the loss is {at}", PALETTE[1], "dashes")
    return Panel(
        x="step",
        y="training loss",
        title="The loss",
        log="y" if all(loss > 0 for loss in finite) else "",
        curves=[Curve(np.array(history.step), np.array(history.loss)), spike],
        levels=[] if level is None else [Level(level, "usual", FAINT)],
    )


def _norms(report: SpikeReport) -> list[Panel]:
    """Norms of gradient and update and the step size, each against its usual value."""
    history, numbers = report.history, report.evidence
    columns: list[tuple[str, Sequence[float | None], float | None]] = [
        ("gradient norm", history.gradient_norm, numbers.gradient_norm_before),
        ("update norm", history.update_norm, numbers.update_norm_before),
        ("step size", history.lr, numbers.lr_before),
    ]
    curves = []
    for name, values, usual in columns:
        if usual is not None and usual > 0:
            relative = [math.nan if value is None else value / usual for value in values]
            style: Style = "dashes" if values is history.lr else "line"
            curves.append(Curve(np.array(history.step), np.array(relative), name, style=style))
    if not curves:
        return []
    return [
        Panel(x="step", y="relative to usual", title="What the optimiser did", log="y", curves=curves,
              levels=[Level(1, "usual", FAINT)])
    ]  # fmt: skip


def _along(report: SpikeReport) -> list[Panel]:
    """The loss of the probe batch along the update, and where it comes back to its old value."""
    numbers = report.evidence
    shown = [(s, loss) for s, loss in report.profile if s <= 2.0]
    if not shown or numbers.probe_old is None:
        return []
    curves = [_curve(shown, "probe batch")]
    if numbers.probe_new is not None:
        curves.append(_curve([(1.0, numbers.probe_new)], "where training went", PALETTE[1], "dots"))
    ratio = numbers.edge_ratio_probe
    if ratio is not None and 0.5 <= ratio < math.inf:
        curves.append(_curve([(1 / ratio, numbers.probe_old)], f"critical: {1 / ratio:.2g}", PALETTE[2], "dots"))
    finite = [loss for _, loss in shown if math.isfinite(loss)]
    long = bool(finite) and min(finite) > 0 and max(finite) > 10 * min(finite)
    return [
        Panel(x="multiple of the update", y="loss", title="Along the update before it", log="y" if long else "",
              curves=curves, levels=[Level(numbers.probe_old, "before it", FAINT)])
    ]  # fmt: skip


def _curve(
    points: Sequence[tuple[float | int, float]], label: str, color: str | None = None, style: Style = "line"
) -> Curve:
    pairs = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Curve(pairs[:, 0], pairs[:, 1], label, color, style)


def _misfit(values: Mapping[str, Any]) -> str | None:
    """What is wrong with the values of a report that was read, if anything."""
    if values["cause"] not in get_args(Cause):
        return f"its cause is {values['cause']!r}"
    columns = list(values["history"].values())
    if len({len(column) if isinstance(column, tuple) else -1 for column in columns}) != 1:
        return "the columns of its history differ in length"
    words = ("non_finite", "unmeasured", "overflow")
    for name, value in values["evidence"].items():
        if name not in words and not isinstance(value, int | float | None):
            return f"{name} is {value!r}, not a number"
    return None


def _not_a_report(why: str) -> DataError:
    return DataError("a stored spike report", why, "Give the text that SpikeReport.to_json returned")
