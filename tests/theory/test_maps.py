"""Maps over many starts against a literal loop over one start at a time, bit for bit."""

import math

import numpy as np
import pytest

from edgewise.foundation import SettingError
from edgewise.theory import iterate, maps

ETA = 0.2
STARTS = np.random.default_rng(0).uniform(-3.5, 3.5, (2, 6, 9))


def product(x, y):
    """Descent on (1 − x²y²)²/4: starts escape, come to rest, or end in a cycle of two roundings."""
    d = x * y
    e = ETA * d * (d * d - 1.0)
    return x - e * y, y - e * x


def halved(x, y):
    """Down to zero, whose sign alternates for ever."""
    return -0.5 * x, 0.5 * y


def turned(x, y):
    """A cycle of four: never at its end for a look two steps apart."""
    return -y, x


def chaotic(x, y):
    z = x * x
    return 1.0 - 1.4 * z + y, 0.3 * x


def smooth(x, y):
    return np.tanh(1.3 * x - 0.2 * y), np.exp(-x * x) * np.sin(y)


def literally(step, starts, steps):
    """All states of every start, one after the other, in Python's own floats."""
    table = np.empty((steps + 1, *starts.shape))
    for place in np.ndindex(starts.shape[1:]):
        state = tuple(float(part[place]) for part in starts)
        for t in range(steps + 1):
            table[(t, slice(None), *place)] = state
            state = step(*state)
    return table


def bits(array):
    """The array as bits, with one NaN for all."""
    return np.where(np.isnan(array), np.nan, array).view(np.int64)


@pytest.mark.parametrize("every", [0, 1, 2, 3, 5, 64, 127, 128, 300, 1000])
@pytest.mark.parametrize("step", [product, halved, turned, chaotic])
def test_it_is_the_literal_loop_bit_for_bit(step, every):
    # Past several looks at who has come to an end, and past the smallest number there is (2⁻¹⁰⁷⁴).
    steps = 1303
    table = literally(step, STARTS, steps)
    wanted = table[:: every or 1] if every else table[-1]
    got = np.stack(iterate(step, tuple(STARTS), steps, every=every), axis=1 if every else 0)
    np.testing.assert_array_equal(bits(got), bits(wanted))


def test_the_literal_loop_has_seen_every_kind_of_end():
    table = literally(product, STARTS, 1303)
    last, before = table[-1], table[-2]
    cycles = (last != before) & (last == table[-3])
    assert np.isnan(last).mean() > 0.2
    assert (np.isfinite(last) & (last == before)).mean() > 0.1
    assert cycles.any()
    shrunk = literally(halved, STARTS, 1303)[-2:, 0]
    assert (shrunk == 0).all() and (np.signbit(shrunk[0]) != np.signbit(shrunk[1])).all()


@pytest.mark.parametrize(("piece", "threads"), [(1, 2), (7, 1), (7, 3), (50, 2), (10**6, 2)])
@pytest.mark.parametrize("step", [product, smooth])
@pytest.mark.parametrize("every", [0, 3])
def test_neither_pieces_nor_threads_matter(monkeypatch, step, piece, threads, every):
    wanted = iterate(step, tuple(STARTS), 300, every=every)
    monkeypatch.setattr(maps, "_PIECE", piece)
    monkeypatch.setattr(maps.os, "cpu_count", lambda: threads)
    for one, other in zip(iterate(step, tuple(STARTS), 300, every=every), wanted, strict=True):
        np.testing.assert_array_equal(bits(one), bits(other))


@pytest.mark.parametrize("steps", [0, 1, 2, 127, 128, 129, 130, 256, 257])
def test_the_look_at_who_has_come_to_an_end_does_not_matter(steps):
    table = literally(product, STARTS, steps)
    np.testing.assert_array_equal(bits(np.stack(iterate(product, tuple(STARTS), steps))), bits(table[-1]))


def test_what_has_come_to_an_end_is_stepped_no_longer():
    sizes = []

    def step(x):
        sizes.append(x.size)
        return (np.where(np.abs(x) < 1, x, -0.999 * x),)

    (end,) = iterate(step, ([0.5, 2.0, -3.0, 1e4],), 10_000)
    # |x| 0.999ᵗ falls below one at t = 0, 693, 1099 and 9206.
    assert end[0] == 0.5 and (np.abs(end) < 1).all()
    assert [sizes[t] for t in (0, 128, 700, 1000, 1200, 9000)] == [4, 3, 3, 2, 1, 1]
    assert len(sizes) < 9206 + 2 * 128


def test_a_step_may_write_into_its_arguments():
    def inplace(x, y):
        d = x * y
        e = ETA * d * (d * d - 1.0)
        dx = e * y
        y -= e * x
        x -= dx
        return x, y

    before = STARTS.copy()
    got = iterate(inplace, tuple(STARTS), 1000, every=7)
    np.testing.assert_array_equal(
        bits(np.stack(got)), bits(np.stack(iterate(product, tuple(STARTS), 1000, every=7)))
    )
    np.testing.assert_array_equal(STARTS, before)


def test_starts_are_broadcast_and_keep_their_shape():
    def step(x, lr):
        return x - lr * x, lr

    x, lr = iterate(step, ([[1.0], [2.0]], [0.5, 1.0, 2.0]), 3)
    np.testing.assert_array_equal(x, [[0.125, 0.0, -1.0], [0.25, 0.0, -2.0]])
    np.testing.assert_array_equal(lr, [[0.5, 1.0, 2.0]] * 2)
    (one,) = iterate(lambda x: (x / 2,), (8,), 2)
    assert one.shape == () and one == 2.0
    (kept,) = iterate(lambda x: (x / 2,), (8,), 5, every=2)
    np.testing.assert_array_equal(kept, [8.0, 2.0, 0.5])
    (none,) = iterate(lambda x: (x / 2,), (np.empty((0, 3)),), 5, every=2)
    assert none.shape == (3, 0, 3)


def test_what_escapes_is_infinite_without_a_warning():
    (x,) = iterate(lambda x: (x * x,), ([2.0, -3.0, 0.5],), 5000)
    np.testing.assert_array_equal(x, [math.inf, math.inf, 0.0])


@pytest.mark.parametrize(("steps", "every"), [(-1, 0), (5, -2)])
def test_steps_are_counted_up(steps, every):
    with pytest.raises(SettingError, match=rf"steps={steps}, every={every}: steps are counted up from 0\. Type"):
        iterate(lambda x: (x,), ([1.0],), steps, every=every)


def test_starts_that_do_not_fit_together():
    with pytest.raises(
        SettingError, match=r"starts of the shapes \(2,\) and \(3,\): they do not fit together\. Make"
    ):
        iterate(product, ([1.0, 2.0], [1.0, 2.0, 3.0]), 1)


def test_a_start_without_numbers():
    with pytest.raises(SettingError, match=r"a start without numbers: there is nothing to iterate\. Type"):
        iterate(lambda: (), (), 1)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda x, y: (x,), r"float64\[2\], float64\[2\] to float64\[2\]: "),
        (lambda x, y: (x, x.sum()), r"to float64\[2\], float64\[\]: "),
        (lambda x, y: (x, y > 0), r"to float64\[2\], bool\[2\]: "),
    ],
)
def test_a_step_that_leads_elsewhere(step, words):
    with pytest.raises(SettingError, match=words + "a map leads from a state to one of its kind"):
        iterate(step, ([1.0, 2.0], 3.0), 1)
