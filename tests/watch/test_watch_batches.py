"""Batches cut from the probe batch, and what a mean over them is worth."""

import math

import pytest
import torch
from torch import nn, optim

from edgewise.methods import line_from_torch
from edgewise.watch.batches import cut, edge_ratios, half_width


def line(decay=0.0):
    return line_from_torch(optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0, momentum=0.9, weight_decay=decay))


@pytest.mark.parametrize(("samples", "size", "count"), [(64, 8, 8), (640, 8, 8), (20, 6, 3), (16, 8, 2)])
def test_batches_have_their_size_and_no_sample_twice(samples, size, count):
    batches = cut(samples, size, 0, 3, torch.device("cpu"))
    assert [len(batch) for batch in batches] == [size] * count
    numbers = torch.cat(batches)
    assert len(numbers.unique()) == count * size and numbers.min() >= 0 and numbers.max() < samples
    assert not torch.equal(numbers, torch.cat(cut(samples, size, 0, 4, torch.device("cpu"))))


@pytest.mark.parametrize("size", [None, 33, 64, 65])
def test_fewer_than_two_are_none(size):
    assert cut(64, size, 0, 3, torch.device("cpu")) == []


def test_the_interval_of_a_mean():
    # Student's t of two degrees of freedom at 97.5 %.
    assert half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / math.sqrt(3))
    assert half_width([1.0]) == math.inf


def test_edge_ratios_by_what_batches_agree_on():
    # Λ = 2(1−β)/(1 − 2βq/(1+β)): 0.2 where they share nothing, 3.8 where they share all.
    assert edge_ratios(line(), 0.1, 0.0) == pytest.approx((0.5, 0.5, 0.5), rel=1e-6)
    assert edge_ratios(line(), 0.1, -0.1) == edge_ratios(line(), 0.1, 0.0)
    assert edge_ratios(line(), 1.9, 1.9) == edge_ratios(line(), 1.9, 2.5) == pytest.approx((0.5, 0.5, 0.5))
    assert edge_ratios(line(), -3.8, 0.0) == pytest.approx((-1.0, 0.0, -1.0))


@pytest.mark.parametrize("decay", [1e-5, 1e-4, 1e-3])
def test_weight_decay_does_not_make_noise_harmless(decay):
    """Of modes without any mean it holds all; a few batches cannot tell that there is none."""
    *_, plain = edge_ratios(line(), 0.1, 0.0)
    for agreed in (0.0, -0.02):
        assert edge_ratios(line(decay), 0.1, agreed)[2] == pytest.approx(plain, rel=0.3)


def test_with_adaptive_methods_how_much_noise_counts_is_left_open():
    p = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = optim.Adam([p], lr=0.1, betas=(0.5, 0.9))
    p.grad = torch.ones_like(p)
    optimizer.step()
    adaptive = line_from_torch(optimizer)
    least, middle, most = edge_ratios(adaptive, 40.0, 10.0)
    # Nothing of it: what they agree on against Λ = (2 + 2β)/((1 − β)η) = 60. All of it: 40 against the noisy line.
    assert least == pytest.approx(10 / 60)
    assert most == pytest.approx(40 / adaptive.in_mean_square(0.25))
    assert middle == pytest.approx(math.sqrt(least * most)) and least < middle < most
