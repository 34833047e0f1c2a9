"""A fixed data set, cut into chunks in the same order every time.

Full-batch dynamics need the same L(w) at every call, so the data are tensors, a map-style `Dataset`, or a
finite `DataLoader` that does not shuffle. Tensors are cut as views; data sets and loaders are streamed, one
chunk in memory at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, final

import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from edgewise.foundation import ObjectiveError

Nested = Tensor | Sequence[Any] | Mapping[str, Any]
"""A tensor, or a tuple, list or dict of such."""


class FixedData(ABC):
    """Pairs (inputs, targets), the same ones in the same order at every pass."""

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Nested, Nested]]:
        """The chunks of one pass."""

    @abstractmethod
    def batch(self, indices: Tensor) -> "FixedData":
        """The samples of these numbers (in the order of a pass, from 0), in chunks as large as the whole's.

        Raises:
            ObjectiveError: if there is no access to a sample alone.
        """


def fixed_data(data: Any, chunk_size: int | None, ghost_batch: int | None = None) -> FixedData:
    """Make any of the accepted kinds of data into chunks.

    Args:
        data: `(inputs, targets)` with inputs a tensor, tuple or dict of tensors; a map-style `Dataset` of
            such pairs; or a finite `DataLoader` that does not shuffle.
        chunk_size: samples per chunk; None takes all tensors or the whole data set at once. A `DataLoader`
            brings its own.
        ghost_batch: the same, where the partition is part of the objective.

    Raises:
        ObjectiveError: if the data are empty, shuffled, endless, or not pairs.
    """
    name, size = ("chunk_size", chunk_size) if ghost_batch is None else ("ghost_batch", ghost_batch)
    if chunk_size not in (None, size):
        raise ObjectiveError(
            f"chunk_size={chunk_size} and ghost_batch={ghost_batch}",
            "a ghost batch is evaluated in one piece",
            f"Type ghost_batch={ghost_batch} alone",
        )
    if size is not None and size < 1:
        raise ObjectiveError(f"{name}={size}", "it has to hold at least one sample", f"Type {name}=256, or None")
    if isinstance(data, DataLoader):
        if size is not None:
            raise ObjectiveError(
                f"a DataLoader and {name}={size}",
                "the loader cuts the data itself, the same way at every pass",
                f"Type DataLoader(..., batch_size={size}) and leave {name} out",
            )
        _refuse_shuffling(data)
        return _Loaded(data)
    if isinstance(data, IterableDataset):
        raise ObjectiveError(
            f"a {type(data).__name__}",
            "an iterable data set has no fixed length and order",
            "Collect it into tensors, or wrap it in a finite DataLoader that repeats the same order",
        )
    if isinstance(data, Dataset):
        length = len(data)  # type: ignore[arg-type]  # map-style data sets have a length
        _refuse_empty(length)
        return _Loaded(DataLoader(data, batch_size=size or length, shuffle=False))
    if isinstance(data, tuple | list) and len(data) == 2:
        _refuse_without_tensors(*data)
        return _Tensors(data[0], data[1], size)
    raise ObjectiveError(
        f"data of type {type(data).__name__}",
        "an objective needs pairs of inputs and targets",
        "Give (inputs, targets), a Dataset, or a DataLoader with shuffle=False",
    )


def samples_in(nested: Nested) -> int:
    """The length of the first axis of the first tensor in a nest."""
    return next(iter(tensors_in(nested))).shape[0]


def tensors_in(nested: Any) -> Iterator[Tensor]:
    """All tensors of a nest, depth first."""
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, Mapping):
        for value in nested.values():
            yield from tensors_in(value)
    elif isinstance(nested, Sequence) and not isinstance(nested, str):
        for value in nested:
            yield from tensors_in(value)


def map_tensors(function: Any, nested: Any) -> Any:
    """The same nest with `function` applied to every tensor."""
    if isinstance(nested, Tensor):
        return function(nested)
    if isinstance(nested, Mapping):
        return {key: map_tensors(function, value) for key, value in nested.items()}
    if isinstance(nested, Sequence) and not isinstance(nested, str):
        return tuple(map_tensors(function, value) for value in nested)
    return nested


@final
@dataclass(frozen=True)
class _Tensors(FixedData):
    inputs: Nested
    targets: Nested
    chunk_size: int | None

    def __post_init__(self) -> None:
        lengths = {t.shape[0] if t.ndim else 0 for t in tensors_in((self.inputs, self.targets))}
        _refuse_empty(min(lengths))
        if len(lengths) > 1:
            raise ObjectiveError(
                f"inputs and targets with {' and '.join(map(str, sorted(lengths)))} samples",
                "every sample needs its target",
                "Give tensors with the same first dimension",
            )

    def __iter__(self) -> Iterator[tuple[Nested, Nested]]:
        samples = samples_in(self.inputs)
        step = self.chunk_size or samples
        for start in range(0, samples, step):
            cut = partial(_rows, slice(start, start + step))
            yield map_tensors(cut, self.inputs), map_tensors(cut, self.targets)

    def batch(self, indices: Tensor) -> FixedData:
        # On the device of the data, so that no sample travels.
        rows = indices.to(next(tensors_in(self.inputs)).device)
        pick = partial(_picked, rows)
        return _Tensors(map_tensors(pick, self.inputs), map_tensors(pick, self.targets), self.chunk_size)


def _picked(rows: Tensor, tensor: Tensor) -> Tensor:
    return tensor.index_select(0, rows.to(tensor.device))


def _rows(cut: slice, tensor: Tensor) -> Tensor:
    return tensor[cut]


@final
@dataclass(frozen=True)
class _Loaded(FixedData):
    loader: DataLoader[Any]

    def __iter__(self) -> Iterator[tuple[Nested, Nested]]:
        # Every pass of a loader draws a seed for its workers from the global random state.
        with torch.random.fork_rng([]):
            batches = iter(self.loader)
        for batch in batches:
            if not (isinstance(batch, tuple | list) and len(batch) == 2):
                raise ObjectiveError(
                    f"a loader whose batches are of type {type(batch).__name__}"
                    + (f" and length {len(batch)}" if isinstance(batch, tuple | list) else ""),
                    "each batch has to be a pair (inputs, targets)",
                    "Give a collate_fn that returns (inputs, targets)",
                )
            _refuse_without_tensors(batch[0], batch[1])
            yield batch[0], batch[1]

    def batch(self, indices: Tensor) -> FixedData:
        numbers = [self._order[i] for i in indices.tolist()]
        dataset = self.loader.dataset
        # As the loader itself fetches: some data sets (Hugging Face's) are much faster asked for all at once.
        at_once = getattr(dataset, "__getitems__", None)
        samples = at_once(numbers) if at_once else [dataset[number] for number in numbers]
        inputs, targets = self.loader.collate_fn(samples)
        return _Tensors(inputs, targets, self.loader.batch_size)

    @cached_property
    def _order(self) -> Sequence[int]:
        """The index in the data set of every sample, in the order of a pass."""
        if isinstance(self.loader.dataset, IterableDataset) or self.loader.batch_sampler is None:
            raise ObjectiveError(
                f"single samples of a DataLoader over a {type(self.loader.dataset).__name__}",
                "it gives whole chunks, one after the other, and no access to one sample",
                "Give (inputs, targets) as tensors, or a map-style Dataset",
            )
        with torch.random.fork_rng([]):
            return [number for batch in self.loader.batch_sampler for number in batch]


def _refuse_without_tensors(inputs: Any, targets: Any) -> None:
    for role, nested in (("inputs", inputs), ("targets", targets)):
        if not any(True for _ in tensors_in(nested)):
            raise ObjectiveError(
                f"{role} of type {type(nested).__name__} without a single tensor",
                "an objective is made from tensors",
                f"Type torch.as_tensor({role})",
            )


def _refuse_empty(samples: int) -> None:
    if samples == 0:
        raise ObjectiveError(
            "a data set with no samples",
            "a mean over nothing is not a number",
            "Check the subset you selected",
        )


def _refuse_shuffling(loader: DataLoader[Any]) -> None:
    sampler = getattr(loader.batch_sampler, "sampler", None) or loader.sampler
    if isinstance(sampler, RandomSampler | SubsetRandomSampler | WeightedRandomSampler):
        raise ObjectiveError(
            f"a DataLoader with a {type(sampler).__name__}",
            "it cuts the data differently at every pass, so L(w) would not be one function",
            "Type DataLoader(..., shuffle=False)",
        )
