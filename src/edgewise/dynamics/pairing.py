"""Who runs beside whom: flows find the clock of a method, midpoints their process, probes the pairs they read."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgewise.dynamics.midpoint import Midpoint
from edgewise.dynamics.recipe import Recipe
from edgewise.flows import AnyFlow, Flow
from edgewise.foundation import ParameterSpace, SettingError
from edgewise.methods import SGD, AnyMethod, AtEdgeRatio, AveragedMomentum, GradientDescent, Method

Process = AnyMethod | AnyFlow | Midpoint
"""What can be advanced."""


def paired(processes: Mapping[Any, Any]) -> dict[str, Process]:
    """The processes, with every flow beside a method.

    Raises:
        SettingError: if a flow has no method to keep the time of, or a midpoint no process to lie on.
    """
    methods = {name: process for name, process in processes.items() if isinstance(process, Method)}
    found: dict[str, Process] = {}
    for name, process in processes.items():
        if not isinstance(name, str):
            raise SettingError(
                f"a process named {name!r}", "a name is a string", 'Type {"gd": GradientDescent(0.01)}'
            )
        match process:
            case Flow():
                found[name] = _beside(name, process, methods)
            case Midpoint() if process.of not in methods:
                raise SettingError(
                    f"{name}: {process}",
                    f"{process.of!r} is not a discrete method among {', '.join(processes)}",
                    "Name one, as in {'gd': GradientDescent(0.01), 'midpoint': Midpoint('gd')}",
                )
            case Method() | Midpoint():
                found[name] = process
            case _:
                raise SettingError(
                    f"a process {name!r} of type {type(process).__name__}",
                    "it is neither a method, nor a flow, nor a midpoint",
                    'Type {"gd": GradientDescent(0.01)}',
                )
    return found


def shaped(processes: Mapping[str, Process], space: ParameterSpace | None) -> dict[str, Process]:
    """The processes, with the methods, and those that flows describe, told names and shapes of the parameters."""

    def told(process: Any) -> Any:
        if isinstance(process, Flow) and process.described is not None:
            return replace(process, method=process.described.on(space))  # type: ignore[type-var]
        return process.on(space) if isinstance(process, Method) else process

    return {name: told(process) for name, process in processes.items()}


def formula_of(processes: Mapping[str, Process], name: str) -> str:
    """The critical curvature of a process as text."""
    process = processes[name]
    if isinstance(process, Midpoint):
        process = processes[process.of]
    method = process.described if isinstance(process, Flow) else process
    assert isinstance(method, Method)
    return method.critical_formula


def goes_down_the_gradient(method: AnyMethod) -> bool:
    """Whether small steps of a method are gradient flow, in the time of its step sizes."""
    if isinstance(method, SGD):
        return not (method.momentum or method.weight_decay)
    return isinstance(method, GradientDescent | AveragedMomentum)


def check_pairs(recipe: Recipe) -> None:
    """Refuse a probe of a pair that is not there, or that does not keep one time.

    Raises:
        SettingError: if so.
    """
    for probe in recipe.probes:
        if probe.predicted and not isinstance(recipe.processes.get(probe.pair[1]), Flow):
            raise SettingError(
                f"{probe}", f"{probe.pair[1]!r} is not a flow, and predicts nothing", "Name the flow second"
            )
        for name in probe.pair:
            if name not in recipe.processes:
                raise SettingError(
                    f"{probe}", f"there is no process {name!r}", f"Choose from {', '.join(recipe.processes)}"
                )
        clocks = [_clock(recipe.processes, name) for name in probe.pair]
        if any(clock != clocks[0] for clock in clocks):
            raise SettingError(
                f"{probe} of processes whose steps take {' and '.join(map(str, clocks))}",
                "at the same step they stand at different times",
                "Give both the same step size, or let the flow describe that method",
            )


def _beside(name: str, flow: AnyFlow, methods: Mapping[str, AnyMethod]) -> AnyFlow:
    found = flow.described is None
    if found:
        if not methods:
            raise SettingError(
                f"{name}: {flow} beside no method",
                "a flow runs in the time of a method, whose step size it needs",
                f"Put {{'gd': GradientDescent(0.01)}} beside it, or type {type(flow).__name__}"
                "(method=GradientDescent(0.01))",
            )
        flow = flow.beside(next(iter(methods.values())))
    if isinstance(_innermost(flow.described), AtEdgeRatio):
        raise SettingError(
            f"{name}: a flow beside {flow.described}",
            "its step size follows the curvature at its own iterates, which a flow does not know",
            "Put the flow beside a method with a step size or a schedule",
        )
    if found and flow.described is not None and not goes_down_the_gradient(flow.described):
        warnings.warn(
            f"{name}: {type(flow).__name__} beside {flow.described}, which does more than go down the gradient. "
            f"Type StableFlow({type(flow.described).__name__}(…)) for the flow that goes with it.",
            stacklevel=4,
        )
    if not found and methods and flow.described not in methods.values():
        warnings.warn(
            f"{name} describes {flow.described}, which is not among the processes: "
            f"they are {', '.join(map(str, methods.values()))}. Compare it with the method that it describes.",
            stacklevel=4,
        )
    return flow


def _clock(processes: Mapping[str, Process], name: str) -> Any:
    """What decides how long the steps of a process are: alike for processes that keep one time."""
    process = processes[name]
    if isinstance(process, Midpoint):
        process = processes[process.of]
    method = process.described if isinstance(process, Flow) else process
    assert isinstance(method, Method)
    driven = _innermost(method)
    return driven if isinstance(driven, AtEdgeRatio) else method.lr


def _innermost(method: Any) -> Any:
    """The first method that drives its own step size, or the one inside all wrappers."""
    while hasattr(method, "method") and not isinstance(method, AtEdgeRatio):
        method = method.method
    return method
