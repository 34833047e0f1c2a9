"""A look at one training step: how many samples it takes, in how many pieces, and under which autocast.

A hook on the model from the construction of the watch to its first step, and no longer: nothing of ours is on the
model when somebody copies or stores it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
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
        seen = self

        # A plain function: copies of the model share it, and do not copy the watch with it.
        def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if module is model and torch.is_grad_enabled():
                seen._note(args, kwargs)

        self._hook = model.register_forward_pre_hook(look, with_kwargs=True)

    def close(self) -> None:
        """Take the hook away."""
        self._hook.remove()

    def _note(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        first = next(fixed_data.tensors_in([args, kwargs]), None)
        if first is None or first.ndim == 0:
            return
        self.samples += first.shape[0]
        kind = first.device.type
        if torch.is_autocast_enabled(kind):
            self.autocast = partial(torch.autocast, kind, dtype=torch.get_autocast_dtype(kind))
