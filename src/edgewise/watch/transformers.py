"""A watch in the Trainer of Hugging Face: a callback that sees the batches through a hook on the model."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

from torch import Tensor

from edgewise.foundation import SettingError
from edgewise.watch.companion import Companion
from edgewise.watch.library import library
from edgewise.watch.live import replicas
from edgewise.watch.sinks import MLflow, TensorBoard, Trackio, WeightsAndBiases
from edgewise.watch.watch import Sink, Watch

_TrainerCallback: Any = library(
    "transformers", "transformers", "watching a Trainer of transformers"
).TrainerCallback

# Under this name the state of the watch lies in trainer_state.json.
_STATE = "edgewise.Watch"
_COUNT = "num_items_in_batch"


@final
class WatchCallback(_TrainerCallback):  # type: ignore[misc]
    """Watches `Trainer.train`: readings go where the Trainer reports to, the verdict is said when training ends.

        trainer = Trainer(model, arguments, train_dataset=dataset, callbacks=[WatchCallback()])

    The Trainer gives a callback neither batch nor loss, so both are taken from the model's own forward passes, by
    a hook that is there while training lasts. The model has to compute its loss itself, as those of transformers
    do when the batch has labels. Batches of which the optimiser makes one step, accumulated, count as one step.

    Readings go at once to the integrations of `report_to` (TensorBoard, Weights & Biases, MLflow, Trackio), in
    the run that the Trainer has opened there; the newest of each kind join the Trainer's own log at its next
    entry. The state of the watch is kept in `trainer_state.json` and taken up on resume.

    Args:
        probe_batch: on which curvature is read, a dict as the data collator makes it; None takes the first one.
        budget: the share of the training time that watching may cost.
        to: sinks beside those of the Trainer.
        settings: what else `Watch` is to be made with.

    Attributes:
        watch: the watch, from the first step on.
    """

    def __init__(
        self,
        probe_batch: Mapping[str, Any] | None = None,
        budget: float | int | str = 0.03,
        *,
        to: Sink | Sequence[Sink] = (),
        **settings: Any,
    ) -> None:
        super().__init__()
        self._companion = Companion(None, probe_batch, to, {"budget": budget, **settings})
        self._hook: Any = None
        self._own: list[Any] = []
        self._fresh: dict[str, float] = {}

    @property
    def watch(self) -> Watch | None:
        """The watch; None before the first step."""
        return self._companion.watch

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Begin to look at the forward passes."""
        self._companion.forget()
        self._companion.load_state_dict((state.stateful_callbacks or {}).get(_STATE, {}))
        companion = self._companion

        # A plain function: a copy of the model shares it, and does not copy the watch with it.
        def look(module: Any, positional: tuple[Any, ...], named: Mapping[str, Any], outputs: Any) -> None:
            if module is model and module.training and not companion.busy and not positional:
                loss = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
                if isinstance(loss, Tensor) and loss.requires_grad:
                    companion.note(loss, _with_plain_count(named))

        self._unhook()
        self._hook = model.register_forward_hook(look, with_kwargs=True)

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **_: Any
    ) -> None:
        """Make the watch before the first step, when the model is in train mode and its loss has been seen."""
        if self._companion.waiting:
            with self._companion.guarded():
                self._begin(args, state, model, optimizer)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        """Step the watch, unless the gradient scaler has skipped the step."""
        if getattr(optimizer, "step_was_skipped", False):
            self._companion.forget()
            return
        with self._companion.guarded():
            # With a count of items every loss is a share of the sum; without, every loss is a mean.
            counted = _COUNT in (self._companion.first_batch or {})
            self._companion.stepped(total=counted)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Put the state of the watch where a checkpoint will take it from."""
        self._keep(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The same for a checkpoint at the end of an epoch."""
        self._keep(state, control)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Add the newest numbers to the Trainer's log, and the edge ratio to what it prints."""
        fresh, self._fresh = self._fresh, {}
        if fresh and state.log_history:
            state.log_history[-1].update(fresh)
        if logs is not None and "edgewise/edge_ratio" in fresh:
            logs["edgewise/edge_ratio"] = fresh["edgewise/edge_ratio"]

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the hook off the model, and say the verdict."""
        self._unhook()
        verdict = self._companion.end()
        with self._companion.guarded():
            for sink in self._own:
                sink.close()
        self._own.clear()
        if verdict is not None and state.is_world_process_zero:
            # As the Trainer writes its own log, past the progress bar.
            library("tqdm.auto", "transformers", "the verdict").tqdm.write(verdict)

    def _begin(self, args: Any, state: Any, model: Any, optimizer: Any) -> None:
        if not self._companion.passes:
            self._unhook()
            raise SettingError(
                f"a {type(model).__name__} whose outputs have no loss",
                "the Trainer tells its callbacks neither the loss nor the batch",
                "Put labels into the batch so that the model computes its loss, or watch a loop of your own",
            )
        samples = self._companion.samples
        self._companion.begin(
            model,
            optimizer,
            self._alone(self._companion.first_batch, args),
            (self._log, *(self._reporters(args) if state.is_world_process_zero else ())),
            batch_size=None if samples is None else samples * replicas(model),
        )

    def _alone(self, batch: Mapping[str, Any], args: Any) -> dict[str, Any]:
        """The first batch of a step, with the count that makes its loss a mean."""
        if _COUNT not in batch:
            return dict(batch)
        share = self._companion.passes * (
            args.world_size if getattr(args, "average_tokens_across_devices", False) else 1
        )
        return {**batch, _COUNT: float(batch[_COUNT]) / share}

    def _log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._fresh.update(numbers)

    def _reporters(self, args: Any) -> Sequence[Sink]:
        """A sink for every integration that the Trainer reports to."""
        folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or Path(args.output_dir, "runs", "edgewise")
        known: Mapping[str, Callable[[], Any]] = {
            "tensorboard": partial(TensorBoard, folder),
            "wandb": WeightsAndBiases,
            "mlflow": MLflow,
            "trackio": Trackio,
        }
        asked = args.report_to if isinstance(args.report_to, list | tuple) else [args.report_to]
        self._own = [known[name]() for name in asked if name in known]
        return self._own

    def _keep(self, state: Any, control: Any) -> None:
        if control.should_save:
            state.stateful_callbacks[_STATE] = self._companion.state_dict()

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _with_plain_count(batch: Mapping[str, Any]) -> dict[str, Any]:
    """The batch with its count of items as a number, which is no tensor of samples; a GPU is not waited for."""
    count = batch.get(_COUNT)
    if isinstance(count, Tensor) and count.device.type == "cpu":
        return {**batch, _COUNT: count.item()}
    return dict(batch)
