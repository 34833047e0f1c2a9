"""What answers say of themselves, and how vectors keep their signs."""

import pytest
import torch
from torch.testing import assert_close

from edgewise.foundation import decode, encode
from edgewise.linalg import Eigenpairs, Estimate, Status, align


def pairs(status: Status = Status.CONVERGED) -> Eigenpairs:
    return Eigenpairs(
        values=torch.tensor([12.345, -1.0]).double(),
        vectors=torch.eye(4, 2).double(),
        residuals=torch.tensor([0.1, 0.2]).double(),
        bounds=torch.tensor([0.04, 0.5]).double(),
        converged=torch.tensor([True, False]),
        products=7,
        status=status,
    )


def test_pairs_print_with_their_doubt_and_their_cost() -> None:
    assert str(pairs(Status.BUDGET)).startswith("12.35 ± 0.04, -1.0 ± 0.5 (!) after 7 products. The products ran")


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_sentence(status: Status) -> None:
    assert status.sentence.endswith(".")


def test_pairs_survive_being_written_down() -> None:
    tensors: dict[str, torch.Tensor] = {}
    again = decode(encode(pairs(), tensors), tensors)
    assert again.status is Status.CONVERGED
    assert_close(again.vectors, pairs().vectors)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3, 0.4, "12.3 ± 0.4"),
        (12.345, 0.041, "12.345 ± 0.041"),
        (-1234.5, 67.0, "-1234 ± 67"),
        (6.0, 0.0, "6 ± 0"),
        (1e-9, 2e-10, "1e-09 ± 2e-10"),
        (float("nan"), 1.0, "nan ± 1.0"),
    ],
)
def test_an_estimate_prints_as_many_digits_as_it_knows(value: float, error: float, text: str) -> None:
    assert str(Estimate(value=value, standard_error=error, products=1, samples=1)) == text


def test_a_vector_estimate_prints_its_typical_error() -> None:
    estimate = Estimate(value=torch.ones(3), standard_error=torch.tensor([0.3, 0.4, 0.0]), products=1, samples=1)
    assert str(estimate) == "3 numbers, each ± 0.29 (root mean square)"


def test_signs_follow_the_reference() -> None:
    reference = torch.linalg.qr(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)))[0]
    flipped = reference * torch.tensor([1.0, -1.0, -1.0])
    assert_close(align(flipped, reference), reference)


def test_a_vector_that_changed_rank_keeps_its_own_sign() -> None:
    reference = torch.linalg.qr(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)))[0]
    swapped = -reference[:, [1, 0, 2]] + 0.1 * reference[:, [0, 1, 1]]
    overlaps = reference[:, [1, 0, 2]].T @ align(swapped, reference)
    assert (overlaps.diagonal() > 0.9).all()


def test_aligning_a_rotated_pair_leaves_no_opposite_vectors() -> None:
    angle = torch.tensor(2.6)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    aligned = align(torch.eye(5, 2) @ turn, torch.eye(5, 2))
    assert (aligned[:2].diagonal() > 0.5).all()


def test_without_a_reference_the_largest_entry_is_positive() -> None:
    vectors = torch.tensor([[0.1, 0.6], [-0.9, 0.8], [0.3, 0.0]])
    aligned = align(vectors, torch.empty(3, 0))
    assert_close(aligned, vectors * torch.tensor([-1.0, 1.0]))
    assert_close(align(vectors, vectors[:, 1:]), aligned)
