"""The watch over somebody else's training: one object, one call a step."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.foundation import JSON, SettingError, first_line
from edgewise.methods import CriticalLine, line_from_torch
from edgewise.objectives import fixed_data
from edgewise.watch.advice import Advice, advise, momentum_of
from edgewise.watch.budget import Budget, Cadence, share_of
from edgewise.watch.clipping import Clipping
from edgewise.watch.complaints import Complaints
from edgewise.watch.instrument import Moment
from edgewise.watch.live import Autocast, LiveLoss, replicas
from edgewise.watch.losses import Losses
from edgewise.watch.observer import Observer
from edgewise.watch.preflight import inspect_training
from edgewise.watch.reading import Reading, Readings
from edgewise.watch.rota import Rota
from edgewise.watch.spikes import SpikeReport
from edgewise.watch.spotter import Spotter
from edgewise.watch.state import reading_from, reading_to
from edgewise.watch.verdict import Verdict, judge

Sink = Callable[[int, Mapping[str, float]], None]

# A table that is this long loses every second row of its older half.
_MOST_ROWS = 8192
# To look at losses may take this share of the budget; where it would take more, some are left out, but never more
# than all but one in so many. With the norms, and what a spike is replayed from, that leaves two fifths of the
# budget to curvature or more.
_LOOKS, _SELDOM = 1 / 3, 10


@final
class Watch:
    """A watch over a training loop: where it stands against the edge of stability, at a stated cost.

        watch = ew.Watch(model, optimizer, criterion, probe_batch)
        for inputs, targets in loader:
            ...
            optimizer.step()
            watch.step(loss)
        print(watch.verdict())

    A sharded model (`fully_shard`) takes all its processes to compute a loss: each of them makes a watch, with a
    probe batch of its own, and calls `step` at every step, and all read the same numbers, those of the probe
    batches together. Forward passes are all that is read of it; a spike is seen and not replayed.

    It changes nothing: parameters, gradients, buffers, random numbers, mode and the optimiser are bit by
    bit what they would be without it. After its construction it raises nothing: what fails is said in one warning.

    Args:
        model: as it is trained, in train mode.
        optimizer: any of `torch.optim` that steps without a closure; read anew at every reading.
        criterion: `criterion(outputs, targets)` → scalar; None for a model that returns its own loss.
        probe_batch: `(inputs, targets)` on which curvature is read, always the same; a dict of keyword arguments
            with no criterion. Larger is more exact, and costs more; it takes that of several batches of the
            training to see their noise, which lowers the edge.
        budget: the share of the training time that watching may cost, such as 0.03 or `"3%"`;
            or a `Budget` with a clock of its own. The first curvature is read when it brings the cost to no more
            than 4/3 of that: where it takes as long as 3 steps and the budget is 1 %, after 225 steps or more, and
            a run that is shorter is not read. To look at a loss costs 10 to 30 µs on a CPU; where that is more
            than 1/3 of the budget, some are not looked at, nine of ten at most, and a spike among them is missed.
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
        budget: float | int | str | Budget = 0.03,
        *,
        batch_size: int | None = None,
        autocast: Autocast | None = None,
        to: Sink | Sequence[Sink] = (),
        seed: int = 0,
    ) -> None:
        self._budget = budget if isinstance(budget, Budget) else Budget(share_of(budget))
        self._optimizer, parameters = inspect_training(model, optimizer, batch_size)
        self._tensors = list(parameters.values())
        self._replicas = replicas(model)
        self._live = LiveLoss(model, criterion, probe_batch, parameters, autocast=autocast, seed=seed)
        self._batch_size, self._observes_autocast = batch_size, autocast is None
        self._sinks: tuple[Sink, ...] = (to,) if callable(to) else tuple(to)
        self.steps = 0
        self._own_batches = False
        self._rows: list[Reading] = []
        self._line: CriticalLine | None = None
        self._clipping = Clipping()
        self._complaints = Complaints()
        self._rota = Rota(self._live, self._budget, self._complaints, seed)
        self._spotter = Spotter(
            self._live, self._optimizer, self._tensors, self._budget, self._last_ratio,
            lambda step: self._tell(step, {"edgewise/spike": 1.0}),
        )  # fmt: skip
        self._observer: Observer | None = Observer(model)
        # The last step that was looked at, and the next one.
        self._looked, self._next = -1, 0
        self._busy = True
        self._pace = Cadence(self._budget, _LOOKS)
        self._stride = 1
        # The seconds that had gone by at every step when losses were last looked at; None if something was read.
        self._idle: float | None = None

    def step(self, loss: Any, batch: Any = None) -> None:
        """Say that the optimiser has stepped.

        Args:
            loss: of the training step, a number or a scalar tensor.
            batch: what it was the loss of, in the form of the probe batch. With it curvature along an update is
                read on the update's own batch, and a bad batch can be told from a step that was too large.
        """
        # Out of cold caches every line of this takes about a microsecond, and every call two.
        step = self.steps
        self.steps = step + 1
        if step < self._next:
            return
        budget = self._budget
        budget.begin(step - self._looked)
        self._looked, self._next = step, step + self._stride
        try:
            looked = 0
            try:
                looked = self._spotter.see(step, loss, batch)
            except Exception as error:
                self._complaints.about("the loss of a step", error)
            if looked or self._busy or budget.training >= budget.wake:
                self._attend(step, batch, looked)
        except Exception as error:  # nothing of ours may stop somebody else's training
            self._complaints.about("the watch", error)
        finally:
            budget.end()

    @property
    def losses(self) -> Losses:
        """What the training reported, fewer of the losses long ago."""
        self._spotter.settle()
        return self._spotter.losses

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
        self._spotter.settle()
        return tuple(self._spotter.spikes)

    def verdict(self) -> Verdict:
        """Where the run stands."""
        self._spotter.settle()
        return judge(
            self.readings,
            self.losses,
            self.steps,
            self._lr,
            small_batches=self._small_batches,
            own_batches=self._own_batches,
            optimizer=self._optimizer_in_words(),
        )

    def advise(self) -> Advice:
        """How large the step size may be now, what breaks first, and how long to warm up."""
        self._spotter.settle()
        group = self._optimizer.param_groups[0]
        return advise(
            self.readings,
            self.losses,
            [report.step for report in self._spotter.spikes],
            self._lr,
            small_batches=self._small_batches,
            momentum=momentum_of(self._optimizer),
            shares=self._rota.shares,
            full_lr=float(group.get("initial_lr", group["lr"])) or None,
        )

    def state_dict(self) -> dict[str, JSON]:
        """What the watch has seen, as numbers and words that JSON can hold."""
        self._spotter.settle()
        return {
            "steps": self.steps,
            "losses": [[int(s) for s in self.losses.step], [float(x) for x in self.losses.loss]],
            "not_finite": self.losses.not_finite,
            "readings": [reading_to(row) for row in self._rows],
            "spikes": [report.to_json() for report in self._spotter.spikes],
            "batch_size": self._batch_size,
            "training_seconds": self._budget.training,
            "own_seconds": self._budget.own,
            "charged_seconds": {**self._budget.charged},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on as the watch that `state_dict` was taken from.

        Raises:
            SettingError: if it is not such a state.
        """
        self._spotter.settle()
        try:
            losses = Losses()
            for step, loss in zip(*state["losses"], strict=True):
                losses.add(int(step), float(loss))
            losses.not_finite = state["not_finite"]
            rows = [reading_from(row) for row in state["readings"]]
            spikes = [SpikeReport.from_json(text) for text in state["spikes"]]
            steps, size = int(state["steps"]), state["batch_size"]
            training, own = float(state["training_seconds"]), float(state["own_seconds"])
            # Older states do not have it; the readings say what they took, so that credit is not given again.
            charged = {name: float(seconds) for name, seconds in state.get("charged_seconds", {}).items()}
            for row in rows if "charged_seconds" not in state else ():
                charged[row.kind] = charged.get(row.kind, 0.0) + row.seconds
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SettingError(
                "a state that no watch has given",
                f"something in it is missing or of another kind ({type(error).__name__}: {first_line(error)})",
                "Give what watch.state_dict() returned",
            ) from error
        self.steps, self._rows = steps, rows
        self._looked, self._next, self._idle = steps - 1, steps, None
        self._spotter.losses, self._spotter.spikes = losses, spikes
        self._batch_size = size if self._batch_size is None else self._batch_size
        self._budget.training, self._budget.own, self._budget.charged = training, own, charged

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

    def _attend(self, step: int, batch: Any, looked: int) -> None:
        """Read what is to be read, and settle when to look again."""
        self._own_batches = batch is not None
        if self._observer is not None:
            self._learn(self._observer)
            self._rota.own_batches(next((t.shape[0] for t in fixed_data.tensors_in(batch) if t.ndim), 0))
        if not self._rota.rests(step):
            self._synchronize()
            self._record(self._rota.read(self._moment(step, batch)))
            self._idle = None
        self._busy = self._rota.busy
        if self._busy:
            self._next, self._idle = step + 1, None
        elif looked:
            before, self._idle = self._idle, self._budget.idle
            if before is not None:
                self._pace.took(step, (self._idle - before) / looked)
                self._stride = min(self._pace.interval, _SELDOM)

    def _learn(self, observer: Observer) -> None:
        """What the first step was like."""
        self.close()
        if self._batch_size is None and observer.samples:
            self._batch_size = observer.samples * self._replicas
        if observer.autocast is not None and self._observes_autocast:
            self._live.use_autocast(observer.autocast)

    @property
    def _lr(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def _small_batches(self) -> bool:
        return self._batch_size is not None and self._batch_size < self._live.samples

    def _last_ratio(self) -> float | None:
        """The last edge ratio that was read; not by secants, which say more of the batches."""
        rows = (r for r in reversed(self._rows) if r.kind != "secant curvature")
        return next((r.ratio for r in rows if r.ratio is not None), None)

    def _moment(self, step: int, batch: Any) -> Moment:
        return Moment(
            step=step,
            live=self._live,
            before=self._rota.before,
            gradients=[p.grad for p in self._tensors],
            lr=self._lr,
            batch=batch,
            batch_size=self._batch_size,
            line=self._read_line,
            clipping=self._clipping,
        )

    def _read_line(self) -> CriticalLine:
        self._line = line_from_torch(self._optimizer, self._tensors)
        return self._line

    def _record(self, readings: list[Reading]) -> None:
        self._rows.extend(readings)
        if len(self._rows) > _MOST_ROWS:
            half = _MOST_ROWS // 2
            self._rows[:half] = self._rows[:half:2]
        for step, together in groupby(readings, key=lambda row: row.step):
            numbers = {"edgewise/loss": self._spotter.losses.last} if len(self._spotter.losses) else {}
            # The last of them is what the others lead to.
            for row in together:
                numbers[f"edgewise/{row.kind.replace(' ', '_')}"] = row.value
                if row.kind == "effective sharpness":
                    numbers["edgewise/effective_sharpness_bound"] = row.high - row.value
                # Two successive gradients of small batches differ mostly because their samples do.
                if row.kind != "secant curvature" and row.ratio is not None and math.isfinite(row.ratio):
                    numbers["edgewise/edge_ratio"] = row.ratio
                if row.critical is not None:
                    numbers["edgewise/critical_curvature"] = row.critical
            self._tell(step, numbers)

    def _tell(self, step: int, numbers: Mapping[str, float]) -> None:
        for sink in self._sinks:
            try:
                sink(step, numbers)
            except Exception as error:
                self._complaints.about(f"the sink {sink!r}", error)

    def _synchronize(self) -> None:
        """Let the device finish what the training has queued, on the training's time."""
        if self._live.device.type == "cuda":
            torch.cuda.synchronize(self._live.device)
            self._budget.waited()

    def _optimizer_in_words(self) -> str:
        name = type(self._optimizer).__name__
        if self._line is not None:
            norm = self._clipping.max_norm
            clipped = "" if norm is None else f", higher where gradients are clipped to a norm of {norm:.3g}"
            return f"{name} with its edge at {self._line.formula} = {self._line.critical_curvature:.4g}{clipped}"
        by = f"{name}, by its own updates"
        return f"{by}: second derivatives of a sharded model are not read" if self._live.shards else by
