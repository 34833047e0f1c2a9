"""The named problems by their names, for a command line."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from edgewise.foundation import SettingError
from edgewise.problems import recipes
from edgewise.problems.problem import Problem

NAMES: Mapping[str, Callable[..., Problem]] = {
    recipe.__name__: recipe
    for recipe in (
        recipes.chebyshev_mlp,
        recipes.cifar10_cnn,
        recipes.cifar10_mlp,
        recipes.cifar10_resnet,
        recipes.cifar10_vgg,
        recipes.cifar10_vit,
        recipes.deep_linear,
        recipes.digits_cnn,
        recipes.digits_mlp,
        recipes.fashion_mnist_mlp,
        recipes.mnist_mlp,
        recipes.text_gpt,
    )
}
"""Every recipe by its name."""


def named(name: str, **options: Any) -> Problem:
    """The problem of that name.

    Args:
        name: a key of `NAMES`.
        options: of its recipe; see `options_of`.

    Raises:
        SettingError: if there is no such problem, or its recipe has no such option.

    Example:
        >>> named("digits_mlp", n=100, loss="ce").criterion
        CrossEntropy()
    """
    known = options_of(name)
    for option in options:
        if option not in known:
            raise SettingError(
                f"the option {option}={options[option]!r} for {name}",
                "its recipe has no such option",
                f"Choose from {', '.join(known)}",
            )
    return NAMES[name](**options)


def options_of(name: str) -> tuple[str, ...]:
    """The options that the recipe of that name takes, its own first.

    Raises:
        SettingError: if there is no such problem.
    """
    if name not in NAMES:
        raise SettingError(
            f"the problem {name!r}", "there is no problem of that name", f"Choose from {', '.join(NAMES)}"
        )
    own = [p.name for p in inspect.signature(NAMES[name]).parameters.values() if p.kind is not p.VAR_KEYWORD]
    return (*own, *recipes.Setting.__annotations__)
