"""What a loss spike was, for somebody who has to decide what to do about it: sentences, JSON, a figure."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final, get_args

from edgewise.foundation import DataError, NounError, decode, encode
from edgewise.watch.spikes.causes import Cause
from edgewise.watch.spikes.evidence import SpikeEvidence
from edgewise.watch.spikes.history import SpikeHistory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FORMAT = "edgewise spike report 1"


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

    def figure(self, path: str | Path | None = None) -> "Figure":
        """The spike in pictures: the loss, the norms, and the loss along the update before it.

        Args:
            path: where to write it, as .png, .svg or .pdf; None only returns it.

        Raises:
            SettingError: if the ending is another one.
        """
        # Here, so that a watch that draws nothing needs no plotting library.
        from edgewise.figures import save
        from edgewise.watch.spikes.drawing import picture

        drawn = picture(
            self.history,
            self.evidence,
            self.profile,
            title=f"Loss spike at step {self.step}: {self.cause}",
            text=" ".join(_sentence(words) for words in self.because[:2]),
        )
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
