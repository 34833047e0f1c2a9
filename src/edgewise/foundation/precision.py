"""One context for everything about arithmetic that PyTorch keeps in global switches.

Curvature is a difference of large numbers: TF32's ten-bit mantissa and run-to-run nondeterminism
both end up in the eigenvalues. The context turns them off inside and puts every switch back after.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Full-precision matrix products and reproducible cuDNN kernels inside; the old switches after.

    On a CPU this changes nothing that matters: PyTorch's CPU kernels are reproducible for a fixed
    number of threads, which a run's manifest records.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = False, False, True, False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before
