"""A look at one training step: how many samples it takes, in how many pieces, and under which autocast.

A hook on the model from the construction of the watch to its first step, and no longer: nothing of ours is on the
model when somebody copies or stores it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, final

import torch
from torch import nn

from edgewise.objectives import fixed_data


@final
class Observer:
    """What the forward passes of the first training step had in common.

    Attributes:
        samples: samples that went through the model with gradients on, over all passes.
        autocast: makes the context that the passes ran in; None outside autocast.
    """

    def __init__(self, model: nn.Module) -> None:
        self.samples = 0
        self.autocast: Callable[[], AbstractContextManager[Any]] | None = None
        self._hook = model.register_forward_pre_hook(_Look(self), with_kwargs=True)

    def close(self) -> None:
        """Take the hook away."""
        self._hook.remove()

    def note(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Look at what one forward pass is given."""
        first = next((t for t in fixed_data.tensors_in([args, kwargs]) if t.ndim), None)
        if first is None or not torch.is_grad_enabled():
            return
        self.samples += first.shape[0]
        kind = first.device.type
        if torch.is_autocast_enabled(kind):
            self.autocast = partial(torch.autocast, kind, dtype=torch.get_autocast_dtype(kind))


@final
class _Look:
    """The hook; in a copy or a file of the model stands something of Python's own that does nothing."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._observer.note(args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # Takes three arguments, returns None, and can be read where this package is not.
        return getattr, (nullcontext(), "__exit__")
