"""How many processor threads a command uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from edgewise.foundation import SettingError


@contextmanager
def using(count: int | None) -> Iterator[None]:
    """Use `count` threads, and put back what was before; None leaves it as it is.

    Raises:
        SettingError: if `count` is below one.
    """
    if count is None:
        yield
        return
    if count < 1:
        raise SettingError(f"--threads {count}", "somebody has to do the work", "Type --threads 1")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
