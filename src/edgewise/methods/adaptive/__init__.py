"""Steps divided by the root mean square of the gradients so far: preconditioners that are diagonal."""

from edgewise.methods.adaptive.adagrad import Adagrad, AdagradState
from edgewise.methods.adaptive.adam import Adam, AdamState
from edgewise.methods.adaptive.adamw import AdamW
from edgewise.methods.adaptive.frozen_adam import FrozenAdam
from edgewise.methods.adaptive.nadam import NAdam, NAdamState
from edgewise.methods.adaptive.rmsprop import RMSProp, RMSPropState
from edgewise.methods.adaptive.scalar_rmsprop import ScalarRMSProp, ScalarRMSPropState

__all__ = [
    "Adagrad",
    "AdagradState",
    "Adam",
    "AdamState",
    "AdamW",
    "FrozenAdam",
    "NAdam",
    "NAdamState",
    "RMSProp",
    "RMSPropState",
    "ScalarRMSProp",
    "ScalarRMSPropState",
]
