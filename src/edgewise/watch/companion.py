"""What the adapters share: a watch beside a trainer that is not ours, and that must not notice."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

from torch import Tensor, nn

from edgewise.foundation import JSON, EdgewiseError, first_line
from edgewise.objectives import fixed_data
from edgewise.watch.complaints import WatchWarning
from edgewise.watch.watch import Sink, Watch


@final
class Companion:
    """A watch that is made when training begins, steps with the optimiser, and fails in one warning.

    Nothing it does raises. What a trainer restores before the training begins is kept until there is a watch to
    take it.

    Args:
        criterion: of the watch.
        probe_batch: of the watch; None takes the first batch of the training.
        to: sinks of the reader's own.
        settings: what else `Watch` is made with.

    Attributes:
        watch: the watch; None before there is one.
        busy: whether the watch is at work: what the model does then is not training.
    """

    def __init__(
        self,
        criterion: Callable[..., Tensor] | None,
        probe_batch: Any,
        to: Sink | Sequence[Sink],
        settings: Mapping[str, Any],
    ) -> None:
        self.watch: Watch | None = None
        self._criterion, self._probe_batch, self._settings = criterion, probe_batch, dict(settings)
        self._sinks: tuple[Sink, ...] = (to,) if callable(to) else tuple(to)
        self._kept: Mapping[str, JSON] | None = None
        self._losses: list[Any] = []
        self._batches: list[Any] = []
        self._watching = self._given_up = self.busy = False

    @property
    def waiting(self) -> bool:
        """Whether there is a watch to be made."""
        return not (self._watching or self._given_up)

    def begin(
        self, model: nn.Module, optimizer: Any, batch: Any, sinks: Sequence[Sink] = (), **settings: Any
    ) -> None:
        """Make the watch, if it is not there yet; what is refused is refused in a warning."""
        if self.waiting:
            with self.guarded():
                self.make(model, optimizer, batch, sinks, **settings)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Inside, what fails ends the watching and not the training."""
        try:
            yield
        except WatchWarning:  # this reader has made errors of warnings
            raise
        except Exception as error:
            self.refuse(error)

    def make(
        self, model: nn.Module, optimizer: Any, batch: Any, sinks: Sequence[Sink] = (), **settings: Any
    ) -> None:
        """Make the watch.

        Args:
            model: in train mode.
            optimizer: as the trainer has it.
            batch: what to probe with where the reader gave nothing.
            sinks: those of the trainer, beside the reader's own.
            settings: what the adapter knows of the training.

        Raises:
            SettingError: if the parts do not fit.
        """
        probe_batch = batch if self._probe_batch is None else self._probe_batch
        to = (*sinks, *self._sinks)
        self.busy = True
        try:
            self.watch = Watch(
                model, optimizer, self._criterion, probe_batch, to=to, **{**settings, **self._settings}
            )
        finally:
            self.busy = False
        self._watching = True
        if self._kept is not None:
            state, self._kept = self._kept, None
            self.load_state_dict(state)

    def note(self, loss: Any, batch: Any) -> None:
        """Keep the loss and the batch of one forward pass until the optimiser steps."""
        if not self._given_up:
            self._losses.append(loss.detach() if isinstance(loss, Tensor) else loss)
            self._batches.append(batch)

    @property
    def passes(self) -> int:
        """Forward passes since the optimiser stepped."""
        return len(self._losses)

    @property
    def samples(self) -> int | None:
        """Samples in their batches; None where a batch has no tensor to count along."""
        firsts = [next((t for t in fixed_data.tensors_in(batch) if t.ndim), None) for batch in self._batches]
        return sum(t.shape[0] for t in firsts if t is not None) or None

    @property
    def first_batch(self) -> Any:
        """The batch of the first of them; None if there was none."""
        return self._batches[0] if self._batches else None

    def stepped(self, *, total: bool = False) -> None:
        """Tell the watch that the optimiser has stepped.

        The batch is given to it where a single one was the whole of the step.

        Args:
            total: whether the losses of the passes add up to that of the step; otherwise it is their mean.
        """
        losses, batches = self._losses, self._batches
        self.forget()
        if self._watching and self.watch is not None and losses:
            self.busy = True
            try:
                loss = sum(losses) / (1 if total else len(losses))
                self.watch.step(loss, batches[0] if len(batches) == 1 else None)
            finally:
                self.busy = False

    def forget(self) -> None:
        """Drop the passes so far."""
        self._losses, self._batches = [], []

    def end(self) -> str | None:
        """Close the watch; its verdict in words, None if there was no watch."""
        if not self._watching or self.watch is None:
            return None
        self._watching = False
        self.forget()
        try:
            self.watch.close()
            return f"edgewise: {self.watch.verdict()}"
        except Exception as error:
            self._complain("without a verdict", error)
            return None

    def state_dict(self) -> dict[str, JSON]:
        """That of the watch; empty if there is none, or what was restored for it."""
        if self._kept is not None:
            return dict(self._kept)
        if self.watch is None:
            return {}
        try:
            return dict(self.watch.state_dict())
        except Exception as error:
            self._complain("without keeping the state of the watch", error)
            return {}

    def load_state_dict(self, state: Mapping[str, JSON]) -> None:
        """Give a state to the watch, or keep it for the one that will be made."""
        if not self._watching or self.watch is None:
            self._kept = dict(state) or None
            return
        try:
            self.watch.load_state_dict(state)
        except Exception as error:
            self._complain("with a watch that begins anew", error)

    def refuse(self, error: Exception) -> None:
        """Say once why there is no watch, and leave it at that."""
        if not self._given_up:
            self._given_up, self._watching = True, False
            self.forget()
            self._complain("without edgewise", error)

    def _complain(self, how: str, error: Exception) -> None:
        said = str(error) if isinstance(error, EdgewiseError) else f"{type(error).__name__}: {first_line(error)}."
        warnings.warn(f"The training goes on {how}. {said}", WatchWarning, stacklevel=4)
