"""Spectral density by stochastic Lanczos quadrature."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.foundation import SettingError, Vector, generator
from edgewise.linalg.krylov import KrylovBasis, random_vector
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Estimate


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """The spectral density φ(x) = (1/n) Σᵢ δ(x − λᵢ), as one quadrature rule per random probe.

    Attributes:
        nodes: Ritz values θ of each probe's Krylov space, float64 on the CPU.
        weights: the squared first entries of their eigenvectors; each row sums to one.
        size: n.
        products: operator products that it cost.
    """

    nodes: Float[Tensor, "probes steps"]
    weights: Float[Tensor, "probes steps"]
    size: int
    products: int

    def __str__(self) -> str:
        low, high = self.extent
        return f"{self.size} eigenvalues from {low:.4g} to {high:.4g}, after {self.products} products"

    @property
    def extent(self) -> tuple[float, float]:
        """The smallest and the largest node: all of them lie inside the spectrum."""
        return float(self.nodes.min()), float(self.nodes.max())

    def grid(self, points: Vector, width: float) -> Estimate:
        """The density at `points`, every eigenvalue widened to a Gaussian of standard deviation `width`.

        Args:
            points: where.
            width: in units of the eigenvalues. Below the spacing of the nodes, single nodes become visible.

        Raises:
            SettingError: if `width` is not positive.
        """
        if not width > 0:
            raise SettingError(
                f"width={width}",
                "an eigenvalue is widened to a Gaussian of positive width",
                "Type a hundredth of the range, density.grid(points, 0.01 * (points[-1] - points[0]))",
            )
        distances = (points.double().cpu()[:, None, None] - self.nodes) / width
        gaussians = torch.exp(-distances.square() / 2) / (width * math.sqrt(2 * math.pi))
        return self._average((gaussians * self.weights).sum(dim=2).T)

    def moment(self, power: int) -> Estimate:
        """The moment tr(Aᵖ)/n = Σᵢ λᵢᵖ/n: unbiased for p below twice the steps."""
        estimate = self._average((self.weights * self.nodes**power).sum(dim=1, keepdim=True))
        return Estimate(
            value=float(torch.as_tensor(estimate.value)[0]),
            standard_error=float(torch.as_tensor(estimate.standard_error)[0]),
            products=estimate.products,
            samples=estimate.samples,
        )

    def _average(self, samples: Tensor) -> Estimate:
        """The mean over probes and its standard error."""
        return Estimate(
            value=samples.mean(dim=0),
            standard_error=samples.std(dim=0) / math.sqrt(samples.shape[0]),
            products=self.products,
            samples=samples.shape[0],
        )


def spectral_density(operator: Operator, probes: int = 10, steps: int = 50, seed: int = 0) -> Density:
    """The spectral density of A by stochastic Lanczos quadrature.

    For a random unit vector v, E[vᵀ f(A) v] = tr f(A)/n, and `steps` of Lanczos from v give the Gauss rule
    Σⱼ wⱼ f(θⱼ), exact for polynomials of degree below 2 × steps (ubaru2017fast, ghorbani2019investigation).
    Reorthogonalisation is full, so there are no ghost eigenvalues. Costs probes × steps products, fewer
    where a Krylov space ends.

    Args:
        operator: A.
        probes: random vectors, at least two, for the standard error.
        steps: products for each.
        seed: of the probes.

    Raises:
        SettingError: if an argument is outside its range, or a product is not finite.

    References:
        ubaru2017fast, ghorbani2019investigation
    """
    if probes < 2 or steps < 1:
        raise SettingError(
            f"spectral_density(probes={probes}, steps={steps})",
            "a standard error takes two probes, and each takes a step",
            "Type probes=10, steps=50",
        )
    steps = min(steps, operator.size)
    draw = generator(seed, "spectral_density")
    rules = [_gauss_rule(operator, random_vector(operator, draw), steps) for _ in range(probes)]
    return Density(
        nodes=torch.stack([nodes for nodes, _, _ in rules]),
        weights=torch.stack([weights for _, weights, _ in rules]),
        size=operator.size,
        products=sum(products for _, _, products in rules),
    )


def _gauss_rule(operator: Operator, start: Tensor, steps: int) -> tuple[Tensor, Tensor, int]:
    basis = KrylovBasis(operator, start[:, None], capacity=steps)
    while basis.products < steps and basis.open:
        basis.close(basis.lead)
    ritz = basis.ritz(wanted=1, rtol=1.0)
    missing = steps - basis.products
    nodes = torch.cat([ritz.values, ritz.values[-1:].expand(missing)])
    return nodes, torch.nn.functional.pad(ritz.coefficients[0].square(), (0, missing)), basis.products
