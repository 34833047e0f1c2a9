"""How the parameters of a model lie on the processes that share it.

After `torch.distributed.fsdp.fully_shard` a parameter is a DTensor, of which each process has a part, its shard.
Weights are copied and moved shard by shard; a length is a sum over the processes; a forward pass takes them all.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, final

import torch
from torch import Tensor, nn

from edgewise.foundation import Vector
from edgewise.watch.sharding.agreement import Agreement


@final
class Shards:
    """What each process has of a model; all of it, where the model is not sharded.

    Args:
        model: whose forward pass takes all processes, if any parameter is sharded.
        parameters: those that lengths are taken of.

    Attributes:
        agreement: of the processes.
        replicas: how many processes have samples of their own; one without `fully_shard`.
    """

    def __init__(self, model: nn.Module, parameters: Sequence[Tensor]) -> None:
        everything: list[Any] = list(model.parameters())
        meshes = [p.device_mesh for p in everything if is_sharded(p)]
        self._mesh: Any = max(meshes, key=lambda mesh: mesh.size()) if meshes else None
        self._wrapped: list[Any] = _fully_sharded(model)
        self.agreement = Agreement()
        if self._mesh is not None:
            self.agreement = Agreement(self._mesh.get_all_groups(), self._mesh.device_type)
        self.replicas = self.agreement.processes if self._wrapped else 1
        # In how many processes each entry lies.
        self._copies = [self.agreement.processes / _pieces(p) for p in parameters]
        self._lengths = [local(p.detach()).numel() for p in parameters]

    def __bool__(self) -> bool:
        """Whether there is anything sharded."""
        return self._mesh is not None

    def device(self, tensor: Tensor) -> torch.device:
        """Where a forward pass computes with a parameter, which may be kept on the CPU meanwhile."""
        if self._mesh is None or tensor.device.type == self._mesh.device_type:
            return tensor.device
        return torch.device(
            self._mesh.device_type, torch.get_device_module(self._mesh.device_type).current_device()
        )

    def dtype(self, tensor: Tensor) -> torch.dtype:
        """The type that a forward pass computes with a parameter in."""
        # No public name tells a policy of mixed precision.
        policies = [wrapped._get_fsdp_state()._mp_policy for wrapped in self._wrapped]
        return next((policy.param_dtype for policy in policies if policy.param_dtype is not None), tensor.dtype)

    def dot(self, a: Vector, b: Vector) -> float:
        """aᵀb of the shards of two vectors, over all processes."""
        if not self:
            return float(a @ b)
        pieces = zip(a.split(self._lengths), b.split(self._lengths), self._copies, strict=True)
        products = torch.stack([(x @ y).double() / copies for x, y, copies in pieces])
        return self.agreement.total(float(products.sum()))

    def norm(self, a: Vector) -> float:
        """‖a‖ of the shards of a vector, over all processes."""
        return math.sqrt(self.dot(a, a)) if self else float(a.norm())

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Inside, a forward pass gathers the weights as they are now; afterwards none are kept gathered.

        The outermost module keeps what it has gathered in a forward pass for the backward pass, and would take
        that for the weights the next time.
        """
        self.reshard()
        try:
            yield
        except Exception:
            for wrapped in self._wrapped:
                # Only the outermost can forget a forward pass that has not come to its end; the others say so.
                with suppress(RuntimeError):
                    wrapped.reset_iter_state()
            raise
        finally:
            self.reshard()

    def reshard(self) -> None:
        """Let go of the weights that a forward pass has gathered, as far as it has kept them."""
        for wrapped in self._wrapped:
            wrapped.reshard()


def is_sharded(tensor: Tensor) -> bool:
    """Whether it is a DTensor, which lies on several processes."""
    # Whoever shards has this module; to load it takes a while.
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Tensor) -> Tensor:
    """What this process has of a tensor."""
    shard: Any = tensor
    return shard.to_local() if is_sharded(tensor) else tensor


def _pieces(tensor: Tensor) -> int:
    """Into how many different pieces a parameter is cut."""
    if not is_sharded(tensor):
        return 1
    whole: Any = tensor
    axes = enumerate(whole.placements)
    return math.prod(whole.device_mesh.size(axis) for axis, placement in axes if not placement.is_replicate())


def _fully_sharded(model: nn.Module) -> list[Any]:
    module = sys.modules.get("torch.distributed.fsdp")
    kind = getattr(module, "FSDPModule", ())
    return [part for part in model.modules() if isinstance(part, kind)]
