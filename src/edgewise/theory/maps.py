"""Maps of a few numbers, iterated over many starts at once.

The toys of the literature are maps of two or three numbers, asked about over whole grids of starts or step sizes.
Written with NumPy, such a map is a dozen passes over its arrays a step; what costs time is fetching them from
memory. So the starts are cut into pieces that stay in the processor's cache, and the pieces shared among threads.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgewise.foundation import SettingError

Reals = NDArray[np.float64]

State = tuple[Reals, ...]
"""The numbers of the map, an array each, an element for every start."""

# Starts that share a piece: with its temporaries a map of two numbers then stays within half a megabyte.
_PIECE = 8192


def iterate(
    step: Callable[..., Sequence[Reals]], start: Sequence[ArrayLike], steps: int, *, every: int = 0
) -> State:
    """The state after so many steps of a map, from every start at once, in float64.

    xₜ₊₁ = step(*xₜ), element by element: what becomes of one start does not depend on the others. Starts that
    escape become infinite or NaN, without a warning.

    Args:
        step: from the arrays of a state to those of the next; written with NumPy's elementwise functions.
        start: the arrays of the first state, broadcast against each other.
        steps: how many.
        every: keep the state every so many steps, the start among them, along a new first axis; 0 keeps the last.

    Returns:
        The arrays of the state, of the shape of the starts, or (kept, *that shape).

    Raises:
        SettingError: if steps or every are negative.

    Example:
        >>> (x,) = iterate(lambda x: (x / 2,), ([1.0, 3.0],), 2)
        >>> x.tolist()
        [0.25, 0.75]
    """
    if steps < 0 or every < 0:
        raise SettingError(f"steps={steps}, every={every}", "steps are counted up from 0", "Type steps=1000")
    arrays = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in start))
    shape, flat = arrays[0].shape, [part.ravel() for part in arrays]
    pieces = [slice(low, low + _PIECE) for low in range(0, max(flat[0].size, 1), _PIECE)]

    def run(piece: slice) -> list[Reals]:
        state: Sequence[Reals] = [part[piece].copy() for part in flat]
        kept = [[np.array(part) for part in state]] if every else []
        # The state of numpy's errors is a thread's own.
        with np.errstate(all="ignore"):
            for t in range(1, steps + 1):
                state = step(*state)
                if every and t % every == 0:
                    kept.append([np.array(part) for part in state])
        return [np.stack(part) for part in zip(*kept, strict=True)] if every else [np.asarray(p) for p in state]

    with ThreadPoolExecutor(min(len(pieces), os.cpu_count() or 1)) as pool:
        done = list(pool.map(run, pieces))
    joined = (np.concatenate(parts, axis=-1) for parts in zip(*done, strict=True))
    return tuple(part.reshape(part.shape[:-1] + shape) for part in joined)
