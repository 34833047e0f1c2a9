"""Small models with every matrix of the room known densely, in float64, from the definitions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.functional import hessian as autograd_hessian
from torch.func import functional_call, hessian, jacrev
from torch.nn.attention import SDPBackend, sdpa_kernel

from edgewise.linalg import Operator
from edgewise.objectives import Objective

ROWS = 9


class Attention(nn.Module):
    """Embedding, layer norm, causal attention, and a head: tokens (rows, time) ↦ (rows, classes, time)."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(x).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class Setting:
    """A module, a criterion and data, and the dense matrices that follow from them."""

    module: nn.Module
    criterion: Callable[..., Tensor]
    inputs: Tensor
    targets: Tensor

    def objective(self, chunk_size: int | None = None) -> Objective:
        return _objective(self, chunk_size)

    @property
    def w(self) -> Tensor:
        """A point a little off the initialisation, so that nothing is there by accident."""
        start = nn.utils.parameters_to_vector(self.module.parameters()).detach()
        noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        return start + 0.05 * noise.to(start.dtype)

    def outputs(self, w: Tensor) -> Tensor:
        named = dict(self.module.named_parameters())
        pieces = w.split([p.numel() for p in named.values()])
        replaced = {n: piece.view_as(named[n]) for n, piece in zip(named, pieces, strict=True)}
        return functional_call(self.module, replaced, (self.inputs,))

    @cached_property
    def jacobian(self) -> Tensor:
        """J, (outputs, params), the rows in the order of outputs.reshape(-1)."""
        return jacrev(lambda w: self.outputs(w).reshape(-1))(self.w)

    @cached_property
    def hessian(self) -> Tensor:
        """∇²L, row by row; torch.func's jacrev of jacrev is wrong through native layer norm."""
        with sdpa_kernel(SDPBackend.MATH):
            return autograd_hessian(lambda w: self.criterion(self.outputs(w), self.targets), self.w)

    @cached_property
    def gauss_newton(self) -> Tensor:
        """Jᵀ (∇²_f ℓ) J with the Hessian of the criterion on all outputs at once."""
        outputs = self.outputs(self.w).detach()
        flat = hessian(lambda f: self.criterion(f.view_as(outputs), self.targets))(outputs.reshape(-1))
        jacobian = self.jacobian
        return jacobian.T @ flat @ jacobian

    def per_sample_gradients(self, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """The gradients of `loss(outputs)`, a vector of per-sample losses, as rows."""
        return jacrev(lambda w: loss(self.outputs(w)))(self.w)


@cache
def _objective(setting: Setting, chunk_size: int | None) -> Objective:
    data = setting.inputs, setting.targets
    return Objective.from_module(setting.module, setting.criterion, data, chunk_size)


def _randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _classes(*shape: int, classes: int, seed: int) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def _mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 4), nn.Tanh(), nn.Linear(4, outputs)).double()


@cache
def _build(name: str) -> Setting:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        x = _randn(ROWS, 3, seed=1)
        match name:
            case "mlp, MSE":
                return Setting(_mlp(3, 2), nn.MSELoss(), x, _randn(ROWS, 2, seed=2))
            case "mlp, sum of squares":
                return Setting(_mlp(3, 2), nn.MSELoss(reduction="sum"), x, _randn(ROWS, 2, seed=2))
            case "mlp, cross-entropy":
                return Setting(_mlp(3, 3), nn.CrossEntropyLoss(), x, _classes(ROWS, classes=3, seed=2))
            case "mlp, soft labels":
                return Setting(_mlp(3, 3), nn.CrossEntropyLoss(), x, _randn(ROWS, 3, seed=2).softmax(1))
            case "mlp, logistic":
                targets = _classes(ROWS, 2, classes=2, seed=2).double()
                return Setting(_mlp(3, 2), nn.BCEWithLogitsLoss(), x, targets)
            case "cnn, cross-entropy":
                module = nn.Sequential(
                    nn.Conv2d(1, 2, 3),
                    nn.BatchNorm2d(2),
                    nn.GELU(),
                    nn.AvgPool2d(2),
                    nn.Flatten(),
                    nn.Linear(2, 3),
                )
                images = _randn(ROWS, 1, 4, 4, seed=1)
                return Setting(
                    module.double().eval(), nn.CrossEntropyLoss(), images, _classes(ROWS, classes=3, seed=2)
                )
            case "attention, tokens":
                targets = _classes(ROWS, 3, classes=4, seed=2)
                targets[:, 0] = -100
                targets[1, 1:] = -100  # one row is ignored altogether
                return Setting(
                    Attention(4, 3).double(), nn.CrossEntropyLoss(), _classes(ROWS, 3, classes=4, seed=1), targets
                )
    raise AssertionError(name)


NAMES = [
    "mlp, MSE",
    "mlp, sum of squares",
    "mlp, cross-entropy",
    "mlp, soft labels",
    "mlp, logistic",
    "cnn, cross-entropy",
    "attention, tokens",
]


def dense(operator: Operator) -> Tensor:
    """The matrix of an operator, by its action on the unit vectors."""
    return operator @ torch.eye(operator.size, dtype=operator.dtype)


@pytest.fixture
def build() -> Callable[[str], Setting]:
    """Settings by name."""
    return _build


@pytest.fixture(name="dense")
def dense_of() -> Callable[[Operator], Tensor]:
    """The matrix of an operator."""
    return dense


def action(operator: Operator, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Both applied to the same three random vectors: enough to tell two matrices apart, at three products."""
    block = _randn(operator.size, 3, seed=7)
    return operator @ block.to(operator.dtype), matrix @ block


@pytest.fixture(name="action")
def action_of() -> Callable[[Operator, Tensor], tuple[Tensor, Tensor]]:
    """An operator and a matrix, on the same vectors."""
    return action


@pytest.fixture(params=NAMES)
def setting(request: Any) -> Setting:
    """Each of them in turn."""
    return _build(request.param)
