"""The watch: over somebody else's training, in words: where it stands, what breaks next, what to do."""

from edgewise.watch.advice import Advice, advise
from edgewise.watch.budget import Budget
from edgewise.watch.complaints import WatchWarning
from edgewise.watch.critical import critical_sharpness
from edgewise.watch.live import Autocast, LiveLoss, Weights
from edgewise.watch.losses import Losses
from edgewise.watch.offline import CheckpointReadings, OfflineAdvice, advise_offline
from edgewise.watch.reading import KINDS, Kind, Reading, Readings
from edgewise.watch.spikes import SpikeReport
from edgewise.watch.steering import EdgeScheduler
from edgewise.watch.verdict import Phase, Verdict, judge
from edgewise.watch.watch import Sink, Watch

__all__ = [
    "KINDS",
    "Advice",
    "Autocast",
    "Budget",
    "CheckpointReadings",
    "EdgeScheduler",
    "Kind",
    "LiveLoss",
    "Losses",
    "OfflineAdvice",
    "Phase",
    "Reading",
    "Readings",
    "Sink",
    "SpikeReport",
    "Verdict",
    "Watch",
    "WatchWarning",
    "Weights",
    "advise",
    "advise_offline",
    "critical_sharpness",
    "judge",
]
