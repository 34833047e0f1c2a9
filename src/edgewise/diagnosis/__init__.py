"""Series in, phases out: what a run did at its edge of stability, and on which numbers that rests."""

from edgewise.diagnosis.diagnosis import Diagnosis, diagnose
from edgewise.diagnosis.phase import Evidence, Forecast, Kind, Move, Phase, Spread

__all__ = [
    "Diagnosis",
    "Evidence",
    "Forecast",
    "Kind",
    "Move",
    "Phase",
    "Spread",
    "diagnose",
]
