"""The watch: over somebody else's training, in words: where it stands, what breaks next, what to do."""

from edgewise.watch.critical import critical_sharpness
from edgewise.watch.live import Autocast, LiveLoss, Weights
from edgewise.watch.losses import Losses
from edgewise.watch.reading import KINDS, Kind, Reading, Readings
from edgewise.watch.verdict import Phase, Verdict, judge
from edgewise.watch.watch import Sink, Watch, WatchWarning

__all__ = [
    "KINDS",
    "Autocast",
    "Kind",
    "LiveLoss",
    "Losses",
    "Phase",
    "Reading",
    "Readings",
    "Sink",
    "Verdict",
    "Watch",
    "WatchWarning",
    "Weights",
    "critical_sharpness",
    "judge",
]
