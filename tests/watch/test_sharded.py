"""Models that two processes share: both read, at the same steps, what a single process would."""

import warnings
from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Replicate, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from edgewise.foundation import SettingError, generator
from edgewise.watch import EdgeScheduler, Watch, critical_sharpness
from edgewise.watch.budget import Budget
from edgewise.watch.instrument import Moment
from edgewise.watch.instruments import CriticalSharpness, Norms
from edgewise.watch.live import LiveLoss
from edgewise.watch.sharding import Agreement, ElsewhereError, Shards, Timetable, local
from reference.two_processes import in_two
from reference.watched import digits_like, mlp

CRITERION = nn.CrossEntropyLoss()
STEPS = 60
SHAPES = {"sharded": (2,), "sharded in copies": (2, 1), "copies of shards": (1, 2)}


class Clock:
    """Goes on by what a forward pass takes, and by what its owner says."""

    def __init__(self, forward=0.01):
        self.now, self.forward = 0.0, forward

    def __call__(self):
        return self.now

    def follow(self, model):
        model.register_forward_hook(lambda *_: setattr(self, "now", self.now + self.forward))
        return self


class Scaled(nn.Module):
    """Tensors of which the second process has less than the first, or nothing at all."""

    def __init__(self, width=7):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.first, self.last = nn.Linear(6, width), nn.Linear(width, 3)
        self.scale = nn.Parameter(torch.ones(1))
        self.broken = 0

    def forward(self, x):
        if self.broken and not torch.is_grad_enabled():
            self.broken -= 1
            raise LookupError("in every process")
        return self.scale * self.last(torch.tanh(self.first(x)))


class Noisy(nn.Module):
    """Dropout, batch statistics, a frozen layer, and a buffer."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)
            self.frozen = nn.Linear(6, 6).requires_grad_(False)
            self.norm, self.drop = nn.BatchNorm1d(6), nn.Dropout(0.3)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return self.last(self.drop(torch.tanh(self.frozen(self.norm(self.first(x))))))


def shard(model, shape=(2,), inner=("first",), **how):
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("copies", "shards")[-len(shape) :])
    for name in inner:
        fully_shard(model.get_submodule(name), mesh=mesh, **how)
    return fully_shard(model, mesh=mesh, **how)


def whole(tensor):
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).detach().clone()


def step(model, optimizer, batch):
    optimizer.zero_grad()
    loss = CRITERION(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss


def rows_of(watch):
    return [(r.step, r.kind, r.value, r.low, r.high, r.critical, r.lr, r.passes) for r in watch.readings]


def half(rank, dtype=torch.float64):
    inputs, labels = digits_like(dtype=dtype)
    return inputs[rank::2], labels[rank::2]


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.02)


# Both processes read what one would.


def read_by_two(rank):
    found = {}
    for name, shape in SHAPES.items():
        mine, model = half(rank), shard(Scaled().double(), shape)
        optimizer = adamw(model)
        # The second process thinks that it is fast to train, and slow to read.
        clock = Clock(0.01 * (1 + 4 * rank)).follow(model)
        with mock.patch.object(distributed, "all_gather", wraps=distributed.all_gather) as gather:
            watch = Watch(model, optimizer, CRITERION, mine, Budget(0.5, clock))
            for _ in range(STEPS):
                watch.step(step(model, optimizer, mine))
                clock.now += 0.1 / (1 + rank)
        found[name] = {
            "rows": rows_of(watch),
            "words": gather.call_count,
            "losses": len(watch.losses),
            "batch size": watch._batch_size,
            "samples": watch._live.samples,
            "cost": watch.cost,
            "verdict": str(watch.verdict()),
            "rests on": watch.verdict().rests_on,
            "advice": watch.advise().kind,
            "state": watch.state_dict()["steps"],
        }
    return found


def read_by_one(rows, width=7):
    """The same instruments at the same steps, in one process that trains on the data of both."""
    both, model = digits_like(dtype=torch.float64), Scaled(width).double()
    optimizer = adamw(model)
    tensors = dict(model.named_parameters())
    live = LiveLoss(model, CRITERION, both, tensors)
    critical, norms = CriticalSharpness(), Norms()
    wanted = {(row[0], row[1]) for row in rows}
    found = []
    for at in range(STEPS):
        before = live.snapshot()
        step(model, optimizer, both)
        moment = Moment(
            step=at, live=live, before=before, gradients=[p.grad for p in tensors.values()], lr=0.02, batch=None,
            batch_size=24, line=lambda: None,
        )  # fmt: skip
        if (at - 1, "secant curvature") in wanted:
            found += norms.follow(moment)
        if (at, "update norm") in wanted:
            found += norms.read(moment)
        if (at, "critical sharpness") in wanted:
            found += critical.read(moment)
    return [(r.step, r.kind, r.value, r.low, r.high, r.critical, r.lr, r.passes) for r in found]


def agree(rows, references):
    assert [row[:2] for row in rows] == [row[:2] for row in references]
    for row, reference in zip(rows, references, strict=True):
        assert row[7] == reference[7]
        for number, other in zip(row[2:7], reference[2:7], strict=True):
            # Twelve samples in each process, summed in another order.
            assert number == other or number == pytest.approx(other, rel=1e-7), row[:2]


@pytest.mark.slow
def test_both_processes_read_what_one_would(tmp_path):
    first, second = in_two(read_by_two, tmp_path)
    for name in SHAPES:
        one, other = first[name], second[name]
        assert one["rows"] == other["rows"]  # to the last bit, brackets and passes too
        kinds = [row[1] for row in one["rows"]]
        assert set(kinds) == {"update norm", "gradient norm", "secant curvature", "critical sharpness"}
        assert kinds.count("critical sharpness") >= 5
        agree(one["rows"], read_by_one(one["rows"]))
        # Construction, the 1st, 2nd, 4th, … 32nd step, and a few for each reading: not one for each step.
        axes = len(SHAPES[name])
        passes = sum(row[7] for row in one["rows"])
        assert one["words"] == other["words"] <= axes * (5 + 6 + passes + 3 * len(kinds))
        for each in (one, other):
            assert each["samples"] == each["batch size"] == 24
            assert each["losses"] == each["state"] == STEPS
            assert each["rests on"] == each["advice"] == "critical sharpness"
            assert (
                "for AdamW, by its own updates: second derivatives of a sharded model are not read."
                in each["verdict"]
            )
        # The process that pays most for reading has what it was promised.
        assert other["cost"] <= 0.5 * 1.1


# Nothing changes.


HOWS = {
    "plain": {},
    "gathered again": {"reshard_after_forward": True},
    "kept gathered": {"reshard_after_forward": False},
    "in half precision": {"mp_policy": MixedPrecisionPolicy(param_dtype=torch.bfloat16)},
}


def train_noisily(rank, how, watched):
    mine = half(rank, torch.float32)
    # No batch norm of PyTorch has its statistics in another precision than its inputs.
    model = shard(Scaled() if "mp_policy" in how else Noisy(), inner=("first", "last"), **how)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    torch.manual_seed(rank)
    clock = Clock().follow(model)
    rows, rounding = [], None
    with torch.no_grad():
        model(mine[0])  # an evaluation leaves the outermost weights gathered
    watch = Watch(model, optimizer, CRITERION, mine, Budget(0.9, clock)) if watched else nullcontext()
    with watch:
        for _ in range(20):
            loss = step(model, optimizer, mine)
            clock.now += 0.1
            if watched:
                watch.step(loss, mine)
        if watched:
            rows, rounding = rows_of(watch), watch._live.rounding
    state = [whole(t) for t in (*model.parameters(), *model.buffers())]
    state += [whole(p.grad) for p in model.parameters() if p.grad is not None]
    state += [whole(t) for s in optimizer.state.values() for t in s.values() if isinstance(t, torch.Tensor)]
    return [*state, torch.get_rng_state()], rows, rounding


def unchanged_in_two(rank):
    found = {}
    for name, how in HOWS.items():
        (left, rows, rounding), (right, _, _) = (train_noisily(rank, how, watched) for watched in (True, False))
        same = len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
        found[name] = same, rows, rounding
    return found


@pytest.mark.slow
def test_a_sharded_training_is_what_it_is_without_a_watch(tmp_path):
    first, second = in_two(unchanged_in_two, tmp_path)
    for name in HOWS:
        (same, rows, rounding), (same_too, others, _) = first[name], second[name]
        assert same
        assert same_too
        assert rows == others
        assert {row[1] for row in rows} >= {"critical sharpness"}
        half_precision = name == "in half precision"
        assert rounding == pytest.approx(2.0**-7 / 24**0.5 if half_precision else 2.0**-23)


# What fails in one process.


def fails_in_two(rank):
    found = {}
    mine, failing = half(rank), 0

    def criterion(outputs, targets):
        nonlocal failing
        if failing and rank == 1 and not torch.is_grad_enabled():
            failing -= 1
            raise KeyError("not today")
        return CRITERION(outputs, targets)

    def words_of(make):
        try:
            make()
        except SettingError as error:
            return str(error)
        return ""

    model = shard(Scaled().double())
    optimizer = adamw(model)
    bad = (mine[0][:, :5], mine[1]), (mine[0][:0], mine[1][:0]), mine[0], (mine[0], mine[1][:5])
    found["refused"] = [
        words_of(lambda probe=probe: Watch(model, optimizer, CRITERION, probe if rank else mine))
        for probe in bad[1:]
    ]
    clock = Clock().follow(model)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        watch = Watch(model, optimizer, criterion, mine, Budget(0.5, clock))
        for at in range(STEPS):
            # An instrument that fails three times in a row is left alone.
            failing, model.broken = 2 if at == 10 else failing, 2 if at == 30 else model.broken
            loss = step(model, optimizer, mine)
            clock.now += 0.1
            # In one process there is a spike.
            watch.step(100.0 * loss.item() if at == 50 and rank == 0 else loss)
    found["warnings"] = [str(each.message) for each in heard if "edgewise" in str(each.message)]
    found["rows"] = rows_of(watch)
    found["spikes"] = [(r.step, r.cause, r.evidence.unmeasured, str(r)) for r in watch.spikes]
    with pytest.raises(SettingError) as error, watch._live.point():
        pass
    found["point"] = str(error.value)
    found["weights"] = torch.cat([whole(p).reshape(-1) for p in model.parameters()])
    for group in optimizer.param_groups:
        group["lr"] = 1e308
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(20):
            watch.step(step(model, optimizer, mine))
            clock.now += 0.1
    found["overflow"] = {str(each.message).split(". ")[-1] for each in heard}
    plain = shard(Scaled().double())
    optimizer = adamw(plain)
    for _ in range(STEPS):
        step(plain, optimizer, mine)
    found["without"] = torch.cat([whole(p).reshape(-1) for p in plain.parameters()])
    return found


@pytest.mark.slow
def test_what_fails_in_one_process_fails_in_both_and_stops_neither(tmp_path):
    first, second = in_two(fails_in_two, tmp_path)
    assert first["refused"] == 3 * [
        "what all processes read together: it failed in another one of them. "
        "See what that one says, and call the watch in every process at every step."
    ]
    empty, lone, short = second["refused"]
    assert empty.startswith("a probe batch without samples: ")
    assert lone.startswith("a batch of type Tensor: ")
    assert short.startswith("a probe batch with targets of shape (5,): ")
    without = "edgewise.Watch goes on without the critical sharpness. "
    both = without + "LookupError: in every process."
    assert first["warnings"] == [
        without
        + "what all processes read together: it failed in another one of them. See what that one says, and "
        "call the watch in every process at every step.",
        both,
    ]
    assert second["warnings"] == [without + "KeyError: 'not today'.", both]
    assert first["rows"] == second["rows"]
    steps = {row[0] for row in first["rows"] if row[1] == "critical sharpness"}
    assert min(steps) < 10
    assert max(steps) > 45
    assert first["overflow"] == second["overflow"] == {"FloatingPointError: the weights are not finite."}
    assert torch.equal(first["weights"], first["without"])
    assert torch.equal(second["weights"], second["without"])
    ((at, cause, unmeasured, text),) = first["spikes"]
    assert second["spikes"] == []
    assert (at, cause) == (50, "unknown")
    assert unmeasured == (
        "anything but losses and step sizes: the model is sharded, and a replay in the process that saw the spike "
        "would wait for the others",
    )
    assert unmeasured[0] in text
    for each in (first, second):
        assert each["point"].startswith("second derivatives of a sharded model: ")


# Numbers that processes tell each other.


def agree_in_two(rank):
    shards = Shards(shard(Scaled().double()), ())
    agreement = shards.agreement

    def outcome(numbers, fails_after):
        got = []
        try:
            with agreement.together():
                for number in range(numbers):
                    if rank == 1 and number == fails_after:
                        raise OSError("here")
                    got.append(agreement.total(number + rank))
                if rank == 1 and numbers == fails_after:
                    raise OSError("at last")
        except (OSError, ElsewhereError) as error:
            return got, type(error).__name__
        return got, ""

    return {
        "outcomes": [outcome(3, fails_after) for fails_after in (None, 0, 1, 3)],
        "in step again": agreement.mean(10.0 * rank, 1 + 2 * rank),
        "anywhere": [agreement.anywhere(rank == 1), agreement.anywhere(False)],
        "processes": agreement.processes,
        "replicas": shards.replicas,
    }


@pytest.mark.slow
def test_whoever_fails_is_not_waited_for(tmp_path):
    first, second = in_two(agree_in_two, tmp_path)
    told = [1.0, 3.0, 5.0]
    assert second["outcomes"] == [(told, ""), ([], "OSError"), (told[:1], "OSError"), (told, "OSError")]
    elsewhere = "ElsewhereError"
    assert first["outcomes"] == [(told, ""), ([], elsewhere), (told[:1], elsewhere), (told, elsewhere)]
    for found in (first, second):
        assert found["in step again"] == 7.5
        assert found["anywhere"] == [True, False]
        assert found["processes"] == found["replicas"] == 2


# Other ways to shard, and to steer.


def others_in_two(rank):
    found = {}
    parallel = parallelize_module(
        Scaled(8).double(), init_device_mesh("cpu", (2,)), {"first": ColwiseParallel(), "last": RowwiseParallel()}
    )
    both = digits_like(dtype=torch.float64)
    optimizer = torch.optim.AdamW(parallel.parameters(), lr=0.02, foreach=False)
    watch = Watch(parallel, optimizer, CRITERION, both, Budget(0.5, clock := Clock().follow(parallel)))
    for _ in range(STEPS):
        watch.step(step(parallel, optimizer, both))
        clock.now += 0.1
    found["tensor parallel"] = rows_of(watch), watch._batch_size, watch._live.samples

    mine, model = half(rank), shard(Scaled().double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, CRITERION, mine, Budget(0.5, clock := Clock().follow(model)))
    scheduler = EdgeScheduler(optimizer, watch, target=0.5)
    rates = []
    for _ in range(STEPS):
        watch.step(step(model, optimizer, mine))
        clock.now += 0.1 * (1 + rank)
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    found["rates"] = rates

    model = shard(Scaled().double())
    CRITERION(model(mine[0]), mine[1]).backward()
    downhill = [-p.grad for p in model.parameters()]
    found["along"] = critical_sharpness(model, CRITERION, mine, downhill)
    for name, bad in (("whole", [whole(d) for d in downhill]), ("zero", [0 * d for d in downhill])):
        with pytest.raises(SettingError) as error:
            critical_sharpness(model, CRITERION, mine, bad)
        found[name] = str(error.value)

    compiled = torch.compile(shard(Scaled().double()), backend="eager")
    optimizer = adamw(compiled)
    watch = Watch(compiled, optimizer, CRITERION, mine, Budget(0.5, clock := Clock().follow(compiled)))
    for _ in range(STEPS):
        watch.step(step(compiled, optimizer, mine))
        clock.now += 0.1
    found["compiled"] = rows_of(watch)
    return found


@pytest.mark.slow
def test_other_ways_to_share_a_model(tmp_path):
    first, second = in_two(others_in_two, tmp_path)
    assert first == second
    inputs, labels = digits_like(dtype=torch.float64)
    rows, batch_size, samples = first["tensor parallel"]
    assert batch_size == samples == 24  # both have the same ones
    agree(rows, read_by_one(rows, 8))
    agree(first["compiled"], read_by_one(first["compiled"]))
    for found in (rows, first["compiled"]):
        assert [row[1] for row in found].count("critical sharpness") >= 5
    model = Scaled().double()
    CRITERION(model(inputs), labels).backward()
    alone = critical_sharpness(model, CRITERION, (inputs, labels), [-p.grad for p in model.parameters()])
    assert first["along"].sharpness == pytest.approx(alone.sharpness, rel=1e-7)
    assert first["along"].passes == alone.passes
    assert first["whole"].startswith("a direction of whole tensors for a sharded model: ")
    assert first["zero"].startswith("a direction that is zero or not finite: ")
    assert len(set(first["rates"])) > 5  # the step size moves, by the same readings in both


# One process.


@pytest.fixture
def alone(tmp_path):
    """A process group of one."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def copied_everywhere():
    mesh, model = init_device_mesh("cpu", (1,)), Scaled().double()
    model.first.weight = nn.Parameter(distribute_tensor(model.first.weight.detach(), mesh, [Replicate()]))
    model.register_forward_pre_hook(lambda module, args: (distribute_tensor(args[0], mesh, [Replicate()]),))
    model.first.register_forward_hook(lambda module, args, outputs: outputs.to_local())
    for name, parameter in model.named_parameters():
        if name == "first.bias":
            model.first.bias = nn.Parameter(distribute_tensor(parameter.detach(), mesh, [Replicate()]))
    return model


@pytest.mark.parametrize(
    "make", [lambda: shard(Scaled().double(), (1,)), copied_everywhere], ids=["shard", "copy"]
)
def test_a_group_of_one(alone, make):
    model, both = make(), digits_like(dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, foreach=False)
    watch = Watch(model, optimizer, CRITERION, both, Budget(0.5, clock := Clock().follow(model)))
    for _ in range(20):
        watch.step(step(model, optimizer, both))
        clock.now += 0.1
    rows = rows_of(watch)
    assert [row[1] for row in rows].count("critical sharpness") >= 3
    agree(rows, read_by_one(rows))
    assert not watch._live.differentiable_twice
    with pytest.raises(SettingError, match=r"^second derivatives of a sharded model: .*critical sharpness"):
        watch._live.point().__enter__()


def test_lengths_of_shards(alone):
    model = shard(Scaled().double(), (1,))
    shards = Shards(model, list(model.parameters()))
    a, b = (torch.randn(70 + 3 + 1, generator=generator(0, name), dtype=torch.float64) for name in "ab")
    assert sum(local(p.detach()).numel() for p in model.parameters()) == a.numel()
    assert shards
    assert shards.dot(a, b) == pytest.approx(float(a @ b), rel=1e-12)
    assert shards.norm(a) == pytest.approx(float(a.norm()), rel=1e-12)
    assert not Shards(mlp(), list(mlp().parameters()))


def test_a_process_of_its_own_agrees_with_itself():
    agreement = Agreement()
    assert agreement.processes == 1
    assert agreement.mean(0.1, 3) == 0.1
    assert agreement.total(0.1) == 0.1
    assert [agreement.anywhere(True), agreement.anywhere(False)] == [True, False]
    assert agreement.end(1.0, 2.0) == [[1.0, 2.0]]
    with pytest.raises(OSError, match=r"^here$"), agreement.together():
        raise OSError("here")
    budget = Budget(0.1)
    timetable = Timetable(agreement, budget)
    assert timetable.budget is budget
    timetable.step()
    assert timetable.end(2, 0.5) == (2.0, 0.5)
    assert budget.training == 0.0


def test_a_timetable_goes_by_the_slowest_reader_and_the_fastest_trainer(monkeypatch):
    told = []

    def end(self, *numbers):
        told.append(round(clock.now))
        failure, seconds, training, own, usual = numbers
        # The other process trains twice as fast and took half a second more for what was read.
        return [list(numbers), [failure + 1, seconds + 0.5, training / 2, own + 0.5, usual / 2]]

    monkeypatch.setattr(Agreement, "processes", 2)
    monkeypatch.setattr(Agreement, "end", end)
    clock = Clock()
    own = Budget(0.1, clock)
    timetable = Timetable(Agreement(), own)
    for _ in range(100):
        clock.now += 1.0
        own.begin()
        timetable.step()
        own.end()
    assert told == [1, 2, 4, 8, 16, 32, 64]
    # 63 seconds by the 64th step, and 36 steps since; in the other process half of it.
    assert timetable.budget.training == pytest.approx((63 + 36) / 2)
    assert timetable.end(1, 2.0) == (2, 2.5)
    assert timetable.budget.own == 2.5
    timetable.budget.expect("norms", 2.4)
    assert timetable.budget.affords("norms")  # 4.9 of 4.95
    timetable.budget.expect("norms", 2.5)
    assert not timetable.budget.affords("norms")


def test_a_wrapper_of_one_flat_vector_is_refused(monkeypatch):
    class Flat(nn.Linear):
        """Stands for the one of PyTorch, which wants an accelerator."""

    monkeypatch.setattr("torch.distributed.fsdp.FullyShardedDataParallel", Flat)
    model = nn.Sequential(Flat(6, 3))
    with pytest.raises(
        SettingError,
        match=r"^a Sequential inside FullyShardedDataParallel: it shards one flat vector, in which no parameter "
        r"can be found\. Type torch\.distributed\.fsdp\.fully_shard\(model\), which shards each parameter\.$",
    ):
        Watch(model, adamw(model), CRITERION, digits_like())


def test_a_pytorch_that_cannot_forget_a_failed_forward_pass_is_refused(alone, monkeypatch):
    model = shard(Scaled(), (1,))
    monkeypatch.delattr(FSDPModule, "reset_iter_state")
    with pytest.raises(
        SettingError,
        match=r"^a sharded FSDPScaled with PyTorch .*: should a forward pass of a reading fail, the training "
        r"would go on with the weights of that reading\. Type pip install --upgrade torch\.$",
    ):
        Watch(model, adamw(model), CRITERION, digits_like())
