"""The watch over somebody else's training: one object, one call a step."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.foundation import JSON, EdgewiseError, SettingError, first_line
from edgewise.methods import CriticalLine, line_from_torch
from edgewise.watch.advice import Advice, advise, momentum_of
from edgewise.watch.budget import Budget, share_of
from edgewise.watch.instruments import (
    CriticalSharpness,
    EffectiveSharpness,
    GradientCurvature,
    Instrument,
    Moment,
    Norms,
)
from edgewise.watch.live import Autocast, LiveLoss, Weights
from edgewise.watch.losses import Losses
from edgewise.watch.observer import Observer
from edgewise.watch.preflight import inspect_training
from edgewise.watch.reading import Reading, Readings
from edgewise.watch.spikes import Detector, Recorder, SpikeReport, investigate
from edgewise.watch.state import reading_from, reading_to
from edgewise.watch.verdict import Verdict, judge

Sink = Callable[[int, Mapping[str, float]], None]

# From this edge ratio on, eigenpairs are worth their price.
_NEAR, _NEAR_WEIGHT = 0.6, 2.0
# What is nearly free is read every so many steps, if nothing else is.
_LIGHT = 10
# Copies of the weights, in which a spike is replayed, may take this share of the budget.
_COPIES = 1 / 5
# A table that is this long loses every second row of its older half.
_MOST_ROWS = 8192
# An instrument that fails so many times in a row is left alone.
_PATIENCE = 3


class WatchWarning(UserWarning):
    """Something that the watch could not do; the training is not concerned."""


@final
class Watch:
    """A watch over a training loop: where it stands against the edge of stability, at a stated cost.

        watch = ew.Watch(model, optimizer, criterion, probe_batch)
        for inputs, targets in loader:
            ...
            optimizer.step()
            watch.step(loss)
        print(watch.verdict())

    It changes nothing: parameters, gradients, buffers, random numbers, mode and the optimiser are bit by
    bit what they would be without it. After its construction it raises nothing: what fails is said in one warning.

    Args:
        model: as it is trained, in train mode.
        optimizer: any of `torch.optim` that steps without a closure; read anew at every reading.
        criterion: `criterion(outputs, targets)` → scalar; None for a model that returns its own loss.
        probe_batch: `(inputs, targets)` on which curvature is read, always the same; a dict of keyword arguments
            with no criterion. Larger is more exact, and costs more.
        budget: the share of the training time that watching may cost, such as 0.03 or `"3%"`.
        batch_size: samples that an update averages over; None observes the first step.
        autocast: makes the context in which forward passes run, such as
            `lambda: torch.autocast("cuda", torch.bfloat16)`; None observes the first step.
        to: where readings go as they are made: functions of the step and a mapping of names to numbers.
        seed: of everything random in here.

    Raises:
        SettingError: if the parts do not fit, before any training time is spent.

    References:
        cohen2021gradient, cohen2022adaptive, andreyev2024edge, critical2026sharpness
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        criterion: Callable[..., Tensor] | None,
        probe_batch: Any,
        budget: float | int | str = 0.03,
        *,
        batch_size: int | None = None,
        autocast: Autocast | None = None,
        to: Sink | Sequence[Sink] = (),
        seed: int = 0,
    ) -> None:
        share = share_of(budget)
        self._optimizer, self._parameters = inspect_training(model, optimizer, batch_size)
        self._live = LiveLoss(model, criterion, probe_batch, self._parameters, autocast=autocast, seed=seed)
        self._tensors = list(self._parameters.values())
        self._batch_size = batch_size
        self._sinks: tuple[Sink, ...] = (to,) if callable(to) else tuple(to)
        self._instruments: dict[str, Instrument] = {
            "norms": Norms(),
            "critical sharpness": CriticalSharpness(),
            "gradient curvature": GradientCurvature(seed),
            "effective sharpness": (eigenvector := EffectiveSharpness(seed)),
        }
        self._eigenvector = eigenvector
        if not self._live.differentiable_twice:
            del self._instruments["gradient curvature"], self._instruments["effective sharpness"]
        self.steps = 0
        self.losses = Losses()
        self._rows: list[Reading] = []
        self._armed: str | None = None
        self._following: Instrument | None = None
        self._before: Weights | None = None
        self._line: CriticalLine | None = None
        self._pending: list[tuple[int, Any]] = []
        self._detector = Detector()
        self._recorder = Recorder(self._tensors)
        self._copy_every, self._copy_seconds = 1, 1e-4
        self._spikes: list[SpikeReport] = []
        self._failures: dict[str, int] = {}
        self._warned: set[str] = set()
        self._budget = Budget(share)
        clock = time.perf_counter()
        self._live.value_at()
        self._pass_seconds = time.perf_counter() - clock
        for name, instrument in self._instruments.items():
            self._budget.expect(name, instrument.passes * self._pass_seconds)
        self._observer: Observer | None = Observer(model)

    def step(self, loss: Any, batch: Any = None) -> None:
        """Say that the optimiser has stepped.

        Args:
            loss: of the training step, a number or a scalar tensor.
            batch: what it was the loss of, in the form of the probe batch. With it curvature along an update is
                read on the update's own batch, and a bad batch can be told from a step that was too large.
        """
        self._budget.begin()
        try:
            self._step(loss, batch)
        except Exception as error:  # nothing of ours may stop somebody else's training
            self._complain("the watch", error)
        finally:
            self._budget.end()

    @property
    def readings(self) -> Readings:
        """All readings so far."""
        return Readings(self._rows)

    @property
    def cost(self) -> float:
        """The share of the training time that watching took so far."""
        return self._budget.kept

    @property
    def spikes(self) -> tuple[SpikeReport, ...]:
        """The loss spikes so far, each with its cause."""
        self._settle()
        return tuple(self._spikes)

    def verdict(self) -> Verdict:
        """Where the run stands."""
        self._settle()
        return judge(
            self.readings,
            self.losses,
            self.steps,
            self._lr,
            small_batches=self._small_batches,
            optimizer=self._optimizer_in_words(),
        )

    def advise(self) -> Advice:
        """How large the step size may be now, what breaks first, and how long to warm up.

        Raises:
            SettingError: if the step size is zero, which no reading can be compared with.
        """
        self._settle()
        return advise(
            self.readings,
            self.losses,
            [report.step for report in self._spikes],
            self._lr,
            small_batches=self._small_batches,
            momentum=momentum_of(self._optimizer),
            shares=self._eigenvector.shares,
        )

    def state_dict(self) -> dict[str, JSON]:
        """What the watch has seen, as numbers and words that JSON can hold."""
        self._settle()
        return {
            "steps": self.steps,
            "losses": [[int(s) for s in self.losses.step], [float(x) for x in self.losses.loss]],
            "not_finite": self.losses.not_finite,
            "readings": [reading_to(row) for row in self._rows],
            "spikes": [report.to_json() for report in self._spikes],
            "batch_size": self._batch_size,
            "training_seconds": self._budget.training,
            "own_seconds": self._budget.own,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on as the watch that `state_dict` was taken from.

        Raises:
            SettingError: if it is not such a state.
        """
        try:
            losses = Losses()
            for step, loss in zip(*state["losses"], strict=True):
                losses.add(int(step), float(loss))
            losses.not_finite = state["not_finite"]
            rows = [reading_from(row) for row in state["readings"]]
            spikes = [SpikeReport.from_json(text) for text in state["spikes"]]
            steps, size = int(state["steps"]), state["batch_size"]
            training, own = float(state["training_seconds"]), float(state["own_seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise SettingError(
                "a state that no watch has given",
                f"something in it is missing or of another kind ({type(error).__name__}: {first_line(error)})",
                "Give what watch.state_dict() returned",
            ) from error
        self.steps, self.losses, self._rows, self._spikes = steps, losses, rows, spikes
        self._batch_size = size if self._batch_size is None else self._batch_size
        self._budget.training, self._budget.own = training, own

    def close(self) -> None:
        """Take everything of the watch off the model."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Watch(steps={self.steps}, readings={len(self._rows)}, cost={self.cost:.1%})"

    def _step(self, loss: Any, batch: Any) -> None:
        step, self.steps = self.steps, self.steps + 1
        self._take(step, loss, batch)
        if self._observer is not None:
            self._learn(self._observer)
        if self._armed is None and self._following is None:
            if not self._budget.asleep or step % _LIGHT == 0:
                self._arm(light=step % _LIGHT == 0)
            return
        self._synchronize()
        moment = self._moment(step, batch)
        following, self._following = self._following, None
        if following is not None:
            self._record(self._try("norms", lambda: following.follow(moment)))
        armed, self._armed = self._armed, None
        if armed is not None:
            instrument = self._instruments[armed]
            clock = time.perf_counter()
            readings = self._try(armed, lambda: instrument.read(moment))
            self._charge(armed, readings, time.perf_counter() - clock)
            self._record(readings)
            if isinstance(instrument, Norms):
                self._following = instrument
        if self._following is None:
            self._arm(light=False)

    def _take(self, step: int, loss: Any, batch: Any) -> None:
        """Keep the loss, and look whether it is a spike."""
        loss = loss.detach() if isinstance(loss, Tensor) else float(loss)
        self._pending.append((step, loss))
        # To look at a number on an accelerator is to wait for it.
        if not isinstance(loss, Tensor) or loss.device.type == "cpu" or len(self._pending) >= _LIGHT:
            self._settle(batch)
        self._keep(step, loss, batch)

    def _settle(self, batch: Any = None) -> None:
        """Take in the losses that are waiting."""
        pending, self._pending = self._pending, []
        for step, loss in pending:
            value = float(loss)
            self.losses.add(step, value)
            event = self._detector.see(step, value)
            if event == "begins":
                self._investigate(batch if step == self.steps - 1 else None)
            elif event == "over" and self._spikes and self._detector.spike is not None:
                spike = self._detector.spike
                if self._spikes[-1].step == spike.step:
                    self._spikes[-1] = replace(
                        self._spikes[-1], peak=spike.peak, over=spike.over, recovered=spike.recovered
                    )

    def _investigate(self, batch: Any) -> None:
        spike = self._detector.spike
        assert spike is not None  # it has just begun
        ratios = [r.ratio for r in self._rows if r.ratio is not None and r.kind != "secant curvature"]
        report = investigate(
            self._recorder,
            self._live,
            self._optimizer,
            spike,
            batch=batch,
            gradient_norm=self._gradient_norm(),
            lr=self._lr,
            last_edge_ratio=ratios[-1] if ratios else None,
        )
        self._spikes.append(report)
        self._tell(spike.step, {"edgewise/spike": 1.0})

    def _keep(self, step: int, loss: Any, batch: Any) -> None:
        """Keep what a spike would be replayed from; the weights as often as the budget allows."""
        copied = step % self._copy_every == 0
        clock = time.perf_counter()
        self._recorder.keep(
            step,
            loss if not isinstance(loss, Tensor) or loss.device.type == "cpu" else math.nan,
            self._lr,
            copied,
            batch,
            gradient_norm=self._gradient_norm() if copied else None,
        )
        usual = self._budget.usual
        if copied and usual:
            seconds = time.perf_counter() - clock
            # One slow copy among many is the machine's.
            self._copy_seconds += 0.2 * (min(seconds, 2 * self._copy_seconds) - self._copy_seconds)
            self._copy_every = max(1, math.ceil(self._copy_seconds / (_COPIES * self._budget.share * usual)))

    def _gradient_norm(self) -> Tensor | None:
        gradients = [p.grad for p in self._tensors if p.grad is not None]
        return nn.utils.get_total_norm(gradients) if gradients else None

    @property
    def _lr(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def _learn(self, observer: Observer) -> None:
        """What the first step was like."""
        self.close()
        if self._batch_size is None and observer.samples:
            self._batch_size = observer.samples
        if observer.autocast is not None and self._live.autocast is not observer.autocast:
            self._live.use_autocast(observer.autocast)

    def _arm(self, *, light: bool) -> None:
        """Choose what to read at the next step, and keep the weights before it if that is needed."""
        weights = {
            name: instrument.weight * (self._nearness() if name == "effective sharpness" else 1.0)
            for name, instrument in self._instruments.items()
            if instrument.weight > 0 and self._failures.get(name, 0) < _PATIENCE
        }
        self._armed = self._budget.next(weights)
        if self._armed is None and light and self._budget.affords("norms"):
            self._armed = "norms"
        if self._armed is not None and self._instruments[self._armed].wants_before:
            self._before = self._live.snapshot(self._before)

    def _charge(self, name: str, readings: Sequence[Reading], seconds: float) -> None:
        """Put a reading on the account, and learn from it what the next one will cost."""
        self._budget.charge(name, seconds)
        passes = sum(reading.passes for reading in readings)
        if passes == 0.0:
            self._budget.expect(name, seconds)
            return
        self._pass_seconds = seconds / passes
        self._budget.expect(name, max(self._instruments[name].passes, 1.0) * self._pass_seconds)

    @property
    def _small_batches(self) -> bool:
        return self._batch_size is not None and self._batch_size < self._live.samples

    def _nearness(self) -> float:
        ratio = next((r.ratio for r in reversed(self._rows) if r.ratio is not None), None)
        return _NEAR_WEIGHT if ratio is not None and ratio > _NEAR else 1.0

    def _moment(self, step: int, batch: Any) -> Moment:
        return Moment(
            step=step,
            live=self._live,
            before=self._before,
            gradients=[p.grad for p in self._tensors],
            lr=self._lr,
            batch=batch,
            batch_size=self._batch_size,
            line=self._read_line,
        )

    def _read_line(self) -> CriticalLine:
        self._line = line_from_torch(self._optimizer, self._tensors)
        return self._line

    def _record(self, readings: list[Reading]) -> None:
        self._rows.extend(readings)
        if len(self._rows) > _MOST_ROWS:
            half = _MOST_ROWS // 2
            self._rows[:half] = self._rows[:half:2]
        for reading in readings:
            numbers = {f"edgewise/{reading.kind.replace(' ', '_')}": reading.value}
            if reading.ratio is not None and math.isfinite(reading.ratio):
                numbers["edgewise/edge_ratio"] = reading.ratio
            if reading.critical is not None:
                numbers["edgewise/critical_curvature"] = reading.critical
            self._tell(reading.step, numbers)

    def _tell(self, step: int, numbers: Mapping[str, float]) -> None:
        for sink in self._sinks:
            try:
                sink(step, numbers)
            except Exception as error:
                self._complain(f"the sink {sink!r}", error)

    def _try(self, name: str, read: Callable[[], list[Reading]]) -> list[Reading]:
        try:
            readings = read()
        except Exception as error:
            # A line that is not known stays unknown; anything else may pass.
            known = isinstance(error, EdgewiseError)
            self._failures[name] = _PATIENCE if known else self._failures.get(name, 0) + 1
            self._complain(f"the {name}", error)
            return []
        self._failures[name] = 0
        return readings

    def _complain(self, what: str, error: Exception) -> None:
        if what in self._warned:
            return
        self._warned.add(what)
        said = str(error) if isinstance(error, EdgewiseError) else f"{type(error).__name__}: {first_line(error)}."
        warnings.warn(f"edgewise.Watch goes on without {what}. {said}", WatchWarning, stacklevel=4)

    def _synchronize(self) -> None:
        """Let the device finish what the training has queued, on the training's time."""
        if self._live.device.type == "cuda":
            torch.cuda.synchronize(self._live.device)
            self._budget.waited()

    def _optimizer_in_words(self) -> str:
        name = type(self._optimizer).__name__
        if self._line is not None:
            return f"{name} with its edge at {self._line.formula} = {self._line.critical_curvature:.4g}"
        return f"{name}, by its own updates"
