"""What one Hessian-vector product costs after the first at the same point, in gradients."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.nets import Net, cnn, gpt, mlp
from benchmarks.table import Table, Target
from benchmarks.timing import interleaved
from edgewise.objectives import CentralDifference, ForwardOverReverse

Product = Callable[[Tensor], Tensor]

OURS = "edgewise, kept graph"
SIZES = {"MLP": (mlp, 5000, 1.2), "CNN": (cnn, 500, 2.2), "GPT": (gpt, 32, 2.3)}


def measure(quick: bool) -> list[Table]:
    """One column a network; gradient and products alternate, so that a busy machine slows both."""
    words, cells, targets = [], {}, []
    for name, (make, size, limit) in SIZES.items():
        net = make(size // 10 if quick else size)
        words.append(f"{net.words} ({net.data})")
        gradient, costs = _costs(net, repeats=3 if quick else 7, label=f"products: {name}")
        for product, (ratio, operations, error) in costs.items():
            cells.setdefault(product, []).append(f"{ratio:.2f} ({operations:.2f})")
            cells[product].append(f"{error:.0e}")
        cells.setdefault("a gradient, ms", []).extend([f"{1e3 * gradient:.0f}", ""])
        targets.append(
            Target(what=f"a product on the {name}, in gradients:", measured=costs[OURS][0], limit=limit)
        )
    rows = [[product, *row] for product, row in cells.items()]
    columns = ["", *(column for name in SIZES for column in (name, "error"))]
    setting = (
        "Seconds of a product ÷ seconds of a gradient, medians; in brackets the same ratio in counted matrix "
        "operations. The error is the distance from a double backward pass in float64, relative. "
        f"{'; '.join(words)}."
    )
    return [Table(title="A Hessian-vector product", setting=setting, columns=columns, rows=rows, targets=targets)]


def _costs(net: Net, repeats: int, label: str) -> tuple[float, dict[str, tuple[float, float, float]]]:
    """Per way of taking products: its cost in gradients, by the clock and counted, and its error."""
    objective = net.objective
    w = objective.start
    v = torch.randn(objective.size, generator=torch.Generator().manual_seed(0))
    exact = objective.to(torch.float64).at(w.double()).hvp(v.double())

    def gradient() -> Tensor:
        return objective.gradient(w)

    ways: dict[str, Product] = {
        OURS: objective.at(w).hvp,
        "edgewise, forward over reverse": objective.using(ForwardOverReverse()).at(w).hvp,
        "edgewise, central difference": objective.using(CentralDifference()).at(w).hvp,
        **_peers(net),
    }
    errors, operations = {}, {}
    for name, product in ways.items():
        errors[name] = float((product(v).double() - exact).norm() / exact.norm())
        operations[name] = _operations(lambda product=product: product(v)) / _operations(gradient)
    base, taken = interleaved(
        gradient, {name: (lambda p=product: p(v)) for name, product in ways.items()}, repeats, label
    )
    return base, {name: (taken[name] / base, operations[name], errors[name]) for name in ways}


def _peers(net: Net) -> dict[str, Product]:
    return {
        "PyTorch, double backward anew": _fresh(net),
        "curvlinops": _curvlinops(net),
        "hessian-eigenthings": _eigenthings(net),
    }


def _fresh(net: Net) -> Product:
    module, criterion, inputs, targets = net.bare()
    parameters = list(module.parameters())

    def product(v: Tensor) -> Tensor:
        pieces = [p.view_as(q) for p, q in zip(v.split([q.numel() for q in parameters]), parameters, strict=True)]
        gradients = torch.autograd.grad(criterion(module(inputs), targets), parameters, create_graph=True)
        products = torch.autograd.grad(gradients, parameters, pieces)
        return torch.cat([p.reshape(-1) for p in products])

    return product


def _curvlinops(net: Net) -> Product:
    from curvlinops import HessianLinearOperator

    module, criterion, inputs, targets = net.bare()
    parameters = list(module.parameters())
    # It asks a criterion how it reduces.
    mean = _Mean(criterion)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hessian = HessianLinearOperator(module, mean, parameters, [(inputs, targets)], check_deterministic=False)
    return lambda v: hessian @ v


class _Mean(torch.nn.Module):
    reduction = "mean"

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.criterion(outputs, targets)


def _eigenthings(net: Net) -> Product:
    from hessian_eigenthings import HessianOperator, supervised_loss

    module, criterion, inputs, targets = net.bare()
    operator = HessianOperator(module, [(inputs, targets)], supervised_loss(criterion))
    return operator.matvec


def _operations(action: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()
