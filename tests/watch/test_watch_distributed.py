"""Two processes that train one model: the watch in one of them reads what a single process would."""

import multiprocessing
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edgewise.foundation import SettingError
from edgewise.watch import Watch
from edgewise.watch.live import bare, replicas
from reference.watched import digits_like, mlp, plenty

CRITERION = nn.CrossEntropyLoss()
STEPS = 14


@pytest.fixture
def alone(tmp_path):
    """A process group of one."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def readings_of(model, optimizer, mine, probe, watched):
    watch = Watch(model, optimizer, CRITERION, probe, 1.0) if watched else None
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = CRITERION(model(mine[0]), mine[1])
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch.step(loss)
    if watch is None:
        return None
    return [(row.kind, row.step, row.value, row.critical) for row in watch.readings], watch._batch_size


def network():
    """With buffers, which are handed from process to process in a forward pass that is training."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    model.register_buffer("aside", torch.zeros(3))
    return model.double()


def make(model):
    return torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)


def process(rank, folder, compiled):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    with pytest.MonkeyPatch.context() as patch:
        plenty(patch)
        inputs, labels = digits_like(dtype=torch.float64)
        probe, mine = (inputs, labels), (inputs[rank::2], labels[rank::2])
        model = DistributedDataParallel(network())
        if compiled:
            model = torch.compile(model, backend="eager")
        found = readings_of(model, make(model), mine, probe, watched=rank == 0)
        refused = ""
        try:
            synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(
                nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
            )
            Watch(synchronised, make(synchronised), CRITERION, digits_like())
        except SettingError as error:
            refused = str(error)
        weights = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
        torch.save((found, refused, weights), Path(folder) / f"found{rank}")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_one_of_two_processes_reads_what_a_single_one_would(tmp_path, monkeypatch, compiled):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=process, args=(rank, str(tmp_path), compiled)) for rank in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=200)
    assert [one.exitcode for one in both] == [0, 0]
    ((rows, size), refused, weights), (nothing, refused_too, others) = (
        torch.load(tmp_path / f"found{rank}", weights_only=False) for rank in range(2)
    )
    assert nothing is None
    assert torch.equal(weights, others)  # the watched process trains as the other does
    for words in (refused, refused_too):
        assert words.startswith("a model with SyncBatchNorm in more than one process: ")

    plenty(monkeypatch)
    union, model = digits_like(dtype=torch.float64), network()
    expected, its_size = readings_of(model, make(model), union, union, watched=True)
    assert size == its_size == 24  # twelve in each of two
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    assert {row[0] for row in rows} >= {"critical sharpness", "gradient curvature", "effective sharpness"}
    for row, other in zip(rows, expected, strict=True):
        # The mean over two halves is rounded in another order.
        assert row[2] == pytest.approx(other[2], rel=1e-6), row[0]
        # Where the edge is, for a secant, is made of gradients too.
        assert (row[3] is None) == (other[3] is None)
        assert row[3] is None or row[3] == pytest.approx(other[3], rel=1e-6)


def test_a_wrapper_is_looked_through(alone):
    model = mlp()
    wrapped = DistributedDataParallel(model)
    assert bare(model) is model
    assert bare(wrapped) is model
    assert bare(torch.compile(wrapped, backend="eager")) is model
    compiled = torch.compile(model, backend="eager")
    assert bare(compiled) is compiled
    assert replicas(wrapped) == replicas(model) == 1
    with Watch(wrapped, make(wrapped), CRITERION, digits_like()) as watch:
        assert watch._live.model is model
    assert not wrapped._forward_pre_hooks


def test_synchronised_batch_norm_in_a_group_of_two_is_refused(alone, monkeypatch):
    monkeypatch.setattr(distributed, "get_world_size", lambda group=None: 2)
    model = nn.Sequential(nn.Linear(6, 4), nn.SyncBatchNorm(4), nn.Linear(4, 3))
    with pytest.raises(
        SettingError,
        match=r"^a model with SyncBatchNorm in more than one process: its batch statistics are those of all "
        r"processes: a reading in one would wait for the others\. Watch a run with nn\.BatchNorm2d in its place",
    ):
        Watch(model, make(model), CRITERION, digits_like())
