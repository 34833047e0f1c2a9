"""How a paper is reproduced: recipes performed and recorded, claims judged on the records, numbers kept."""

from edgewise.reproduction.computation import Computation
from edgewise.reproduction.descent import Descent
from edgewise.reproduction.exhibit import Exhibit, Reproduction
from edgewise.reproduction.experiment import Experiment
from edgewise.reproduction.finding import Finding, Findings, collect, examine, place, read_findings, write_finding
from edgewise.reproduction.golden import differences, write_golden
from edgewise.reproduction.perform import Done, Job, perform, plan
from edgewise.reproduction.scale import Scale

__all__ = [
    "Computation",
    "Descent",
    "Done",
    "Exhibit",
    "Experiment",
    "Finding",
    "Findings",
    "Job",
    "Reproduction",
    "Scale",
    "collect",
    "differences",
    "examine",
    "perform",
    "place",
    "plan",
    "read_findings",
    "write_finding",
    "write_golden",
]
