"""The state of all processes ⇄ one checkpoint: named tensors and one JSON text."""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from edgewise.dynamics.process import ProcessState
from edgewise.foundation import decode, encode
from edgewise.records import Checkpoint, RecordWriter


def save(writer: RecordWriter, step: int, states: Mapping[str, ProcessState]) -> None:
    """Write the states before `step`."""
    tensors: dict[str, Tensor] = {}
    tree = encode(dict(states), tensors)
    writer.checkpoint(step, tensors, json.dumps(tree))


def load(checkpoint: Checkpoint, device: torch.device) -> dict[str, ProcessState]:
    """Read them back onto `device`, bit for bit."""
    tensors = {name: tensor.to(device) for name, tensor in checkpoint.tensors.items()}
    states: dict[str, ProcessState] = decode(json.loads(checkpoint.state), tensors)
    return states
