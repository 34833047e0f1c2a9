"""The recipe of a run: everything that was asked for, written into its manifest and read back on resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

from edgewise.dynamics.events import Event
from edgewise.dynamics.probes.probe import Probe
from edgewise.foundation import JSON
from edgewise.objectives import Objective


@runtime_checkable
class Problem(Protocol):
    """A named objective that can be built again from its recipe."""

    def objective(self) -> Objective:
        """Build it."""

    def provenance(self) -> Mapping[str, JSON]:
        """Where its data come from: source and checksum."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a run was asked to do.

    Attributes:
        processes: methods, flows and midpoints by the name of their process.
        problem: what they descend, if it is a named problem; None for an objective made by hand.
        steps: how many steps to take in all.
        probes: what is read.
        until: what ends a process early.
        seed: of everything random in the measuring.
    """

    processes: Mapping[str, Any]
    problem: Any
    steps: int
    probes: tuple[Probe, ...]
    until: tuple[Event, ...]
    seed: int
