"""A watch in a loop of Hugging Face Accelerate."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from torch import Tensor

from edgewise.foundation import JSON, SettingError
from edgewise.watch.companion import Companion
from edgewise.watch.library import library
from edgewise.watch.watch import Sink, Watch


@final
class PreparedWatch:
    """A watch over what `Accelerator.prepare` has returned; made by `watch_prepared`.

    It can be given to `accelerator.register_for_checkpointing`.
    """

    def __init__(self, accelerator: Any, optimizer: Any, companion: Companion) -> None:
        self._accelerator, self._optimizer, self._companion = accelerator, optimizer, companion

    @property
    def watch(self) -> Watch:
        """The watch itself."""
        assert self._companion.watch is not None
        return self._companion.watch

    def step(self, loss: Any, batch: Any = None) -> None:
        """Say what the loss of a forward pass was; call it after every `optimizer.step()`.

        Passes whose gradients are only accumulated, and steps that the gradient scaler skipped, are no steps.
        """
        self._companion.note(loss, batch)
        if self._accelerator.sync_gradients:
            if self._optimizer.step_was_skipped:
                self._companion.forget()
            else:
                self._companion.stepped()

    def close(self) -> None:
        """Print the verdict on the main process, and take the watch off the model."""
        verdict = self._companion.end()
        if verdict is not None:
            self._accelerator.print(verdict)

    def state_dict(self) -> dict[str, JSON]:
        """What `accelerator.save_state` keeps."""
        return self._companion.state_dict()

    def load_state_dict(self, state_dict: dict[str, JSON]) -> None:
        """What `accelerator.load_state` gives back."""
        self._companion.load_state_dict(state_dict)


def watch_prepared(
    accelerator: Any,
    model: Any,
    optimizer: Any,
    criterion: Callable[..., Tensor] | None,
    probe_batch: Any,
    budget: float | int | str = 0.03,
    *,
    to: Sink | Sequence[Sink] = (),
    **settings: Any,
) -> PreparedWatch:
    """Watch a loop of Accelerate; readings go to its trackers.

        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        watch = watch_prepared(accelerator, model, optimizer, criterion, probe_batch)
        for inputs, targets in loader:
            with accelerator.accumulate(model):
                loss = criterion(model(inputs), targets)
                accelerator.backward(loss)
                optimizer.step()
                watch.step(loss, (inputs, targets))
                optimizer.zero_grad()
        watch.close()

    The model is looked at through its wrappers, and computes in the accelerator's precision.

    Args:
        accelerator: the one that has prepared the two.
        model: as it came back from `prepare`.
        optimizer: as it came back from `prepare`.
        criterion: as `Watch` takes it.
        probe_batch: on the accelerator's device.
        budget: the share of the training time that watching may cost.
        to: sinks beside the trackers.
        settings: what else `Watch` is to be made with.

    Raises:
        LibraryError: if accelerate is not installed.
        SettingError: if the parts do not fit.
    """
    prepared = library("accelerate.optimizer", "accelerate", "watching a loop of Accelerate").AcceleratedOptimizer
    if not isinstance(optimizer, prepared):
        raise SettingError(
            f"an optimizer of type {type(optimizer).__name__}",
            "it did not come from this accelerator, whose steps are counted",
            "Type model, optimizer = accelerator.prepare(model, optimizer)",
        )
    companion = Companion(criterion, probe_batch, to, {"budget": budget, **settings})

    def log(step: int, numbers: Mapping[str, float]) -> None:
        accelerator.log(dict(numbers), step=step)

    companion.make(accelerator.unwrap_model(model), optimizer, probe_batch, (log,))
    return PreparedWatch(accelerator, optimizer, companion)
