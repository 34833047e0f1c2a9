"""The state of all processes ⇄ one checkpoint: named tensors and one JSON text."""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from edgewise.dynamics.process import ProcessState
from edgewise.foundation import decode, encode
from edgewise.records import Checkpoint, RecordWriter


def save(writer: RecordWriter, step: int, steps: int, states: Mapping[str, ProcessState]) -> None:
    """Write the states before `step`, on the way to `steps`."""
    tensors: dict[str, Tensor] = {}
    tree = encode({"steps": steps, "processes": dict(states)}, tensors)
    writer.checkpoint(step, tensors, json.dumps(tree))


def load(checkpoint: Checkpoint, device: torch.device) -> tuple[int, dict[str, ProcessState]]:
    """Read back where the run was going, and the states, onto `device` and bit for bit."""
    tensors = {name: tensor.to(device) for name, tensor in checkpoint.tensors.items()}
    tree = decode(json.loads(checkpoint.state), tensors)
    return tree["steps"], tree["processes"]
