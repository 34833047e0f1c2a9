"""Ways of descending: discrete methods, each of which says where it loses stability."""

from edgewise.methods.adam import Adam, AdamState
from edgewise.methods.adamw import AdamW
from edgewise.methods.averaged_momentum import AveragedMomentum, AveragedMomentumState
from edgewise.methods.block_diagonal import BlockDiagonal
from edgewise.methods.curvature_driven import AtEdgeRatio, AtEdgeRatioState
from edgewise.methods.from_torch import from_torch, state_from_torch
from edgewise.methods.frozen_adam import FrozenAdam
from edgewise.methods.gradient_descent import GradientDescent, GradientDescentState
from edgewise.methods.heavy_ball import HeavyBall, HeavyBallState
from edgewise.methods.method import AnyMethod, Method
from edgewise.methods.muon import Muon, MuonState
from edgewise.methods.nesterov import Nesterov, NesterovState
from edgewise.methods.newton_schulz import MatrixPreconditioner
from edgewise.methods.normalized import NormalizedGD, NormalizedGDState
from edgewise.methods.parameter_groups import ParameterGroups, ParameterGroupsState
from edgewise.methods.projected import Projected, ProjectedState
from edgewise.methods.rmsprop import RMSProp, RMSPropState
from edgewise.methods.sam import SAM, SAMState
from edgewise.methods.scalar_rmsprop import ScalarRMSProp, ScalarRMSPropState
from edgewise.methods.schedule import Constant, Cosine, Drop, Schedule, Warmup, step_size
from edgewise.methods.schedule_free import ScheduleFree, ScheduleFreeState
from edgewise.methods.sgd import SGD, SGDState
from edgewise.methods.sqrt_loss import SqrtLossGD, SqrtLossGDState
from edgewise.methods.stability import critical_curvature_by_bisection, spectral_radius
from edgewise.methods.transient import Transient
from edgewise.methods.weight_decay import DecoupledWeightDecay, WeightDecay

__all__ = [
    "SAM",
    "SGD",
    "Adam",
    "AdamState",
    "AdamW",
    "AnyMethod",
    "AtEdgeRatio",
    "AtEdgeRatioState",
    "AveragedMomentum",
    "AveragedMomentumState",
    "BlockDiagonal",
    "Constant",
    "Cosine",
    "DecoupledWeightDecay",
    "Drop",
    "FrozenAdam",
    "GradientDescent",
    "GradientDescentState",
    "HeavyBall",
    "HeavyBallState",
    "MatrixPreconditioner",
    "Method",
    "Muon",
    "MuonState",
    "Nesterov",
    "NesterovState",
    "NormalizedGD",
    "NormalizedGDState",
    "ParameterGroups",
    "ParameterGroupsState",
    "Projected",
    "ProjectedState",
    "RMSProp",
    "RMSPropState",
    "SAMState",
    "SGDState",
    "ScalarRMSProp",
    "ScalarRMSPropState",
    "Schedule",
    "ScheduleFree",
    "ScheduleFreeState",
    "SqrtLossGD",
    "SqrtLossGDState",
    "Transient",
    "Warmup",
    "WeightDecay",
    "critical_curvature_by_bisection",
    "from_torch",
    "spectral_radius",
    "state_from_torch",
    "step_size",
]
