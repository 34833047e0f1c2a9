"""The method and its step size, given as η or by where the edge shall be."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.groups import METHOD

if TYPE_CHECKING:
    from edgewise.methods import Method

_BETA = 0.9


@Parameter(name="*", group=METHOD)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOptions:
    """How to descend.

    Attributes:
        method: gradient descent, or heavy ball (momentum).
        lr: the step size.
        critical: instead: the sharpness at which the method loses stability. 200 means 2/200 for gradient
            descent, (2 + 2 beta)/200 for heavy ball.
        beta: momentum of heavy ball; 0.9 if not given.
        drop_at: the step from which --drop-to holds.
        drop_to: the step size from --drop-at on.
    """

    method: Literal["gd", "heavy-ball"] = "gd"
    lr: float | None = None
    critical: float | None = None
    beta: float | None = None
    drop_at: int | None = None
    drop_to: float | None = None

    def build(self) -> "Method[Any]":
        """The method.

        Raises:
            SettingError: if there is no step size or there are two, or options exclude each other.
        """
        from edgewise.foundation import SettingError
        from edgewise.methods import Drop, GradientDescent, HeavyBall

        if self.method == "gd" and self.beta is not None:
            raise SettingError(
                f"--beta {self.beta:g} with --method gd",
                "gradient descent has no momentum",
                "Add --method heavy-ball",
            )
        beta = _BETA if self.beta is None else self.beta
        lr = self._step_size(2.0 if self.method == "gd" else 2.0 + 2.0 * beta)
        if (self.drop_at is None) != (self.drop_to is None):
            raise SettingError(
                "one of --drop-at and --drop-to",
                "a drop needs its step and its step size",
                f"Type --drop-at {self.drop_at or 500} --drop-to {self.drop_to or lr / 2:g}",
            )
        rate = lr if self.drop_at is None or self.drop_to is None else Drop(lr, self.drop_to, self.drop_at)
        return GradientDescent(rate) if self.method == "gd" else HeavyBall(rate, beta)

    def _step_size(self, numerator: float) -> float:
        from edgewise.foundation import SettingError

        if self.lr is not None and self.critical is not None:
            raise SettingError(
                f"--lr {self.lr:g} and --critical {self.critical:g}",
                "each of them sets the step size",
                f"Leave one out; --critical {numerator / self.lr:g} is the same as --lr {self.lr:g}"
                if self.lr
                else "Leave one out",
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
        return numerator / self.critical
