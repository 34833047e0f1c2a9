"""Steps divided by the root mean square of the gradients so far: preconditioners that are diagonal."""

from edgewise.methods.adaptive.adam import Adam, AdamState
from edgewise.methods.adaptive.adamw import AdamW
from edgewise.methods.adaptive.frozen_adam import FrozenAdam
from edgewise.methods.adaptive.rmsprop import RMSProp, RMSPropState
from edgewise.methods.adaptive.scalar_rmsprop import ScalarRMSProp, ScalarRMSPropState

__all__ = [
    "Adam",
    "AdamState",
    "AdamW",
    "FrozenAdam",
    "RMSProp",
    "RMSPropState",
    "ScalarRMSProp",
    "ScalarRMSPropState",
]
