"""The central flow: where a method goes on average, up to the edge of stability and along it.

At the edge a method oscillates along the critical eigenvectors. To first order the oscillation averages out of the
gradient; to second order it is a force towards lower curvature. The central flow carries the covariance of the
oscillation beside the average point, and finds it from what it does: it keeps the critical modes critical.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.curvature import Tracker, TrackerState
from edgewise.flows.central.edge import Edge, slopes_of
from edgewise.flows.central.second_moment import SecondMoment, second_moment
from edgewise.flows.central.stiff_modes import StiffModes, finite
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.foundation import FlowError, Parameters, SettingError
from edgewise.linalg import PositiveDiagonal
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective, Point

# As shares of the critical curvature: above the first a mode is followed, above the second it is critical. The
# error of an eigenvalue is one of the distance to the edge, which every step corrects.
_FOLLOWING, _CRITICAL = Tracker(above=0.75, rtol=1e-3), 0.975
# Where the correction is more than this share of the displacement the time is halved, thrice at most. At the edge
# it is some hundredths; while stiff modes relax from where a run starts, up to a half.
_TRUSTED, _ATTEMPTS = 0.1, 4
# What is left of a step by the rounding of its parts.
_NOTHING = 1e-9


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CentralFlowState:
    """What the central flow carries.

    Attributes:
        step: the number of steps taken.
        tracker: the followed eigenpairs.
        second_moment: ν, of one entry or one for each parameter; one for gradient descent.
        metric: the diagonal of P = (√ν + ε)/η that the directions refer to.
        directions: U, the critical directions as columns, with Uᵀ P U = I; none below the edge.
        oscillation: X with its residuals; the covariance of the oscillation is Σ = U X Uᵀ.
        step_size: η of the last step, which the edge ratios are to; None before the first.
        edge_ratios: of the followed modes when they were last read, descending.
        edge_ratio: the largest at the present time, extrapolated from there; None before the first reading.
        cost: what was asked of the objective so far.
    """

    step: int
    tracker: TrackerState
    second_moment: Float[Tensor, "moments"]
    metric: Float[Tensor, "moments"]
    directions: Float[Tensor, "params k"]
    oscillation: Complementarity
    step_size: float | None
    edge_ratios: tuple[float, ...]
    edge_ratio: float | None
    cost: Cost


@final
@dataclass(frozen=True, slots=True)
class CentralFlow(Flow[CentralFlowState]):
    """The central flow of a method: the trajectory of its time average.

        dw/dt = −P⁻¹ [∇L + ½ D³L:Σ],    P = 1/η for gradient descent, (√ν + ε)/η with a second moment ν,

    the unit of time being one step. Averaged over an oscillation δ of covariance Σ = E[δδᵀ] the gradient at w + δ
    is ∇L(w) + ½ D³L:Σ + …. An oscillation lives where the method neither damps nor amplifies it, in the
    eigenspace H u = 2P u, and is as strong as is needed to keep the sharpness from rising further:
    Σ = U X Uᵀ with the X that solves

        0 ≼ X ⟂ d/dt Uᵀ(2P − H)U ≽ 0,

    a semidefinite complementarity problem (see `Edge` and `complementarity`). For one critical mode of gradient
    descent it says σ² = max(0, 2⟨−∇L, ∇S⟩)/‖∇S‖². The equation for ν is given at `SecondMoment`. The
    method's averages are predicted as

        loss  L + ½⟨H, Σ⟩ = L + tr X,        squared gradient norm  ‖∇L‖² + tr(HΣH) = ‖∇L‖² + 4 tr(PΣP)

    A substep reads the curvature, linearises the edge over its duration, and moves by an exponential Runge–Kutta
    method of order two: exact along the followed modes, with one more gradient for the correction. So one substep
    a step is stable, where an Euler step of that length oscillates by itself. A mode is followed above 0.75 of the
    critical curvature, and enters the complementarity problem above 0.975 of it, or where it would reach it
    within the substep if it rose as it last did. With k critical modes a substep costs two gradients,
    k(k + 1)/2 third-order products and a product or two for each followed mode and one more. Where the correction
    is large, as while stiff modes relax from where a run starts, substeps are halved, for one gradient each time.

    Args:
        method: what is described: `GradientDescent`, `ScalarRMSProp` or `RMSProp`, scheduled or not.
        substeps: substeps a step, at least.
        modes: the most critical modes that may be followed at once; None follows as many as there are. With fewer
            than there are the others would cross the edge unseen, so the flow ends there.

    Raises:
        SettingError: if no central flow describes the method, or a number is below one.

    Example:
        >>> from edgewise.methods import GradientDescent
        >>> eta, slope, force = 0.1, 2.0, 0.04  # L = ½ (2/η + s y) x² − g y, at the edge where y = 0
        >>> toy = lambda w: 0.5 * (2 / eta + slope * w[1]) * w[0] ** 2 - force * w[1]
        >>> objective, flow = Objective.from_function(toy, 2), CentralFlow(GradientDescent(eta))
        >>> state = flow.init(objective, objective.start, seed=0)
        >>> w, state = flow.advance(objective, objective.at(objective.start), state, eta)
        >>> prediction = flow.predict(objective, objective.at(w), state)
        >>> [round(variance, 6) for variance in prediction.variance]  # 2g/s
        [0.04]

    References:
        cohen2025understanding, damian2022selfstabilization, cox2002exponential
    """

    method: AnyMethod
    substeps: int = 1
    modes: int | None = None

    def __post_init__(self) -> None:
        second_moment(self.method)
        counts: dict[str, Any] = {"substeps": self.substeps} | (
            {} if self.modes is None else {"modes": self.modes}
        )
        for name, value in counts.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < 1:
                why = "it has to be at least 1" if whole else "it is counted in an int"
                raise SettingError(f"{name}={value!r:.60}", why, f"Type {name}=1, or leave it out")

    @property
    def described(self) -> AnyMethod:
        """The method."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> CentralFlowState:
        """No oscillation yet; ν as the method itself starts it."""
        moment = self._moment
        asks = moment.first is not None
        nu = moment.begin(objective.gradient(w) if asks else w)
        nothing = torch.zeros(0, 0, dtype=torch.float64)
        return CentralFlowState(
            step=0,
            tracker=_FOLLOWING.init(seed),
            second_moment=nu,
            metric=moment.metric(nu, self.step_size_at(0)),
            directions=w.new_empty(w.shape[0], 0),
            oscillation=complementarity(nothing, nothing.reshape(0, 0, 0, 0)),
            step_size=None,
            edge_ratios=(),
            edge_ratio=None,
            cost=Cost(gradients=int(asks)),
        )

    def advance(
        self, objective: Objective, point: Point, state: CentralFlowState, step_size: float
    ) -> tuple[Parameters, CentralFlowState]:
        """The average point and the oscillation after the time of one step.

        Raises:
            FlowError: if the gradient or the curvature is not finite, if more modes are critical than may be
                followed, or if no oscillation keeps them from crossing.
        """
        w, left = point.w, 1.0
        while left > _NOTHING:
            here = objective.at(w) if left < 1.0 else point
            w, state, time = self._substep(objective, here, state, step_size, min(left, 1.0 / self.substeps))
            left -= time
        return w, replace(state, step=state.step + 1)

    def predict(self, objective: Objective, point: Point, state: CentralFlowState) -> Prediction:
        """The averages of the method's oscillation about the present point, nothing but the gradient asked for."""
        X, U = state.oscillation.solution, state.directions
        forces = (state.metric[:, None] * U).double()
        # The oscillation δ = Uy has the coordinates y = (PU)ᵀδ, in which modes that are not critical do not show.
        spread, turn = torch.linalg.eigh(X)
        duals = forces @ turn.to(forces)
        lengths = torch.linalg.vector_norm(duals, dim=0).clamp_min(torch.finfo(torch.float64).tiny)
        variance, largest = (spread / lengths.square().cpu()).sort(descending=True)
        swing = 4 * float(((forces.T @ forces).cpu() * X).sum())
        sharpness = None
        if state.edge_ratio is not None and state.step_size is not None:
            # The ratio is to the edge of the step that was taken; a schedule may have moved it since.
            sharpness = state.edge_ratio * self._critical_curvature(state, state.step_size)
        return Prediction(
            loss=float(point.value) + float(X.trace()),
            gradient_norm=math.sqrt(float(point.gradient.double().square().sum()) + swing),
            sharpness=sharpness,
            variance=tuple(variance.clamp_min(0.0).tolist()),
            directions=(duals / lengths)[:, largest.to(duals.device)].to(U),
        )

    def preconditioner(self, point: Point, state: CentralFlowState) -> PositiveDiagonal | None:
        """diag(√ν + ε) for a method that divides every parameter by its own."""
        moment = self._moment
        return PositiveDiagonal(moment.metric(state.second_moment, 1.0)) if moment.by_parameter else None

    def critical_curvature_at(self, point: Point, state: CentralFlowState, step: int) -> float:
        """2/η; for scalar RMSProp, whose one number is part of the curvature's scale, 2(√ν + ε)/η."""
        return self._critical_curvature(state, self.step_size_at(step))

    def cost(self, state: CentralFlowState) -> Cost:
        """What was asked of the objective so far; the gradient at a shared point counts too."""
        return state.cost

    @property
    def _moment(self) -> SecondMoment:
        return second_moment(self.method)

    def _critical_curvature(self, state: CentralFlowState, eta: float) -> float:
        moment = self._moment
        return 2.0 / eta if moment.by_parameter else 2.0 * float(moment.metric(state.second_moment, eta))

    def _substep(
        self, objective: Objective, point: Point, state: CentralFlowState, eta: float, time: float
    ) -> tuple[Parameters, CentralFlowState, float]:
        """The next point and state, and the time it took: all that was given, or as much as can be trusted."""
        moment, nu = self._moment, state.second_moment
        gradient, metric = finite(point.gradient), moment.metric(nu, eta)
        stiff, tracker, products = StiffModes.read(point, metric, state.tracker, _FOLLOWING)
        ratios = tuple((stiff.curvatures / 2).tolist())
        rises = _rises(ratios, state.edge_ratios, eta / (state.step_size or eta))
        k = self._critical(ratios, rises)
        directions = stiff.directions[:, :k]
        slopes = slopes_of(directions, point)

        for attempt in range(1, _ATTEMPTS + 1):
            edge = Edge.at(gradient, stiff, slopes, k, moment, nu, eta, time)
            free, source = -stiff.relax(gradient, time), moment.product(gradient, gradient)
            expected = edge.hold(free)
            predicted, force = free + edge.push(expected), edge.force(expected)
            later = finite(objective.evaluate(point.w + predicted).gradient)
            # The force at the end, as the metric of the beginning would have to feel it.
            faded = metric / moment.metric(edge.renewed(source, expected), eta) * (later + force)
            correction = stiff.relax_rising(faded - gradient - force - stiff.restore(predicted), time)
            if attempt == _ATTEMPTS or float(correction.norm()) <= _TRUSTED * float(free.norm()):
                break
            time /= 2

        oscillation = edge.hold(free - correction)
        source = (source + moment.product(later, later)) / 2
        after = replace(
            state,
            tracker=tracker,
            second_moment=edge.renewed(source, oscillation),
            metric=metric,
            directions=directions,
            oscillation=oscillation,
            step_size=eta,
            edge_ratios=ratios,
            edge_ratio=1.0 - float(torch.linalg.eigvalsh(oscillation.slack)[0]) / 2 if k else ratios[0] + rises[0],
            cost=state.cost + Cost(gradients=1 + attempt, products=products, thirds=k * (k + 1) // 2),
        )
        return point.w + free - correction + edge.push(oscillation), after, time

    def _critical(self, ratios: tuple[float, ...], rises: tuple[float, ...]) -> int:
        """How many modes are at the edge, or would reach it within the substep."""
        near = [r > _CRITICAL or r + rise > 1.0 for r, rise in zip(ratios, rises, strict=True)]
        k = max((rank for rank, is_near in enumerate(near, start=1) if is_near), default=0)
        if self.modes is not None and k > self.modes:
            raise FlowError(
                f"{k} modes at the edge of stability and modes={self.modes}",
                "those that are not followed would cross the edge unseen",
                f"Type CentralFlow(method, modes={k}), or leave modes out to follow all",
            )
        return k


def _rises(ratios: tuple[float, ...], before: tuple[float, ...], lengthening: float) -> tuple[float, ...]:
    """How far each mode rises if it goes on as since the last reading, by rank; not at all where there was none.

    Where η has become `lengthening` times as long, the same curvature is that much nearer to the edge, and a step
    goes that much further.
    """
    rises = [lengthening * (now - lengthening * then) for now, then in zip(ratios, before, strict=False)]
    return (*rises, *(0.0 for _ in ratios[len(rises) :]))
