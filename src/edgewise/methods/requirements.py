"""What methods and schedules ask of their settings, each refusal with the line to type instead.

A check takes whatever was typed: what is of the wrong kind gets an answer as clear as what is outside its range.
"""

import sys
from collections.abc import Callable
from reprlib import Repr
from typing import Any

from edgewise.foundation import SettingError


def require_number(name: str, value: Any, within: Callable[[float], bool], why: str, fix: str) -> None:
    """Refuse what is not a finite real number, or not within its range.

    Args:
        name: of the setting.
        value: what was given.
        within: whether a finite number is in the range.
        why: what the range is, or why it is that.
        fix: what to type instead.
    """
    _require_kind(name, value, float | int, "a float or an int", fix)
    # A whole number may be larger than any float.
    if not (abs(value) <= sys.float_info.max and within(value)):
        raise SettingError(f"{name}={shown(value)}", why, fix)


def require_count(name: str, value: Any, least: int, why: str, fix: str) -> None:
    """Refuse what is not a whole number, or below `least`.

    Args:
        name: of the setting.
        value: what was given.
        least: the smallest one that makes sense.
        why: why it is that.
        fix: what to type instead.
    """
    _require_kind(name, value, int, "a whole number, an int", fix)
    if value < least:
        raise SettingError(f"{name}={shown(value)}", why, fix)


def require_flag(name: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise SettingError(
            f"{name}={shown(value)}", "it is either True or False", f"Type {name}=True or {name}=False"
        )


def require_seed(seed: Any) -> None:
    """Refuse a seed that is no whole number, or negative."""
    require_count("seed", seed, 0, "a seed is a non-negative integer", "Type seed=0")


def require_beta(beta: Any, name: str = "beta") -> None:
    """Refuse a share of the velocity that does not decay."""
    why = f"the velocity grows without end unless 0 ≤ {name} < 1"
    require_number(name, beta, _is_share, why, f"Type {name}=0.9, or use GradientDescent(lr) for no momentum")


def require_share(name: str, value: Any, fix: str) -> None:
    """Refuse an average that keeps less than nothing or all of itself."""
    require_number(name, value, _is_share, "an average keeps a share 0 ≤ β < 1 of itself", fix)


def require_eps(eps: Any) -> None:
    """Refuse an ε that would turn a denominator around."""
    why = "what is added to a denominator is finite and not negative"
    require_number("eps", eps, lambda eps: eps >= 0, why, "Type eps=1e-8")


def require_decay(name: str, decay: Any) -> None:
    """Refuse a weight decay that is negative or not finite."""
    why = "weight decay is finite and not negative"
    require_number(name, decay, lambda decay: decay >= 0, why, f"Type {name}=1e-4, or 0")


def require_measurements(every: Any, rtol: Any) -> None:
    """Refuse an interval between measurements of the curvature, or a tolerance of one, that makes no sense."""
    require_count("every", every, 1, "steps are counted in whole numbers from 1", "Type every=5")
    why = "a relative tolerance lies between 0 and 1"
    require_number("rtol", rtol, lambda rtol: 0 < rtol < 1, why, "Type rtol=1e-3")


def shown(value: Any) -> str:
    """What was given, short enough to stand in a sentence."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    # The number itself, also where NumPy's repr would name its type.
    return str(value) if isinstance(value, float) else " ".join(_SHORT.repr(value).split())


def _require_kind(name: str, value: Any, kind: Any, kinds: str, fix: str) -> None:
    # Python counts True as 1.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SettingError(
            f"{name}={shown(value)}", f"it takes {kinds}, and that is of type {type(value).__name__}", fix
        )


def _is_share(value: float) -> bool:
    return 0 <= value < 1


_SHORT = Repr()
_SHORT.maxother = _SHORT.maxstring = 60
