"""Streams are stable for ever, independent of each other, and never the global one."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.foundation import SettingError, derive_seed, generator

names = st.lists(st.text(), max_size=3)


def test_golden() -> None:
    """Stored runs are resumed with these numbers: they must never change."""
    assert derive_seed(0) == 3456079177858693020
    assert derive_seed(0, "gd", "sharpness") == 1621500905821905589
    assert derive_seed(7, "data") == 4237268861321998237
    assert torch.randn(3, generator=generator(0, "gd"), dtype=torch.float64).tolist() == pytest.approx(
        [-1.1628211431516766, -0.6903448035337897, 2.537810910728827], abs=1e-14
    )


@given(st.integers(0, 2**70), names)
def test_a_seed_that_every_generator_takes(seed: int, names: list[str]) -> None:
    derived = derive_seed(seed, *names)
    assert 0 <= derived < 2**63
    assert derived == derive_seed(seed, *names)
    assert derived == int(hashlib.sha256("/".join([str(seed), *names]).encode()).hexdigest()[:16], 16) // 2
    torch.Generator().manual_seed(derived)


@given(st.integers(0, 1000), st.integers(0, 1000), st.text(), st.text())
def test_other_names_and_other_seeds_are_other_streams(a: int, b: int, one: str, other: str) -> None:
    assert (derive_seed(a, one) == derive_seed(b, other)) == ((a, one) == (b, other))


def test_streams_are_not_correlated() -> None:
    draws = torch.stack([torch.randn(4000, generator=generator(s, n)) for s in (0, 1) for n in ("a", "b", "c")])
    correlation = torch.corrcoef(draws) - torch.eye(6)
    assert float(correlation.abs().max()) < 5 / 4000**0.5


def test_a_stream_is_always_the_same_and_never_the_global_one() -> None:
    before = torch.get_rng_state()
    one = torch.randn(5, generator=generator(3, "probe"))
    generator(3, "something else").seed()
    assert torch.equal(torch.randn(5, generator=generator(3, "probe")), one)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_negative_seed() -> None:
    with pytest.raises(SettingError, match=r"^seed=-1: a seed is a non-negative integer. Type seed=0.$"):
        derive_seed(-1)
