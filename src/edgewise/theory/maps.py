"""Maps of a few numbers, iterated over many starts at once.

The toys of the literature are maps of two or three numbers, asked about over whole grids of starts or step sizes.
Written with NumPy, such a map is a dozen passes over its arrays a step; what costs time is fetching them from
memory. So the starts are cut into pieces that stay in the processor's cache, and the pieces shared among threads.

Of a grid most starts are soon at their end: escaped, or at a fixed point, or in a cycle of two, to the last bit.
What has become of those is known for ever, and they are iterated no longer. Nothing of this changes a bit of the
result.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgewise.foundation import SettingError

Reals = NDArray[np.float64]

State = tuple[Reals, ...]
"""The numbers of the map, an array each, an element for every start."""

# Starts that share a piece: with its temporaries a map of two numbers then stays within half a megabyte.
_PIECE = 8192
# Steps between two looks at who has come to an end; an even number, so that a cycle of two is where it was.
_ROUND = 128


def iterate(
    step: Callable[..., Sequence[Reals]], start: Sequence[ArrayLike | float | int], steps: int, *, every: int = 0
) -> State:
    """The state after so many steps of a map, from every start at once, in float64.

    xₜ₊₁ = step(*xₜ), element by element: what becomes of an element depends on its own numbers alone, neither on
    the others nor on the time. Starts that escape become infinite or NaN, without a warning.

    Args:
        step: from the arrays of a state to those of the next; written with NumPy's elementwise functions. It sees
            a few of the starts at a time: what differs from start to start, as a grid of step sizes, is a part of
            the state that it hands on.
        start: the arrays of the first state, broadcast against each other.
        steps: how many.
        every: keep the state every so many steps, the start among them, along a new first axis; 0 keeps the last.

    Returns:
        The arrays of the state, of the shape of the starts, or (kept, *that shape).

    Raises:
        SettingError: if steps or every are negative, if the starts do not fit together, or if the step does not
            return an array for each of its arguments, of their shape.

    Example:
        >>> (x,) = iterate(lambda x: (x / 2,), ([1.0, 3.0],), 2)
        >>> x.tolist()
        [0.25, 0.75]
    """
    if steps < 0 or every < 0:
        raise SettingError(f"steps={steps}, every={every}", "steps are counted up from 0", "Type steps=1000")
    shape, state = _starts(start)
    period = every or max(steps, 1)
    kept = [np.empty((steps // period + 1, part.size)) for part in state]
    for rows, part in zip(kept, state, strict=True):
        rows[0] = part
    moving, t = np.arange(state[0].size), 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        while t < steps and moving.size:
            count = min(_ROUND, steps - t)
            pieces = [slice(low, low + _PIECE) for low in range(0, moving.size, _PIECE)]
            rounds = [
                _Round(tuple(part[piece] for part in state), moving[piece], t, count, period, kept)
                for piece in pieces
            ]
            done = (
                list(pool.map(lambda each: each.run(step), rounds)) if len(pieces) > 1 else [rounds[0].run(step)]
            )
            t += count
            older, old, state = (_joined(parts) for parts in zip(*done, strict=True))
            ended = np.logical_and.reduce([_same(a, b) for a, b in zip(older, state, strict=True)])
            if ended.any():
                later = np.arange(t // period + 1, steps // period + 1)
                for turn, last in enumerate((state, old)):
                    where = np.ix_(later[(later * period - t) % 2 == turn], moving[ended])
                    for rows, part in zip(kept, last, strict=True):
                        rows[where] = part[ended]
            state, moving = tuple(part[~ended] for part in state), moving[~ended]
    if every:
        return tuple(rows.reshape((len(rows), *shape)) for rows in kept)
    return tuple(rows[-1].reshape(shape) for rows in kept)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    """Some steps of some starts.

    Attributes:
        state: where they are.
        places: which of the starts they are.
        t: the steps that they have taken.
        count: how many they are to take now.
        period: what is kept: the state at every multiple of it.
        kept: where, a row each.
    """

    state: State
    places: NDArray[np.intp]
    t: int
    count: int
    period: int
    kept: Sequence[Reals]

    def run(self, step: Callable[..., Sequence[Reals]]) -> tuple[State, State, State]:
        """The last three states."""
        state: Sequence[Reals] = tuple(part.copy() for part in self.state)
        older = old = self.state
        end = self.t + self.count
        # The state of numpy's errors is a thread's own.
        with np.errstate(all="ignore"):
            for time in range(self.t + 1, end + 1):
                if time >= end - 1:
                    # Copies, for a step may write into its arguments.
                    older, old = old, tuple(part.copy() for part in state)
                state = step(*state)
                if time == self.t + 1:
                    self._check(state)
                if time % self.period == 0:
                    for rows, part in zip(self.kept, state, strict=True):
                        rows[time // self.period, self.places] = part
        return older, old, tuple(state)

    def _check(self, state: Sequence[Any]) -> None:
        wanted = [(np.dtype(np.float64), self.places.shape)] * len(self.state)
        given = [(np.asarray(part).dtype, np.shape(part)) for part in state]
        if given != wanted:
            raise SettingError(
                f"a step from {_words(wanted)} to {_words(given)}",
                "a map leads from a state to one of its kind, element by element",
                "Return a float64 array for each argument, of its shape: np.zeros_like(x) where it is a constant",
            )


def _starts(start: Sequence[ArrayLike | float | int]) -> tuple[tuple[int, ...], State]:
    """The shape of the starts, and the parts of their state, flat.

    Raises:
        SettingError: if there are none, or they do not fit together.
    """
    parts = [np.asarray(part, dtype=np.float64) for part in start]
    try:
        parts = list(np.broadcast_arrays(*parts))
    except ValueError as error:
        shapes = " and ".join(str(part.shape) for part in parts)
        raise SettingError(
            f"starts of the shapes {shapes}", "they do not fit together", "Make a grid of them with np.meshgrid"
        ) from error
    if not parts:
        raise SettingError("a start without numbers", "there is nothing to iterate", "Type (x0, y0)")
    return parts[0].shape, tuple(part.ravel() for part in parts)


def _joined(pieces: Sequence[State]) -> State:
    return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))


def _same(a: Reals, b: Reals) -> NDArray[np.bool_]:
    """Whether two arrays agree to the last bit, the sign of zero included; one NaN is like another."""
    return np.asarray((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b)))


def _words(parts: Sequence[tuple[np.dtype[Any], tuple[int, ...]]]) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for dtype, shape in parts)
