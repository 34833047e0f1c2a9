"""Named tensors ⇄ one flat vector: there and back is the identity, both ways."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewise.foundation import ObjectiveError, ParameterSpace

shapes = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=5)


def _space(shapes: list[tuple[int, ...]]) -> ParameterSpace:
    return ParameterSpace(tuple(f"layer.{i}" for i in range(len(shapes))), tuple(shapes))


@given(shapes, st.sampled_from([torch.float32, torch.float64]))
def test_there_and_back(shapes: list[tuple[int, ...]], dtype: torch.dtype) -> None:
    space = _space(shapes)
    w = torch.arange(space.size, dtype=dtype)
    tensors = space.unflatten(w)
    assert tuple(tensors) == space.names
    assert tuple(tuple(t.shape) for t in tensors.values()) == space.shapes
    assert torch.equal(space.flatten(tensors), w)
    again = space.unflatten(space.flatten(tensors))
    assert all(torch.equal(again[name], tensors[name]) for name in space.names)
    assert space.size == sum(space.lengths) == sum(t.numel() for t in tensors.values())


@given(shapes)
def test_flattening_copies_and_unflattening_does_not(shapes: list[tuple[int, ...]]) -> None:
    space = _space(shapes)
    w = torch.zeros(space.size)
    tensors = space.unflatten(w)
    space.flatten(tensors).add_(1)
    assert not w.any()
    w.add_(1)
    assert all(bool((t == 1).all()) for t in tensors.values())


@given(shapes)
def test_it_is_differentiable(shapes: list[tuple[int, ...]]) -> None:
    space = _space(shapes)
    w = torch.randn(space.size, dtype=torch.float64, requires_grad=True)
    loss = sum((i + 1) * (t**2).sum() for i, t in enumerate(space.unflatten(w).values()))
    (gradient,) = torch.autograd.grad(loss, w)
    factors = torch.cat([torch.full((n,), 2.0 * (i + 1)) for i, n in enumerate(space.lengths)])
    torch.testing.assert_close(gradient, factors * w.detach())


def test_names_that_are_not_ours_are_passed_over() -> None:
    space = _space([(2,)])
    assert torch.equal(space.flatten({"other": torch.ones(3), "layer.0": torch.zeros(2)}), torch.zeros(2))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(2, 2), nn.Linear(2, 2)
        self.decoder.weight = self.encoder.weight
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)


def test_tied_weights_once_and_frozen_ones_not_at_all() -> None:
    space = ParameterSpace.of(Tied())
    assert space.names == ("encoder.weight", "encoder.bias", "decoder.bias")
    assert space.shapes == ((2, 2), (2,), (2,))
    assert space.size == 8


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["encoder"], ("encoder.weight", "encoder.bias")),
        (["encoder."], ("encoder.weight", "encoder.bias")),
        ("decoder.bias", ("decoder.bias",)),
        (["decoder"], ("encoder.weight", "decoder.bias")),
        (["decoder.weight"], ("encoder.weight",)),
        (["decoder.bias", "encoder.bias"], ("encoder.bias", "decoder.bias")),
    ],
)
def test_a_subset_in_the_order_of_the_module(only: list[str] | str, names: tuple[str, ...]) -> None:
    assert ParameterSpace.of(Tied(), only).names == names


@pytest.mark.parametrize("only", [["enc"], ["encoder", "head"], ["scale"], "", []])
def test_names_that_match_nothing(only: list[str] | str) -> None:
    with pytest.raises(
        ObjectiveError, match=r"parameters=.*Choose from encoder.weight, encoder.bias, decoder.bias"
    ):
        ParameterSpace.of(Tied(), only)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_nothing_to_train(module: nn.Module) -> None:
    with pytest.raises(ObjectiveError, match="with no trainable parameter"):
        ParameterSpace.of(module)
