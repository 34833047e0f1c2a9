"""What everything may use, and which uses nothing of ours."""

from edgewise.foundation.codec import JSON, decode, encode
from edgewise.foundation.errors import (
    DataError,
    DerivativeError,
    EdgewiseError,
    EvidenceError,
    FlowError,
    NounError,
    ObjectiveError,
    RecordError,
    SettingError,
    first_line,
)
from edgewise.foundation.parameters import ParameterSpace
from edgewise.foundation.precision import exact_arithmetic, one_thread, use_one_thread
from edgewise.foundation.seeds import derive_seed, generator
from edgewise.foundation.types import Block, Parameters, Scalar, Vector

__all__ = [
    "JSON",
    "Block",
    "DataError",
    "DerivativeError",
    "EdgewiseError",
    "EvidenceError",
    "FlowError",
    "NounError",
    "ObjectiveError",
    "ParameterSpace",
    "Parameters",
    "RecordError",
    "Scalar",
    "SettingError",
    "Vector",
    "decode",
    "derive_seed",
    "encode",
    "exact_arithmetic",
    "first_line",
    "generator",
    "one_thread",
    "use_one_thread",
]
