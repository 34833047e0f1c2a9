"""Loss spikes: when one begins, what caused it, and what to do about it."""

from edgewise.watch.spikes.causes import STALE, Cause, Finding, cause_of
from edgewise.watch.spikes.detector import Detector, Event, Spike
from edgewise.watch.spikes.evidence import SpikeEvidence
from edgewise.watch.spikes.history import SpikeHistory
from edgewise.watch.spikes.investigation import investigate
from edgewise.watch.spikes.recorder import KeptStep, Recorder
from edgewise.watch.spikes.remedies import remedies, safe_step_size
from edgewise.watch.spikes.report import SpikeReport
from edgewise.watch.spikes.rewind import rewind
from edgewise.watch.spikes.second_moments import SecondMoments, second_moments, staleness

__all__ = [
    "STALE",
    "Cause",
    "Detector",
    "Event",
    "Finding",
    "KeptStep",
    "Recorder",
    "SecondMoments",
    "Spike",
    "SpikeEvidence",
    "SpikeHistory",
    "SpikeReport",
    "cause_of",
    "investigate",
    "remedies",
    "rewind",
    "safe_step_size",
    "second_moments",
    "staleness",
]
