"""Layerwise Jacobians: how the top directions of one layer meet those of the next.

A small change of the first pre-activations reaches the outputs through a product of layerwise Jacobians.
That product is largest where the direction that one layer stretches most is the one that the next
stretches most; for a fixed size of the factors, that is how the Gauss–Newton part of the curvature grows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from edgewise.curvature.gauss_newton import GaussNewton
from edgewise.curvature.hessian import Hessian
from edgewise.curvature.jacobian import supervised_terms
from edgewise.foundation import ObjectiveError, Parameters, SettingError, exact_arithmetic, generator
from edgewise.linalg import Lanczos
from edgewise.objectives import Objective, SupervisedTerms, fixed_data

# 128 MiB in float64, for one sample.
_LARGEST = 2**24


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LayerwiseAlignment:
    """How well the layerwise Jacobians of a network are aligned, averaged over samples.

    Attributes:
        alignment: ‖J_D ⋯ J₂‖ / (‖J_D‖ ⋯ ‖J₂‖) in spectral norms, between 0 and 1; 1 where all top singular
            vectors meet.
        overlaps: |⟨u_l, v_{l+1}⟩| for l = 2 … D − 1, of the top left singular vector of one layer with the
            top right one of the next.
        norms: ‖J_l‖ for l = 2 … D.
        samples: how many samples they are averaged over.
    """

    alignment: float
    overlaps: tuple[float, ...]
    norms: tuple[float, ...]
    samples: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GaussNewtonShare:
    """How much of the sharpness is the Gauss–Newton part's.

    Attributes:
        value: λ₁(G) / λ₁(H).
        gauss_newton: λ₁(G), the largest eigenvalue of the Gauss–Newton matrix.
        hessian: λ₁(H), the sharpness.
        products: products with either matrix.
    """

    value: float
    gauss_newton: float
    hessian: float
    products: int


def jacobian_alignment(objective: Objective, w: Parameters, samples: int = 32) -> LayerwiseAlignment:
    """The alignment of the layerwise Jacobians at one point.

    A sequential module is cut behind each of its layers that has parameters, into f = f_D ∘ ⋯ ∘ f_1, so that
    z_l = f_l(z_{l−1}) are the pre-activations (and z_D the outputs); a layer that is used twice is two. For each
    sample

        J_l = ∂z_l/∂z_{l−1} = Σ_i σ_i u_i v_iᵀ,    alignment = ‖J_D ⋯ J₂‖ / (‖J_D‖ ⋯ ‖J₂‖),

    and the overlaps are |⟨u_l, v_{l+1}⟩| of the top singular vectors (σ₁, u, v) of J_l. The first layer is left
    out: its Jacobian is with respect to the data. All is averaged over samples spread evenly over the data.
    A network with one hidden layer has the one Jacobian J₂, and nothing to align.

    The paper's own measure is not spelled out in its abstract; this is ours, stated so that it can be checked.
    The Jacobians are taken densely: meant for fully connected networks and small convolutional ones.

    Args:
        objective: of a `torch.nn.Sequential` module (nested ones are unfolded, unless their class has a forward
            method of its own: such a one is one layer).
        w: where.
        samples: how many samples to average over, at most all of them.

    Raises:
        ObjectiveError: if the module's layers cannot be told apart, there are fewer than three, they mix
            samples, or a Jacobian is too large to write down.
        SettingError: if `samples` is below one, or a Jacobian vanishes.

    References:
        lowell2024training
    """
    if samples < 1:
        raise SettingError(f"samples={samples}", "a mean is over something", "Type samples=32")
    terms = supervised_terms(objective, "layerwise Jacobians")
    count = min(samples, terms.samples)
    point = objective.batch_at(w, torch.arange(count) * terms.samples // count)
    assert isinstance(point.terms, SupervisedTerms)
    blocks = _blocks(terms, point.w)
    with exact_arithmetic():
        rows = torch.stack([_aligned(_jacobians(blocks, x)) for x in _inputs(point.terms)])
    means, gaps = rows.mean(0).tolist(), len(blocks) - 2
    return LayerwiseAlignment(
        alignment=means[0], overlaps=tuple(means[1 : 1 + gaps]), norms=tuple(means[1 + gaps :]), samples=count
    )


def gauss_newton_share(objective: Objective, w: Parameters, rtol: float = 1e-3, seed: int = 0) -> GaussNewtonShare:
    """The largest eigenvalue of the Gauss–Newton matrix, over that of the Hessian.

    Near one where the curvature is that of the linearised model, as at the edge of stability.

    Args:
        objective: of a module whose outputs are one tensor.
        w: where.
        rtol: bound of the error of either eigenvalue, relative to it.
        seed: of the start vectors.

    Raises:
        ObjectiveError: for a plain function, or a w that does not fit.
        SettingError: if `rtol` is outside its range, or the largest eigenvalue of the Hessian is not positive.

    References:
        lowell2024training
    """
    tops, products = [], 0
    for matrix in (GaussNewton(objective, w), Hessian(objective, w)):
        pairs = Lanczos().solve(matrix, 1, rtol, generator(seed, "gauss-newton share"))
        tops.append(float(pairs.values[0]))
        products += pairs.products
    gauss_newton, hessian = tops
    if not hessian > 0.0:
        raise SettingError(
            f"a Hessian whose largest eigenvalue is {hessian:.3g}",
            "a share of it says nothing",
            "Measure where the loss curves upwards in some direction",
        )
    return GaussNewtonShare(
        value=gauss_newton / hessian, gauss_newton=gauss_newton, hessian=hessian, products=products
    )


_Block = Callable[[Tensor], Tensor]


def _blocks(terms: SupervisedTerms, w: Parameters) -> list[_Block]:
    """f_1 … f_D at w, each for a batch of inputs."""
    module = terms.module
    named = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    # By identity: a tensor that is used twice has two names, of which w knows one.
    pieces = {id(tensor): tensor for tensor in named.values()}
    pieces |= {id(named[name]): piece for name, piece in terms.space.unflatten(w).items()}
    cut: list[list[_Block]] = []
    pending: list[_Block] = []
    for layer in _layers(module):
        own = (*layer.named_parameters(), *layer.named_buffers())
        pending.append(partial(_call, layer, {key: pieces[id(tensor)].detach() for key, tensor in own}))
        if any(True for _ in layer.parameters()):
            cut.append(pending)
            pending = []
    if len(cut) < 3:
        raise ObjectiveError(
            f"a {type(terms.module).__name__} with {len(cut)} layers that have parameters",
            "the first meets the data, and it takes two more for one to be aligned with the next",
            "Give it two hidden layers or more",
        )
    cut[-1] += pending
    return [partial(_chained, chain) for chain in cut]


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """The layers in the order in which they are called, as often as they are called."""
    if not _is_plain(module):
        raise ObjectiveError(
            f"the layers of a {type(module).__name__}",
            "in which order they follow each other is written in its forward method, and cannot be read off",
            "Make the module a torch.nn.Sequential of its layers",
        )
    assert isinstance(module, nn.Sequential)
    for child in module:
        if _is_plain(child):
            yield from _layers(child)
        else:
            yield child


def _is_plain(module: nn.Module) -> bool:
    """Whether it calls its children one after the other, and does nothing else."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _call(layer: nn.Module, pieces: dict[str, Tensor], z: Tensor) -> Tensor:
    result: Tensor = functional_call(layer, pieces, (z,))
    return result


def _chained(chain: list[_Block], z: Tensor) -> Tensor:
    for layer in chain:
        z = layer(z)
    return z


def _inputs(terms: SupervisedTerms) -> Iterator[Tensor]:
    """The samples one by one, each as a batch of one."""
    for chunk in terms.chunks():
        # A sequential module takes one argument.
        x = chunk.inputs if isinstance(chunk.inputs, Tensor) else next(fixed_data.tensors_in(chunk.inputs))
        yield from x.split(1)


def _jacobians(blocks: list[_Block], x: Tensor) -> list[Tensor]:
    """J_2 … J_D of one sample, as matrices."""
    z = blocks[0](x)
    found = []
    for number, block in enumerate(blocks[1:], start=2):
        after = block(z)
        if z.numel() * after.numel() > _LARGEST:
            raise ObjectiveError(
                f"layer {number}, from {z.numel():,} numbers to {after.numel():,}",
                "its Jacobian would be written down as a matrix, and is too large for that",
                "Use a narrower network, or smaller images",
            )
        found.append(jacrev(block)(z).reshape(after.numel(), z.numel()))
        z = after
    return found


def _aligned(jacobians: list[Tensor]) -> Tensor:
    """The alignment, the overlaps and the norms of one sample, one after the other."""
    largest = torch.stack([J.abs().max() for J in jacobians])
    if not bool((torch.isfinite(largest) & (largest > 0)).all()):
        raise SettingError(
            f"a layerwise Jacobian whose largest entry is {float(largest.min()):.3g}",
            "it has no direction that could be aligned",
            "Measure where every layer passes something on: with ReLU, where not all units are off",
        )
    decomposed = [torch.linalg.svd(J, full_matrices=False) for J in jacobians]
    norms = torch.stack([S[0] for _, S, _ in decomposed])
    product = jacobians[0] / norms[0]
    for J, norm in zip(jacobians[1:], norms[1:], strict=True):
        product = (J / norm) @ product
    overlaps = [(U[:, 0] @ V[0]).abs() for (U, _, _), (_, _, V) in pairwise(decomposed)]
    return torch.stack([torch.linalg.matrix_norm(product, 2), *overlaps, *norms])
