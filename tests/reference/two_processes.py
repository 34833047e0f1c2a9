"""Two processes of one group on the CPU, which fail instead of waiting for each other for ever."""

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

_PATIENCE = 240.0


def in_two(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `work(rank)` returns in each of two processes.

    Args:
        work: a function of a module, for a process of its own.
        folder: empty, for what they exchange.
    """
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_process, args=(work, rank, str(folder))) for rank in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=_PATIENCE)
    late = [one.is_alive() for one in both]
    for one in both:
        one.kill()
        one.join()
    assert late == [False, False], "the processes wait for each other"
    assert [one.exitcode for one in both] == [0, 0]
    return [torch.load(folder / f"found{rank}", weights_only=False) for rank in range(2)]


def _process(work: Callable[[int], Any], rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2,
        timeout=timedelta(seconds=_PATIENCE / 4),
    )  # fmt: skip
    torch.save(work(rank), Path(folder) / f"found{rank}")
    distributed.destroy_process_group()
