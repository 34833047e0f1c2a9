import math

import numpy as np
import pytest
import torch
from torch import Tensor

from edgewise.flows import RK4, RKC2, RKC3, ROCK4, Integrator
from edgewise.flows.integrators import Place, VectorField, begin, march, resume
from edgewise.foundation import FlowError, SettingError, decode, encode
from edgewise.linalg import Diagonal


class Logistic(VectorField):
    """Two coupled variables with a known solution: u' = u (1 − u), v' = −v² u, so 1/v grows by ∫u."""

    size = 2
    start = torch.tensor([0.2, 1.0], dtype=torch.float64)

    def at(self, y: Tensor, *, curvature: bool = False) -> Place:
        u, v = y
        return Place(velocity=torch.stack([u * (1 - u), -v * v * u]), curvature=Diagonal(torch.ones(2).double()))

    def solution(self, t: float) -> Tensor:
        grown = 0.2 * math.exp(t) + 0.8
        return torch.tensor([0.2 * math.exp(t) / grown, 1 / (1 + math.log(grown))], dtype=torch.float64)


class Linear(VectorField):
    """y' = −λ y, entry by entry."""

    def __init__(self, rates: Tensor) -> None:
        self.rates, self.size = rates.double(), rates.shape[0]

    def at(self, y: Tensor, *, curvature: bool = False) -> Place:
        return Place(velocity=-self.rates.to(y) * y, curvature=Diagonal(self.rates.to(y)))


def in_steps(integrator: Integrator, field: VectorField, y: Tensor, steps: int, time: float, stiffness: float):
    """Fixed steps, with as many stages as the given h S asks for."""
    h, memory, largest = time / steps, None, 0.0
    for _ in range(steps):
        trial = integrator.step(field, y, field.at(y).velocity, h, stiffness / h, memory)
        y, memory = y + trial.displacement, trial.memory
        largest = max(largest, float(trial.error.norm()) if trial.error is not None else 0.0)
    return y, largest


def polynomial(integrator: Integrator, z: np.ndarray, stiffness: float) -> np.ndarray:
    """R(z), measured: one step of y' = λ y for all λ at once, with the stages that the given h S asks for."""
    field = Linear(torch.from_numpy(-z))
    y = torch.ones(len(z), dtype=torch.float64)
    return (y + integrator.step(field, y, field.at(y).velocity, 1.0, stiffness).displacement).numpy()


@pytest.mark.parametrize("stiffness", [60.0, 200.0])
@pytest.mark.parametrize("integrator", [RK4(), RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
def test_the_declared_order_is_the_slope(integrator: Integrator, stiffness: float) -> None:
    field, time = Logistic(), 4.0
    steps = np.array([24, 34, 48, 68])
    errors = [
        float((in_steps(integrator, field, field.start, n, time, stiffness)[0] - field.solution(time)).norm())
        for n in steps
    ]
    slope = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(integrator.order, abs=0.3)


@pytest.mark.parametrize(
    ("integrator", "order"), [(RKC2(), 3), (RKC3(), 3), (ROCK4(), 4)], ids=["RKC2", "RKC3", "ROCK4"]
)
def test_the_error_estimate_has_the_order_that_the_step_says(integrator: Integrator, order: int) -> None:
    field = Logistic()
    velocity = field.at(field.start).velocity
    sizes = []
    for h in (0.2, 0.1):
        trial = integrator.step(field, field.start, velocity, h, 60.0 / h)
        assert trial.error_order == order
        sizes.append(float(trial.error.norm()))
    assert math.log2(sizes[0] / sizes[1]) == pytest.approx(order, abs=0.3)


def test_the_third_order_estimate_of_a_second_step_is_of_fourth_order() -> None:
    field, sizes = Logistic(), []
    for h in (0.1, 0.05):
        first = RKC3().step(field, field.start, field.at(field.start).velocity, h, 60.0 / h)
        y = field.start + first.displacement
        second = RKC3().step(field, y, first.end.velocity, h, 60.0 / h, first.memory)
        assert second.error_order == 4
        sizes.append(float(second.error.norm()))
    assert math.log2(sizes[0] / sizes[1]) == pytest.approx(4.0, abs=0.4)


def test_the_real_stability_limit_of_the_classical_method() -> None:
    inside, outside = 2.0, 3.0
    while outside - inside > 1e-11:
        middle = (inside + outside) / 2
        stable = abs(polynomial(RK4(), np.array([-middle]), 1.0)[0]) <= 1
        inside, outside = (middle, outside) if stable else (inside, middle)
    assert inside == pytest.approx(2.785293563, abs=1e-8)


@pytest.mark.parametrize("stages", [5, 10, 25, 60])
@pytest.mark.parametrize(("integrator", "share"), [(RKC2(), 0.65), (ROCK4(), 0.345)], ids=["RKC2", "ROCK4"])
def test_the_stability_polynomial_is_bounded_just_as_far_as_it_says(integrator, share: float, stages: int) -> None:
    reach = integrator.reach(stages)
    assert integrator.stages(reach * (1 - 1e-9)) == stages
    assert integrator.stages(reach * (1 + 1e-9)) == stages + 1
    if stages >= 10:
        assert reach / stages**2 == pytest.approx(share, rel=0.09)
    z = -reach * (1 - np.cos(np.linspace(0, np.pi, 60 * stages))) / 2
    R = polynomial(integrator, z, reach * (1 - 1e-9))
    assert np.abs(R).max() <= 1 + 1e-9
    # Damped: away from zero it stays clear of one; and it leaves the band right where the interval ends.
    assert np.abs(R[z < -8]).max(initial=0.0) < 0.96
    beyond = polynomial(integrator, np.array([-1.05 * reach]), reach * (1 - 1e-9))
    assert abs(beyond[0]) > np.abs(R[z < -0.99 * reach]).max()


def test_the_limit_of_the_second_order_method_is_measured() -> None:
    stages = 40
    z = np.linspace(-0.9 * stages**2, -0.5 * stages**2, 4001)
    R = polynomial(RKC2(), z, RKC2().reach(stages) * (1 - 1e-9))
    assert -z[np.abs(R) <= 1].min() / stages**2 == pytest.approx(0.653, abs=2e-3)


@pytest.mark.parametrize("stiffness", [1.0, 1.9, 5.0, 20.0, 300.0])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.25, 3.0])
def test_the_correction_of_stiff_modes_is_stable(stiffness: float, ratio: float) -> None:
    """The two-step recursion of every mode of the interval, measured, has its roots inside the unit disc."""
    rates = torch.linspace(1e-3, 1.0, 400).double() * stiffness
    field, ones = Linear(rates), torch.ones(400).double()

    def recursion(y: Tensor, memory: Tensor) -> Tensor:
        trial = RKC3().step(field, y, -rates * y, 1.0, stiffness, memory, ratio)
        return torch.stack([y + trial.displacement, trial.memory], -1)

    companions = torch.stack([recursion(ones, 0 * ones), recursion(0 * ones, ones)], -1)
    assert float(torch.linalg.eigvals(companions).abs().max()) < 1.0


def test_stages_are_what_a_step_costs() -> None:
    field = Linear(torch.linspace(0, 1, 9))
    y = torch.ones(9).double()
    for integrator in (RKC2(), RKC3(), ROCK4()):
        for stiffness in (3.0, 40.0, 500.0):
            stages = integrator.stages(stiffness)
            assert integrator.step(field, y, -field.rates * y, 1.0, stiffness).evaluations == stages


@pytest.mark.parametrize("integrator", [RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
@pytest.mark.parametrize("rtol", [1e-2, 1e-4])
def test_a_stiff_decay_is_followed_to_the_tolerance(integrator: Integrator, rtol: float) -> None:
    rates = torch.tensor([1000.0, 30.0, 1.0, 0.01])
    field, y = Linear(rates), torch.ones(4).double()
    stride = begin(field, y, integrator, rtol, seed=0)
    while stride.end < 5.0:
        stride = march(field, stride, integrator, rtol, 0.0)
        for time in torch.linspace(stride.start, stride.end, 4).tolist():
            assert float((stride.at(time) - torch.exp(-field.rates * time)).norm()) < 10 * rtol
    assert stride.at(stride.start).equal(stride.y0)
    assert stride.at(stride.end).equal(stride.y1)
    assert stride.cost.gradients < 1000  # a twentieth of RK4 at h = 1/S
    assert stride.cost.products > 0


def test_a_rate_that_is_underestimated_is_repaired() -> None:
    """The tracker sees a tenth of the true curvature; the error estimate notices, and the bound is raised."""

    class Understated(Linear):
        def at(self, y: Tensor, *, curvature: bool = False) -> Place:
            return Place(velocity=-self.rates * y, curvature=Diagonal(self.rates / 10))

    rates = torch.tensor([400.0, 1.0, 0.1])
    field = Understated(rates)
    stride = begin(field, torch.ones(3).double(), RKC2(), 1e-3, seed=0)
    while stride.end < 2.0:
        stride = march(field, stride, RKC2(), 1e-3, 0.0)
    assert stride.rejected > 0
    assert float((stride.at(2.0) - torch.exp(-2 * field.rates)).norm()) < 1e-2


def test_a_flow_that_stands_still_takes_long_strides() -> None:
    field, y = Linear(torch.tensor([1.0, 0.0])), torch.zeros(2).double()
    stride = begin(field, y, RKC2(), 1e-3, seed=0)
    for _ in range(8):
        stride = march(field, stride, RKC2(), 1e-3, 0.0)
    assert stride.end > 1e3
    assert stride.y1.equal(y)


def test_a_field_that_changes_is_resumed_where_it_is() -> None:
    slow, fast = Linear(torch.tensor([1.0, 2.0])), Linear(torch.tensor([10.0, 20.0]))
    stride = begin(slow, torch.ones(2).double(), ROCK4(), 1e-6, seed=0)
    while stride.end < 0.5:
        stride = march(slow, stride, ROCK4(), 1e-6, 0.0)
    stride = resume(fast, stride, 0.5)
    assert (stride.start, stride.end, stride.memory) == (0.5, 0.5, None)
    while stride.end < 0.6:
        stride = march(fast, stride, ROCK4(), 1e-6, 0.0)
    exact = torch.exp(-0.5 * slow.rates - 0.1 * fast.rates)
    assert float((stride.at(0.6) - exact).norm()) < 1e-5


def test_a_velocity_that_is_not_finite_ends_the_flow_with_a_sentence() -> None:
    class Wall(Linear):
        calls = 0

        def at(self, y: Tensor, *, curvature: bool = False) -> Place:
            self.calls += 1
            place = super().at(y, curvature=curvature)
            return (
                place if self.calls == 1 else Place(velocity=place.velocity * torch.nan, curvature=place.curvature)
            )

    field = Wall(torch.tensor([1.0]))
    stride = begin(field, torch.ones(1).double(), RKC2(), 1e-3, seed=0)
    with pytest.raises(FlowError, match=r"the flow at time 0: no step is short enough: .*Type rtol=1e-2"):
        march(field, stride, RKC2(), 1e-3, 0.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: RK4(alpha=0.0),
            "alpha=0.0: a step of α/S is stable on the negative real axis for 0 < α ≤ 2.785.",
        ),
        (
            lambda: RK4(alpha=3.0),
            "alpha=3.0: a step of α/S is stable on the negative real axis for 0 < α ≤ 2.785.",
        ),
        (lambda: RKC2(max_stages=1), "max_stages=1: a step of second order takes two. Type max_stages=150."),
        (lambda: RKC3(max_stages=1), "max_stages=1: a step of the recurrence takes two. Type max_stages=150."),
        (lambda: ROCK4(max_stages=4), "max_stages=4: a step of fourth order takes five. Type max_stages=150."),
    ],
)
def test_impossible_settings_are_refused(make, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("integrator", [RK4(alpha=0.5), RKC2(), RKC3(max_stages=20), ROCK4()])
def test_integrators_are_written_down_and_read_back(integrator: Integrator) -> None:
    assert decode(encode(integrator)) == integrator


def test_no_step_is_longer_than_the_most_stages_allow() -> None:
    for integrator in (RKC2(max_stages=10), RKC3(max_stages=10), ROCK4(max_stages=10)):
        assert integrator.longest(2.0) == integrator.reach(10) / 2
        assert integrator.longest(0.0) == math.inf
    assert RK4(alpha=0.5).longest(2.0) == 0.25
