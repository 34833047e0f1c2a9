"""Weight decay around any method: through the gradient, or beside it.

The two agree for gradient descent and for nothing else. Coupled decay is descent on L + ½γ‖w‖²; decoupled decay
shrinks the parameters before every step, whatever the method then does with the gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters, ParameterSpace, SettingError
from edgewise.linalg import Identity, Operator, Preconditioner
from edgewise.methods.descent import SAM, SGD
from edgewise.methods.method import AnyMethod, Method, layers, require_method
from edgewise.methods.momentum import ScheduleFree
from edgewise.methods.requirements import require_decay
from edgewise.methods.schedules import Schedule, step_size
from edgewise.methods.wrappers.curvature_driven import AtEdgeRatio
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class WeightDecay(Method[Any]):
    """Coupled weight decay: the gradient of L + ½γ‖w‖² in the place of ∇L.

        g = ∇L(w) + γ w, given to the method

    The Hessian becomes H + γ I. For a method without preconditioner the companion matrix at λ is the
    method's own at λ + γ, and the critical curvature, of L, is the method's own less γ: sharpness
    settles at 2/η − γ. With a preconditioner P the modes are those of P^(-1/2) (H + γ I) P^(-1/2), which the
    eigenvalues of P^(-1/2) H P^(-1/2) do not determine: `curvature` then means an eigenvalue of
    the former (that of `seen(hessian)`), and companion matrix and critical curvature are
    the method's own. Equal to the `weight_decay` of `torch.optim.SGD` and `torch.optim.Adam`.

    Its state is the method's.

    Args:
        method: any method that steps by the gradient at w, or on a batch.
        decay: γ ≥ 0.

    Raises:
        SettingError: if `decay` is negative, or the method decays already or looks at the loss by itself, without
            the decay.

    Example:
        >>> from edgewise.methods import GradientDescent
        >>> WeightDecay(GradientDescent(0.01), 5.0).critical_curvature
        195.0
    """

    method: AnyMethod
    decay: float | int

    def __post_init__(self) -> None:
        require_method("WeightDecay", self.method)
        require_decay("decay", self.decay)
        _require_undecayed(self.method, "WeightDecay")
        if type(self.method).look is not Method.look and not isinstance(self.method, SGD):
            name, wraps = type(self.method).__name__, len(list(layers(self.method))) > 1
            raise SettingError(
                f"WeightDecay around {name}",
                f"{name} looks at the loss by itself, and would not see the decay there",
                f"Type {name}(WeightDecay(method, decay), …)"
                if wraps
                else "Put ½γ‖w‖² into the objective, or type DecoupledWeightDecay(method, decay)",
            )

    @property
    def lr(self) -> float | Schedule:  # type: ignore[override]
        """The method's step size η."""
        return self.method.lr

    def on(self, space: ParameterSpace | None) -> "WeightDecay":
        """Around the method for parameters of these names and shapes."""
        return replace(self, method=self.method.on(space))

    def init(self, w: Parameters) -> Any:
        """The method's."""
        return self.method.init(w)

    def settled(self, w: Parameters, step: int) -> Any:
        """The method's."""
        return self.method.settled(w, step)

    def look(self, objective: Objective, point: Point, state: Any) -> tuple[Parameters, Any]:
        """What the method looks at, without the decay, which the step adds."""
        return self.method.look(objective, point, state)

    def step(self, w: Parameters, gradient: Parameters, state: Any) -> tuple[Parameters, Any]:
        """The method's step by ∇L + γ w."""
        return self.method.step(w, gradient.add(w, alpha=self.decay), state)

    def step_size_at(self, state: Any) -> float:
        """The method's η."""
        return self.method.step_size_at(state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: Any) -> Preconditioner:
        """The method's, for ∇L + γ w."""
        return self.method.preconditioner(w, gradient.add(w, alpha=self.decay), state)

    def seen(self, hessian: Operator) -> Operator:
        """H + γ I, the Hessian of L + ½γ‖w‖², around a method with a preconditioner; H around any other."""
        if self._shift != self.decay:
            hessian = hessian + self.decay * Identity(hessian.size, hessian.dtype, hessian.device)
        return self.method.seen(hessian)

    def companion(self, curvature: float, state: Any = None) -> NDArray[np.float64]:
        """The method's at λ + γ; at λ itself, where that is a curvature of L + ½γ‖w‖²."""
        return self.method.companion(curvature + self._shift, state)

    @property
    def critical_curvature(self) -> float | Callable[[Any], float]:
        """The method's less γ, at least zero; the method's, where it is a curvature of L + ½γ‖w‖²."""
        critical, shift = self.method.critical_curvature, self._shift
        if callable(critical):
            return lambda state: max(0.0, critical(state) - shift)
        return max(0.0, critical - shift)

    @property
    def critical_formula(self) -> str:
        """The method's, and ` − γ`."""
        return f"{self.method.critical_formula} − γ" if self._shift else self.method.critical_formula

    def with_step_size(self, lr: float) -> "WeightDecay":
        """Around the method at a fixed step size."""
        return replace(self, method=self.method.with_step_size(lr))

    def gradients_per_step(self, objective: Objective) -> float:
        """The method's."""
        return self.method.gradients_per_step(objective)

    @property
    def _shift(self) -> float | int:
        """What the method's own curvatures are above those of L; zero where they are of L + ½γ‖w‖² themselves."""
        preconditioned = type(self.method).preconditioner is not Method.preconditioner
        return 0.0 if preconditioned else self.decay


@final
@dataclass(frozen=True, slots=True)
class DecoupledWeightDecay(Method[Any]):
    """Decoupled weight decay: the parameters shrink, and the gradient is none the wiser.

        w ← (1 − ηγ) w, then the method's step by ∇L taken where w was

    as `torch.optim.AdamW` does it.

    Let M(λ) be the method's companion matrix in the coordinates (w, what it remembers), where memory is fed
    by gradients only. Decay takes ηγ from the entry of M that leads from w to w, so with p the characteristic
    polynomial of M and D the block of the memory,

        det(z − M + ηγ e eᵀ) = p(z; λ) + ηγ det(z − D),    det(z − D) = p(z; 0)/(z − 1),

    the latter because without curvature w stays where memory does not push it. Its companion matrix follows from
    the method's own at λ and at 0. A root leaves the unit disc through z = −1, where the condition reads
    p(−1; λ) = ½ηγ p(−1; 0). For a method whose companion matrix is affine in λ (all but `SAM`, which has a formula
    of its own) p(−1; ·) falls linearly from p(−1; 0) to zero at the method's critical curvature, so
    that of the decayed one is

        (1 − ηγ/2) × the method's,

    2/η − γ for gradient descent. Its state is the method's.

    Args:
        method: any method that has no weight decay of its own and steps from w.
        decay: γ ≥ 0, with ηγ < 2 (beyond, the shrinking itself diverges).

    Raises:
        SettingError: if `decay` is negative, or the method decays already, does not step from w, or has to be
            around the decay and not in it, as the message then says.

    Example:
        >>> from edgewise.methods import HeavyBall
        >>> round(DecoupledWeightDecay(HeavyBall(0.01, 0.9), 2.0).critical_curvature, 9)
        376.2

    References:
        loshchilov2019decoupled
    """

    method: AnyMethod
    decay: float | int

    def __post_init__(self) -> None:
        require_method("DecoupledWeightDecay", self.method)
        require_decay("decay", self.decay)
        _require_undecayed(self.method, "DecoupledWeightDecay")
        *around, innermost = layers(self.method)
        if isinstance(innermost, ScheduleFree):
            raise SettingError(
                "DecoupledWeightDecay around ScheduleFree",
                "it steps from the sequences in its state, and shrinking w would change nothing",
                "Type WeightDecay(ScheduleFree(lr), decay)",
            )
        if around and isinstance(innermost, SAM):
            name = type(around[-1]).__name__
            raise SettingError(
                f"DecoupledWeightDecay around {name} around SAM",
                "the edge of SAM with decay has a closed form of its own, known next to SAM only",
                f"Type {name}(DecoupledWeightDecay(SAM(lr, rho), decay), …): it takes the same steps",
            )

    @property
    def lr(self) -> float | Schedule:  # type: ignore[override]
        """The method's step size η."""
        return self.method.lr

    def on(self, space: ParameterSpace | None) -> "DecoupledWeightDecay":
        """Around the method for parameters of these names and shapes."""
        return replace(self, method=self.method.on(space))

    def init(self, w: Parameters) -> Any:
        """The method's."""
        return self.method.init(w)

    def settled(self, w: Parameters, step: int) -> Any:
        """The method's."""
        return self.method.settled(w, step)

    def look(self, objective: Objective, point: Point, state: Any) -> tuple[Parameters, Any]:
        """What the method looks at."""
        return self.method.look(objective, point, state)

    def step(self, w: Parameters, gradient: Parameters, state: Any) -> tuple[Parameters, Any]:
        """The method's step from (1 − ηγ) w."""
        return self.method.step(w.mul(1.0 - self._share(state)), gradient, state)

    def step_size_at(self, state: Any) -> float:
        """The method's η."""
        return self.method.step_size_at(state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: Any) -> Preconditioner:
        """The method's."""
        return self.method.preconditioner(w, gradient, state)

    def seen(self, hessian: Operator) -> Operator:
        """The method's: this decay is not in the gradient."""
        return self.method.seen(hessian)

    def companion(self, curvature: float, state: Any = None) -> NDArray[np.float64]:
        """That of p(z; λ) + ηγ p(z; 0)/(z − 1), where p is the method's characteristic polynomial."""
        moving = np.poly(self.method.companion(curvature, state))
        resting = np.poly(self.method.companion(0.0, state))
        memory = np.polydiv(resting, np.array([1.0, -1.0]))[0]
        moving[1:] += self._share(state) * memory
        matrix = np.eye(len(moving) - 1, k=-1)
        matrix[0] = -moving[1:]
        return matrix

    @property
    def critical_curvature(self) -> float | Callable[[Any], float]:
        """(1 − ηγ/2) × the method's, at least zero."""
        method, critical = self.method, self.method.critical_curvature
        if isinstance(method, SAM):
            return lambda state: method.curvature_where(max(0.0, 2.0 - self._share(state)), state)
        if callable(critical):
            return lambda state: max(0.0, 1.0 - self._share(state) / 2.0) * critical(state)
        return max(0.0, 1.0 - self._share(None) / 2.0) * critical

    @property
    def critical_formula(self) -> str:
        """`(1−ηγ/2)·` and the method's."""
        inner = self.method.critical_formula
        return f"(1−ηγ/2)·{inner}" if self.decay else inner

    def with_step_size(self, lr: float) -> "DecoupledWeightDecay":
        """Around the method at a fixed step size."""
        return replace(self, method=self.method.with_step_size(lr))

    def gradients_per_step(self, objective: Objective) -> float:
        """The method's."""
        return self.method.gradients_per_step(objective)

    def _share(self, state: Any) -> float:
        """ηγ, what a step takes of w."""
        return self.decay * (step_size(self.lr, None) if state is None else self.step_size_at(state))


def _require_undecayed(method: AnyMethod, name: str) -> None:
    """Refuse what decays already, and what has to see the decay itself, at any depth."""
    for layer in layers(method):
        kind = type(layer).__name__
        if hasattr(layer, "methods"):
            raise SettingError(
                f"{name} around {kind}",
                "each of its groups has a step size of its own, by which it would decay",
                f"Give every group its decay, as in {kind}(({name}(method, decay), …), sizes)",
            )
        if isinstance(layer, AtEdgeRatio):
            raise SettingError(
                f"{name} around {kind}",
                "the step size would keep its distance from the edge that there is without the decay",
                f"Type {kind}({name}(method, decay), ratio)",
            )
        if isinstance(layer, WeightDecay | DecoupledWeightDecay) or getattr(layer, "weight_decay", 0) != 0:
            raise SettingError(
                f"{name} around {method}",
                "that decays already, and two decays have no common closed form",
                f"Type {name}(method, decay) with a method that has no weight decay",
            )
