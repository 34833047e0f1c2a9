"""One context for everything about arithmetic that PyTorch keeps in global switches.

Curvature is a difference of large numbers: TF32's ten-bit mantissa, bfloat16's seven, and run-to-run
nondeterminism all end up in the eigenvalues. The context turns them off inside and puts every switch back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.backends import cuda, cudnn, mkldnn


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Full-precision products and reproducible cuDNN kernels inside; the old switches after.

    On a CPU this matters only after `torch.set_float32_matmul_precision("medium")`: PyTorch's CPU kernels
    are otherwise exact, and reproducible for a fixed number of threads, which a run's manifest records.
    """
    before = [(get, set_, value) for get, set_, _ in _SWITCHES if (value := _read(get)) is not None]
    for get, set_, exact in _SWITCHES:
        if _read(get) not in (*exact, None):
            set_(exact[0])
    try:
        yield
    finally:
        # In the same order: an old switch moves the new ones beside it, which then get their own values back.
        for get, set_, value in before:
            if _read(get) != value:
                set_(value)


def use_one_thread() -> None:
    """Compute on one thread from now on; for the processes of a pool, which share the cores among them."""
    torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread inside; as many as before after."""
    before = torch.get_num_threads()
    use_one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _read(get: Callable[[], Any]) -> Any:
    """The present value; None where PyTorch does not say, because old and new switches were mixed."""
    try:
        return get()
    except RuntimeError:
        return None


def _attribute(owner: Any, name: str, *exact: Any) -> tuple[Callable[[], Any], Callable[[Any], None], Any]:
    return partial(getattr, owner, name), partial(setattr, owner, name), exact


# Each with the values that are exact, the first being the one to set. PyTorch 2.9 gave every backend and
# operation a switch of its own and kept the old ones, which refuse to be read when the two disagree.
_SWITCHES = [
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, ("highest",)),
    _attribute(cudnn, "allow_tf32", False),
    _attribute(cudnn, "deterministic", True),
    _attribute(cudnn, "benchmark", False),
]
if hasattr(cuda.matmul, "fp32_precision"):
    _SWITCHES += [
        _attribute(getattr(backend, operation), "fp32_precision", "ieee", "none")
        for backend, operations in (
            (cuda, ["matmul"]),
            (cudnn, ["conv", "rnn"]),
            (mkldnn, ["matmul", "conv", "rnn"]),
        )
        for operation in operations
    ]
