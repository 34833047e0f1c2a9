"""A watch in Lightning: a callback beside `Trainer.fit`, with `lightning` or `pytorch_lightning`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, final

from torch import Tensor

from edgewise.foundation import JSON, SettingError
from edgewise.watch.companion import Companion
from edgewise.watch.library import library
from edgewise.watch.watch import Sink, Watch


def _callbacks() -> tuple[type, ...]:
    """The Callback of the Lightning in use: the two packages do not take each other's."""
    loaded = [name for name in ("lightning.pytorch", "pytorch_lightning") if sys.modules.get(name) is not None]
    if not loaded:
        alone = find_spec("lightning") is None and find_spec("pytorch_lightning") is not None
        loaded = ["pytorch_lightning" if alone else "lightning.pytorch"]
    return tuple(library(name, "lightning", "watching a Lightning trainer").Callback for name in loaded)


_BASES = _callbacks()
_UTILITIES = library(_BASES[0].__module__.partition(".callbacks")[0] + ".utilities", "lightning", "its messages")


@final
class WatchCallback(*_BASES):  # type: ignore[misc]
    """Watches `Trainer.fit`: readings go to the trainer's loggers, the verdict is said when training ends.

        trainer = Trainer(callbacks=[WatchCallback(nn.functional.cross_entropy)])

    The loss is read as `criterion(module(inputs), targets)` on batches of the train loader; `training_step` is
    never called, since it may log, count and collect. So the criterion has to be the one that it uses. Batches
    of which the optimiser makes one step, accumulated, count as one step.

    Args:
        criterion: `criterion(outputs, targets)` → scalar; None for a module whose `forward` takes a batch's
            entries by name and returns the loss, or an output with `.loss`.
        probe_batch: on which curvature is read; None takes the first batch of the training.
        budget: the share of the training time that watching may cost.
        to: sinks beside the trainer's loggers.
        settings: what else `Watch` is to be made with.

    Attributes:
        watch: the watch, from the first batch on.
    """

    def __init__(
        self,
        criterion: Callable[..., Tensor] | None = None,
        probe_batch: Any = None,
        budget: float | int | str = 0.03,
        *,
        to: Sink | Sequence[Sink] = (),
        **settings: Any,
    ) -> None:
        super().__init__()
        self._companion = Companion(criterion, probe_batch, to, {"budget": budget, **settings})
        self._steps = 0

    @property
    def watch(self) -> Watch | None:
        """The watch; None before the first batch."""
        return self._companion.watch

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Make the watch before the first step."""
        if not self._companion.waiting:
            return
        with self._companion.guarded():
            self._begin(trainer, pl_module, batch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Step the watch, if the optimiser has stepped."""
        with self._companion.guarded():
            loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
            if loss is None:
                self._companion.forget()
                return
            self._companion.note(loss, batch)
            if trainer.global_step != self._steps:
                self._steps = trainer.global_step
                # Lightning has divided every loss by the number of batches that are accumulated.
                self._companion.stepped(total=True)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Say the verdict."""
        verdict = self._companion.end()
        if verdict is not None:
            _UTILITIES.rank_zero_info(verdict)

    def state_dict(self) -> dict[str, JSON]:
        """What the trainer puts into its checkpoints."""
        return self._companion.state_dict()

    def load_state_dict(self, state_dict: dict[str, JSON]) -> None:
        """Take up what a checkpoint has."""
        self._companion.load_state_dict(state_dict)

    def _begin(self, trainer: Any, pl_module: Any, batch: Any) -> None:
        self._steps = trainer.global_step
        if len(trainer.optimizers) != 1:
            raise SettingError(
                f"a module with {len(trainer.optimizers)} optimisers",
                "a watch reads one",
                "Make a Watch for each in the module itself, and step it after its optimiser",
            )

        def log(step: int, numbers: Mapping[str, float]) -> None:
            for logger in trainer.loggers:
                logger.log_metrics(dict(numbers), step=step)

        self._companion.begin(
            pl_module, trainer.optimizers[0], batch, (log,), autocast=trainer.precision_plugin.forward_context
        )
