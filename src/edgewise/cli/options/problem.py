"""The problem: a name, and the options of its recipe as words from a command line."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.groups import PROBLEM

if TYPE_CHECKING:
    from edgewise.problems import Problem

PROBLEMS = (
    "chebyshev_mlp",
    "cifar10_cnn",
    "cifar10_mlp",
    "cifar10_resnet",
    "cifar10_vgg",
    "cifar10_vit",
    "deep_linear",
    "digits_cnn",
    "digits_mlp",
    "fashion_mnist_mlp",
    "mnist_mlp",
    "text_gpt",
)
"""The names of `edgewise.problems.NAMES`, known without loading them."""


@Parameter(name="*", group=PROBLEM)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemOptions:
    """What is trained on what.

    Attributes:
        n: how many samples.
        classes: which classes, by name or number: cat,dog.
        widths: widths of the hidden layers: 200,200.
        activation: tanh, relu, gelu, elu ...
        loss: squared error or cross-entropy.
        chunk_size: samples per forward pass; changes memory, not the result.
        folder: where the data lie, if not in EDGEWISE_DATA or the cache.
        seed: of the initial parameters, and of everything random in the measuring.
        dtype: precision.
        device: cpu, cuda, cuda:1 ...
        set_: any other option of the problem's recipe: --set batch_norm=true. May be repeated.
    """

    n: int | None = None
    classes: str | None = None
    widths: str | None = None
    activation: str | None = None
    loss: Literal["mse", "ce"] | None = None
    chunk_size: int | None = None
    folder: str | None = None
    seed: int = 0
    dtype: Literal["float32", "float64"] | None = None
    device: str | None = None
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="", show_default=False)] = ()

    def build(self, name: str) -> "Problem":
        """The problem of that name with these options.

        Raises:
            SettingError: if there is no such problem, its recipe lacks an option, or a word does not fit.
        """
        from edgewise.cli.options.conversion import converted
        from edgewise.problems import named, options_of

        name = name.replace("-", "_")
        known = options_of(name)
        if self.device is not None:
            _require_device(self.device)
        words = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "set_"}
        return named(name, **converted(name, known, words, self.set_))

    def given(self) -> list[str]:
        """The options that were not left as they are, as typed."""
        return typed(self)


def _require_device(text: str) -> None:
    import torch

    from edgewise.foundation import SettingError, first_line

    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"--device {text}", f"PyTorch cannot use it here ({first_line(error)})", "Type --device cpu"
        ) from error


def typed(options: Any) -> list[str]:
    """The options in a dataclass that differ from their defaults, as they are typed: `--chunk-size`."""
    different = [f.name for f in fields(options) if getattr(options, f.name) != f.default]
    return ["--" + name.strip("_").replace("_", "-") for name in different]
