"""What somebody may type for a setting, and how to type it without the check of types that tests have."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jaxtyping
import numpy as np
import torch

from edgewise.methods import GradientDescent

BAD: dict[str, Any] = {
    "a string": "x",
    "an empty string": "",
    "none": None,
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "beyond any float": 10**400,
    "negative": -1,
    "a negative half": -0.5,
    "a half too much": 1.5,
    "true": True,
    "false": False,
    "a list": [0.9, 0.999],
    "an empty tuple": (),
    "one of a pair": (0.9,),
    "a pair of strings": ("a", "b"),
    "nested": ((0.5, "a"), (None,)),
    "a dict": {"lr": 0.1},
    "complex": 0.5 + 0.5j,
    "a small array": np.array([0.5, 0.6]),
    "a number of another precision": np.float32(0.5),
    "a tensor": torch.tensor(0.5),
    "a dtype": torch.int64,
    "an object": object(),
    "a class": GradientDescent,
    "an optimiser": torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1),
}
"""Of every kind that could be typed by mistake, and numbers that few ranges hold; by what it is."""


@contextmanager
def as_a_user_types() -> Iterator[None]:
    """Without the check of types that the tests have, and users do not."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
