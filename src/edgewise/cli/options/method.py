"""The method and its step size, given as η or by where the edge shall be."""

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.groups import METHOD

if TYPE_CHECKING:
    from edgewise.methods import AnyMethod, Schedule

MethodName = Literal[
    "gd",
    "heavy-ball",
    "nesterov",
    "averaged-momentum",
    "normalized-gd",
    "sqrt-loss-gd",
    "sgd",
    "sam",
    "rmsprop",
    "scalar-rmsprop",
    "adam",
    "adamw",
    "nadam",
    "adagrad",
    "muon",
    "schedule-free",
]

_BETA, _RHO = 0.9, 0.05
_PRECONDITIONED = ("rmsprop", "adam", "adamw", "nadam", "adagrad", "muon")


@Parameter(name="*", group=METHOD)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOptions:
    """How to descend.

    Attributes:
        method: gradient descent and its relatives.
        lr: the step size.
        critical: instead: the sharpness at which the method loses stability. 200 means 2/200 for gradient
            descent, (2 + 2 beta)/200 for heavy ball. With a preconditioner it is the effective sharpness.
        beta: momentum, the first beta of Adam and NAdam; 0.9 where a method needs one and none is given.
        beta2: the decay of the squared gradients of RMSProp, Adam and NAdam.
        eps: what is added to their root.
        rho: the radius of SAM; 0.05 if not given.
        batch_size: samples a step, for sgd.
        weight_decay: decoupled for adamw and muon, added to the gradient elsewhere.
        drop_at: the step from which --drop-to holds.
        drop_to: the step size from --drop-at on.
        warmup: steps over which the step size rises to its value.
    """

    method: MethodName = "gd"
    lr: float | None = None
    critical: float | None = None
    beta: float | None = None
    beta2: float | None = None
    eps: float | None = None
    rho: float | None = None
    batch_size: int | None = None
    weight_decay: float | None = None
    drop_at: int | None = None
    drop_to: float | None = None
    warmup: int | None = None

    @property
    def preconditioned(self) -> bool:
        """Whether it is the effective sharpness that decides on the method's stability."""
        return self.method in _PRECONDITIONED

    def build(self) -> "AnyMethod":
        """The method.

        Raises:
            SettingError: if there is no step size or there are two, or an option is none of the method's.
        """
        from edgewise.foundation import SettingError
        from edgewise.methods import WeightDecay

        kind = _kinds()[self.method]
        settings = self._settings({field.name: field.default for field in fields(kind)})
        rate = self._scheduled(self._step_size(kind, settings))
        if self.weight_decay is None or "weight_decay" in settings:
            return kind(rate, **settings)
        if not self.weight_decay >= 0:
            raise SettingError(f"--weight-decay {self.weight_decay:g}", "it is not negative", "Leave it out")
        return WeightDecay(kind(rate, **settings), self.weight_decay)

    def _settings(self, known: dict[str, Any]) -> dict[str, Any]:
        """The options as arguments of the method, whose own are `known`."""
        from edgewise.foundation import SettingError

        settings: dict[str, Any] = {}
        momentum = next((name for name in ("beta", "momentum") if name in known), None)
        if "betas" in known:
            first, second = known["betas"]
            settings["betas"] = (
                first if self.beta is None else self.beta,
                second if self.beta2 is None else self.beta2,
            )
        elif momentum is not None and (self.beta is not None or known[momentum] is MISSING):
            settings[momentum] = _BETA if self.beta is None else self.beta
        if "rho" in known:
            settings["rho"] = _RHO if self.rho is None else self.rho
        for name in ("beta2", "eps", "batch_size", "weight_decay"):
            if name in known and getattr(self, name) is not None:
                settings[name] = getattr(self, name)
        taken = {"beta": momentum is not None or "betas" in known, "beta2": "beta2" in known or "betas" in known}
        for name in ("beta", "beta2", "eps", "rho", "batch_size"):
            if getattr(self, name) is not None and not taken.get(name, name in known):
                having = [other for other, kind in _kinds().items() if _takes(kind, name)]
                raise SettingError(
                    f"--{name.replace('_', '-')} {getattr(self, name):g} with --method {self.method}",
                    f"it has none; those that do are {', '.join(having)}",
                    f"Add --method {having[0]}, or leave it out",
                )
        if self.method == "sgd" and self.batch_size is None:
            raise SettingError(
                "--method sgd without a batch size",
                "it would be gradient descent",
                "Type --batch-size 32, or --method gd",
            )
        return settings

    def _scheduled(self, lr: float) -> "float | Schedule":
        from edgewise.foundation import SettingError
        from edgewise.methods import Drop, Warmup

        if (self.drop_at is None) != (self.drop_to is None):
            raise SettingError(
                "one of --drop-at and --drop-to",
                "a drop needs its step and its step size",
                f"Type --drop-at {self.drop_at or 500} --drop-to {self.drop_to or lr / 2:g}",
            )
        rate = lr if self.drop_at is None or self.drop_to is None else Drop(lr, self.drop_to, self.drop_at)
        return rate if self.warmup is None else Warmup(rate, self.warmup)

    def _step_size(self, kind: Any, settings: dict[str, Any]) -> float:
        from edgewise.foundation import SettingError

        if self.lr is not None and self.critical is not None:
            raise SettingError(
                f"--lr {self.lr:g} and --critical {self.critical:g}",
                "each of them sets the step size",
                f"Leave one out{_same(kind, settings, self.lr)}",
            )
        if self.lr is not None:
            return self.lr
        if self.critical is None:
            raise SettingError(
                "a run without a step size",
                "there is no step size that suits every problem",
                "Type --lr 0.01, or --critical 200 to put the edge at sharpness 200",
            )
        if not 0 < self.critical < float("inf"):
            raise SettingError(
                f"--critical {self.critical:g}",
                "a critical curvature is positive and finite",
                "Type --critical 200",
            )
        at_one = kind(1.0, **settings).critical_curvature
        if callable(at_one) or self.weight_decay:
            because = "weight decay" if self.weight_decay else f"--method {self.method}"
            raise SettingError(
                f"--critical {self.critical:g} with {because}",
                "where it loses stability is not a multiple of 1/η alone",
                "Type --lr 0.01",
            )
        return float(at_one) / self.critical


def _kinds() -> dict[str, Any]:
    """The methods by their names on the command line."""
    from edgewise import methods

    return {
        "gd": methods.GradientDescent,
        "heavy-ball": methods.HeavyBall,
        "nesterov": methods.Nesterov,
        "averaged-momentum": methods.AveragedMomentum,
        "normalized-gd": methods.NormalizedGD,
        "sqrt-loss-gd": methods.SqrtLossGD,
        "sgd": methods.SGD,
        "sam": methods.SAM,
        "rmsprop": methods.RMSProp,
        "scalar-rmsprop": methods.ScalarRMSProp,
        "adam": methods.Adam,
        "adamw": methods.AdamW,
        "nadam": methods.NAdam,
        "adagrad": methods.Adagrad,
        "muon": methods.Muon,
        "schedule-free": methods.ScheduleFree,
    }


def _same(kind: Any, settings: dict[str, Any], lr: float) -> str:
    """Which --critical is that --lr, if there is one."""
    critical = kind(lr, **settings).critical_curvature if lr > 0 else None
    return f"; --critical {critical:g} is the same as --lr {lr:g}" if isinstance(critical, float) else ""


def _takes(kind: Any, option: str) -> bool:
    names = {field.name for field in fields(kind)}
    also = {"beta": {"momentum", "betas"}, "beta2": {"betas"}}.get(option, set())
    return bool(names & {option, *also})
