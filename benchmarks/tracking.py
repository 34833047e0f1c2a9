"""Following the top three eigenvalues at every step of a descent at the edge of stability.

All contenders look at the same points through the same kept graphs, and are charged for their products.
"""

import statistics
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, eigsh, lobpcg
from torch import Tensor

from benchmarks.edge import edge_point
from benchmarks.nets import descents
from benchmarks.table import Table, Target
from benchmarks.timing import progress, seconds
from edgewise.curvature import Hessian, Tracker, TrackerState
from edgewise.dynamics import Sharpness
from edgewise.linalg import BlockKrylov, Lanczos, Operator
from edgewise.objectives import Point

K = 3
SETTLE = 10  # readings before the count begins, so that nobody pays for a cold start
RARE = 10  # those that start cold every time are asked at every tenth step only


class Contender(ABC):
    """Somebody who finds the largest eigenvalues, reading after reading.

    Attributes:
        every: steps between its readings.
    """

    every = 1

    @abstractmethod
    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """The K largest eigenvalues, descending, and their error bounds if it has any."""


@dataclass(slots=True)
class Ours(Contender):
    """The tracker of edgewise."""

    tracker: Tracker
    state: TrackerState | None = None

    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """A warm reading."""
        state = self.state or self.tracker.init(seed=0)
        pairs, self.state = self.tracker.read(hessian, state, directions=[gradient])
        return pairs.values, pairs.bounds


@dataclass(slots=True)
class Arnoldi(Contender):
    """SciPy's eigsh (ARPACK), from a random start or from the sum of the last eigenvectors."""

    tolerance: float
    warm: bool = False
    basis: int | None = None
    start: np.ndarray | None = None

    @property
    def every(self) -> int:  # type: ignore[override]
        """Cold starts are all alike."""
        return 1 if self.warm else RARE

    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """`eigsh` as its manual says."""
        start = (
            self.start if self.warm else np.random.default_rng(0).standard_normal(hessian.size, dtype=np.float32)
        )
        try:
            values, vectors = eigsh(
                hessian.to_scipy(), k=K, which="LA", tol=self.tolerance, ncv=self.basis, v0=start, maxiter=30
            )
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
        if vectors.shape[1]:
            self.start = vectors.sum(1)
        return _descending(values), None


@dataclass(slots=True)
class LOBPCG(Contender):
    """SciPy's lobpcg from the last eigenvectors.

    Attributes:
        tolerance: residual norm at which it stops, relative to the largest eigenvalue.
    """

    tolerance: float
    block: np.ndarray | None = None
    largest: float = 200.0

    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """`lobpcg` as its manual says."""
        block = self.block
        if block is None:
            block = Lanczos().solve(hessian, K, 1e-4, torch.Generator().manual_seed(0)).vectors.numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values, self.block = lobpcg(
                hessian.to_scipy(), block, tol=self.tolerance * self.largest, maxiter=40, largest=True
            )
        self.largest = float(values.max())
        return _descending(values), None


@dataclass(slots=True)
class PowerIteration(Contender):
    """Power iteration with deflation from the last eigenvectors, as PyHessian does it but for its cold start."""

    tolerance: float
    vectors: list[Tensor] = field(default_factory=list)

    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """One pair after the other, until the value changes by less than the tolerance."""
        values, found = [], []
        for rank in range(K):
            v = (
                self.vectors[rank]
                if self.vectors
                else torch.randn(hessian.size, generator=torch.Generator().manual_seed(rank))
            )
            value = None
            for _ in range(100):
                for u in found:
                    v = v - (u @ v) * u
                v = v / v.norm()
                image = hessian.matvec(v)
                before, value = value, float(v @ image)
                v = image
                if before is not None and abs(value - before) < self.tolerance * abs(before):
                    break
            values.append(value)
            found.append(v / v.norm())
        self.vectors = found
        return _descending(np.array(values)), None


@dataclass(slots=True)
class Eigenthings(Contender):
    """The Lanczos of hessian-eigenthings, which starts cold."""

    iterations: int
    every: int = RARE

    def read(self, hessian: Operator, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Its `lanczos` over our products."""
        from hessian_eigenthings import LambdaOperator, lanczos

        operator = LambdaOperator(hessian.matvec, size=hessian.size, device=hessian.device, dtype=hessian.dtype)
        result = lanczos(operator, k=K, max_iter=self.iterations, which="LA", seed=0)
        return _descending(np.asarray(result.eigenvalues)), None


@dataclass(slots=True)
class Score:
    """What a contender's readings came to."""

    products: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, gradient: float) -> list[str]:
        """Products a pair, 95th percentile and largest error, covered share, seconds in gradients."""
        covered = f"{100 * statistics.mean(self.covered):.0f} %" if self.covered else ""
        return [
            f"{self.products_a_pair:.2f}",
            f"{statistics.median(self.errors):.0e}",
            f"{self.error:.0e}",
            f"{max(self.errors):.0e}",
            covered,
            f"{statistics.median(self.seconds) / gradient:.1f}",
        ]

    @property
    def products_a_pair(self) -> float:
        """On average over the readings."""
        return statistics.mean(self.products) / K

    @property
    def error(self) -> float:
        """The 95th percentile over the readings of the error of the worst pair, relative."""
        return float(np.quantile(self.errors, 0.95))


AS_USED = "edgewise `Tracker`, as `Sharpness` uses it"


def contenders() -> dict[str, Contender]:
    """Everybody, by name."""
    return {
        AS_USED: Ours(Tracker(k=K, lag=2, rtol=Sharpness().rtol)),
        "the same, rtol 5e-4": Ours(Tracker(k=K, lag=2, rtol=5e-4)),
        "the same, from the last reading (lag 1)": Ours(Tracker(k=K, lag=1, rtol=Sharpness().rtol)),
        "SciPy `eigsh`, cold, default": Arnoldi(0.0),
        "SciPy `eigsh`, cold, tol 1e-3": Arnoldi(1e-3),
        "SciPy `eigsh`, warm, tol 1e-3, ncv 7": Arnoldi(1e-3, warm=True, basis=7),
        "SciPy `lobpcg`, warm, residual 1e-2": LOBPCG(1e-2),
        "SciPy `lobpcg`, warm, residual 1e-3": LOBPCG(1e-3),
        "power iteration, warm, tol 1e-3": PowerIteration(1e-3),
        "hessian-eigenthings `lanczos`, cold, 20 iterations": Eigenthings(20),
    }


def measure(quick: bool) -> list[Table]:
    """Every contender on one trace."""
    readings = 15 if quick else 80
    descent = descents()[0]
    w, start = edge_point(descent)
    objective = descent.problem.objective()
    reference = Reference()
    field_ = contenders()
    scores = {name: Score() for name in field_}
    gradients, ratios = [], []
    for step in progress(range(readings), "tracking at the edge of stability", readings):
        point = objective.at(w)
        gradients.append(seconds(lambda point=point: point.gradient))
        truth, doubt = reference.read(point)
        ratios.append(float(truth[0]) * descent.step_size / 2)
        for name, contender in field_.items():
            if step % contender.every == 0:
                score(scores[name], contender, point, truth, doubt, counts=step >= SETTLE)
        w = w - descent.step_size * point.gradient
    setting = (
        f"{descent.words}; {readings - SETTLE} steps from step {start + SETTLE}, where the median edge ratio is "
        f"{statistics.median(ratios):.3f}; top {K} at every step (cold starts at every {RARE}th). "
        f"Errors are those of "
        f"the worst of the {K} pairs, relative, against a block Krylov solution whose bound is "
        f"{max(reference.doubts):.0e}, compared with a cold start {reference.checks} times (largest difference "
        f"{reference.difference:.0e}). Covered: how many errors lie within the bound that came with the value. "
        "curvlinops has operators, and leaves the eigenvalues to SciPy."
    )
    ours = scores[AS_USED]
    return [
        Table(
            title="Tracking the top three eigenvalues",
            setting=setting,
            columns=[
                "",
                "products a pair a step",
                "median error",
                "95 %",
                "largest",
                "covered",
                "seconds, in gradients",
            ],
            rows=[[name, *score.row(statistics.median(gradients))] for name, score in scores.items()],
            targets=[
                Target(what="products a pair a step:", measured=ours.products_a_pair, limit=2.2),
                Target(what="95th percentile of the relative error:", measured=ours.error, limit=5e-4),
            ],
        )
    ]


class Reference:
    """The converged values, from a wide warm block and many products; now and then from a cold start too."""

    def __init__(self) -> None:
        self.block: Tensor | None = None
        self.readings = self.checks = 0
        self.doubts: list[float] = []
        self.difference = 0.0

    def read(self, point: Point) -> tuple[Tensor, Tensor]:
        """The values and how far off they may be."""
        hessian = Hessian.at(point)
        numbers = torch.Generator().manual_seed(self.readings)
        cold = None
        if self.readings % 25 == 0:
            cold = Lanczos().solve(hessian, 2 * K, 1e-5, numbers)
        block = cold.vectors if self.block is None else self.block
        tracked = BlockKrylov(max_products_per_pair=10).solve(hessian, block, K, 1e-5)
        values, bounds = tracked.pairs.values, tracked.pairs.bounds
        self.block = tracked.block
        if cold is not None and self.readings:
            self.checks += 1
            self.difference = max(self.difference, float(((cold.values[:K] - values) / values).abs().max()))
        self.doubts.append(float((bounds / values).max()))
        self.readings += 1
        return values, bounds


def score(score: Score, contender: Contender, point: Point, truth: Tensor, doubt: Tensor, *, counts: bool) -> None:
    """One reading, judged."""
    hessian = Hessian.at(point)
    answer: list[tuple[Tensor, Tensor | None]] = []
    took = seconds(lambda: answer.append(contender.read(hessian, point.gradient)))
    if not counts:
        return
    values, bounds = answer[0]
    errors = (truth - values[:K]).abs() if len(values) >= K else torch.full((K,), torch.nan)
    score.products.append(hessian.products)
    score.errors.append(float((errors / truth).max()))
    score.seconds.append(took)
    if bounds is not None:
        score.covered += (errors <= bounds + doubt).tolist()


def _descending(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.sort(np.asarray(values, dtype=np.float32))[::-1].copy())
