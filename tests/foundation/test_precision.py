"""Every switch that edgewise turns is found again as it was, whichever way it had been set."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch.backends import cuda, cudnn, mkldnn

from edgewise.foundation import exact_arithmetic

_NEW = (cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn)


def _switches() -> list[object]:
    def read(get: Callable[[], object]) -> object:
        try:
            return get()
        except RuntimeError:
            return "mixed"

    return [
        read(torch.get_float32_matmul_precision),
        read(lambda: cuda.matmul.allow_tf32),
        read(lambda: cudnn.allow_tf32),
        cudnn.deterministic,
        cudnn.benchmark,
        *(operation.fp32_precision for operation in _NEW),
    ]


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    before = [operation.fp32_precision for operation in _NEW]
    deterministic, benchmark = cudnn.deterministic, cudnn.benchmark
    yield
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = True
    for operation, value in zip(_NEW, before, strict=True):
        operation.fp32_precision = value
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark


_SETTINGS: dict[str, Callable[[], object]] = {
    "defaults": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "old matmul": lambda: setattr(cuda.matmul, "allow_tf32", True),
    "old cudnn": lambda: setattr(cudnn, "allow_tf32", False),
    "new matmul": lambda: setattr(cuda.matmul, "fp32_precision", "tf32"),
    "new generic": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "new mkldnn": lambda: setattr(mkldnn.matmul, "fp32_precision", "bf16"),
    "reproducible": lambda: setattr(cudnn, "deterministic", True),
    "benchmarking": lambda: setattr(cudnn, "benchmark", True),
}


@pytest.mark.parametrize("setting", _SETTINGS)
def test_exact_inside_and_as_before_after(setting: str) -> None:
    _SETTINGS[setting]()
    before = _switches()
    with exact_arithmetic():
        assert all(operation.fp32_precision in ("ieee", "none") for operation in _NEW)
        assert cudnn.deterministic
        assert not cudnn.benchmark
        with exact_arithmetic():
            pass
    assert _switches() == before


def test_restores_after_an_error() -> None:
    torch.set_float32_matmul_precision("medium")
    before = _switches()
    with pytest.raises(KeyError), exact_arithmetic():
        raise KeyError
    assert _switches() == before
