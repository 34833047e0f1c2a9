"""Steps that remember the gradients before, or the points: velocities and averages."""

from edgewise.methods.momentum.averaged_momentum import AveragedMomentum, AveragedMomentumState
from edgewise.methods.momentum.heavy_ball import HeavyBall, HeavyBallState
from edgewise.methods.momentum.nesterov import Nesterov, NesterovState
from edgewise.methods.momentum.schedule_free import ScheduleFree, ScheduleFreeState

__all__ = [
    "AveragedMomentum",
    "AveragedMomentumState",
    "HeavyBall",
    "HeavyBallState",
    "Nesterov",
    "NesterovState",
    "ScheduleFree",
    "ScheduleFreeState",
]
