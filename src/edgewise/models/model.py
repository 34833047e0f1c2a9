"""What a model is: a frozen value that builds a `torch.nn.Module`, the same one for the same seed.

A model knows its architecture and its initialisation; the sizes of its input and output come from the
data. Unless its docstring says otherwise, layers are initialised as PyTorch does by default.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from torch import nn

from edgewise.foundation import SettingError


class Model(ABC):
    """An architecture with its initialisation."""

    __slots__ = ()

    @abstractmethod
    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The module, its parameters drawn from the global generator (which `build` has seeded).

        Args:
            input_shape: the shape of one input, without the axis of samples.
            outputs: outputs per sample, or per token.

        Raises:
            SettingError: if the architecture cannot take such inputs.
        """

    @final
    def build(self, input_shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
        """The module with parameters drawn from `seed`, in float32 on the CPU.

        The generator is seeded just before the first parameter is drawn, as in the scripts of the papers,
        and put back after the last: the caller's random numbers, default type and default device play no
        part and are left as they were.

        Args:
            input_shape: the shape of one input, without the axis of samples.
            outputs: outputs per sample, or per token.
            seed: a non-negative integer.

        Raises:
            SettingError: if the architecture cannot take such inputs, or the seed is negative.
        """
        if seed < 0:
            raise SettingError(f"seed={seed}", "a seed is a non-negative integer", "Type seed=0")
        if outputs < 1 or not input_shape or min(input_shape) < 1:
            raise SettingError(
                f"inputs of shape {input_shape} and {outputs} outputs",
                "a model needs at least one of each",
                "Give input_shape=(features,) or (channels, height, width), and outputs=1 or more",
            )
        with _seeded(seed):
            return self.assemble(input_shape, outputs)


def image_shape(model: Model, input_shape: tuple[int, ...], least: int = 1) -> tuple[int, int, int]:
    """The input shape as (channels, height, width).

    Args:
        model: whose input it is, for the error.
        input_shape: the shape of one input.
        least: the smallest height and width that the model can take.

    Raises:
        SettingError: if these are no images, or too small ones.
    """
    name = type(model).__name__
    if len(input_shape) != 3:
        raise SettingError(
            f"{name} for inputs of shape {input_shape}",
            "it takes images of shape (channels, height, width)",
            "Use MLP for inputs without such axes",
        )
    channels, height, width = input_shape
    if min(height, width) < least:
        raise SettingError(
            f"{name} for images of {height} × {width}",
            f"its poolings leave nothing of images below {least} × {least}",
            "Use a model with fewer poolings, or MLP",
        )
    return channels, height, width


def positive(model: Model, **numbers: int) -> None:
    """Refuse numbers below one.

    Raises:
        SettingError: naming the first that is.
    """
    for name, number in numbers.items():
        if number < 1:
            raise SettingError(
                f"{type(model).__name__}({name}={number})", "it counts something, so at least 1", f"Type {name}=1"
            )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    dtype = torch.get_default_dtype()
    # Only the CPU's generator is seeded: torch.manual_seed would also reset those of the accelerators.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
