"""A watch in a loop of Accelerate, with its own Accelerator."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from edgewise.foundation import SettingError
from edgewise.watch.accelerate import PreparedWatch, watch_prepared
from reference.watched import plenty

ROOT = Path(__file__).parents[2]
STEPS = 6


@pytest.fixture(autouse=True)
def rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read does not depend on the machine."""
    plenty(monkeypatch)


def train(
    accumulate: int = 1, mixed_precision: str = "no", watched: bool = True, seen: Any = ()
) -> tuple[list[Any], PreparedWatch | None, list[float]]:
    """A few steps: everything that they leave behind, the watch, and the losses of the batches."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  # the generator that must be left alone
    random.seed(0)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulate, mixed_precision=mixed_precision)
    model: Any = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 4))
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(8 * STEPS * accumulate, 8), torch.randint(4, (8 * STEPS * accumulate,))
    loader: Any = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    criterion = nn.CrossEntropyLoss()
    watch = None
    if watched:
        watch = watch_prepared(accelerator, model, optimizer, criterion, (x[:16], y[:16]), budget=1.0, to=seen)
    losses = []
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = criterion(model(inputs), targets)
            losses.append(loss.item())
            accelerator.backward(loss)
            optimizer.step()
            if watch is not None:
                watch.step(loss, (inputs, targets))
            optimizer.zero_grad()
    left = [
        *model.state_dict().values(),
        *(entry["momentum_buffer"] for entry in optimizer.state_dict()["state"].values()),
        torch.get_rng_state(),
        torch.from_numpy(np.random.get_state()[1].astype(np.int64)),  # noqa: NPY002  # the global one
    ]
    return left, watch, losses


@pytest.mark.parametrize(("accumulate", "mixed_precision"), [(1, "no"), (2, "no"), (1, "bf16")])
def test_the_training_is_bitwise_what_it_was(accumulate: int, mixed_precision: str) -> None:
    alone, _, losses = train(accumulate, mixed_precision, watched=False)
    left, watch, same = train(accumulate, mixed_precision)
    assert watch is not None
    assert len(watch.watch.readings) > 2
    assert losses == same
    assert all(torch.equal(a, b) for a, b in zip(alone, left, strict=True))


def test_steps_are_those_of_the_optimiser() -> None:
    _, watch, losses = train(accumulate=3)
    assert watch is not None
    assert watch.watch.steps == STEPS
    means = np.reshape(losses, (STEPS, 3)).mean(1)
    np.testing.assert_allclose(watch.watch.losses.loss, means, rtol=1e-6)


def test_readings_go_to_the_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import Accelerator

    logged: list[tuple[int, dict[str, float]]] = []
    monkeypatch.setattr(Accelerator, "log", lambda self, values, step=None: logged.append((step, values)))
    seen: list[tuple[int, dict[str, float]]] = []
    train(seen=lambda step, numbers: seen.append((step, dict(numbers))))
    assert seen
    assert logged == seen


def test_the_verdict_is_printed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    _, watch, _ = train()
    assert watch is not None
    watch.close()
    watch.close()
    assert capsys.readouterr().out == f"edgewise: {watch.watch.verdict()}\n"


def test_it_goes_on_with_what_the_accelerator_has_stored(tmp_path: Path) -> None:
    from accelerate import Accelerator

    _, first, _ = train()
    assert first is not None
    accelerator: Accelerator = first._accelerator
    accelerator.register_for_checkpointing(first)
    accelerator.save_state(str(tmp_path / "state"))
    first.step(1.0)
    assert first.watch.steps == STEPS + 1
    accelerator.load_state(str(tmp_path / "state"))
    assert first.watch.steps == STEPS


def test_a_step_that_the_scaler_skipped_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _, watch, _ = train()
    assert watch is not None
    monkeypatch.setattr(watch._optimizer, "_is_overflow", True)
    watch.step(1.0)
    assert watch.watch.steps == STEPS
    monkeypatch.setattr(watch._optimizer, "_is_overflow", False)
    watch.step(2.0)
    assert watch.watch.steps == STEPS + 1
    assert watch.watch.losses.loss[-1] == 2.0


def test_an_optimiser_that_was_not_prepared_is_refused() -> None:
    from accelerate import Accelerator

    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = (torch.zeros(2, 2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(SettingError, match=r"Type model, optimizer = accelerator\.prepare\(model, optimizer\)"):
        watch_prepared(Accelerator(cpu=True), model, optimizer, nn.CrossEntropyLoss(), batch)


def test_bad_input_is_an_error_before_the_training() -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = nn.Linear(2, 2)
    prepared, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    batch = (torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
    with pytest.raises(SettingError, match="the model cannot be called with them"):
        watch_prepared(accelerator, prepared, optimizer, nn.CrossEntropyLoss(), batch)


@pytest.mark.slow
def test_python_s_own_generator_is_where_it_was() -> None:
    """In a process without the type checks of the tests, which draw from it themselves."""
    script = """
import random, sys
sys.path[:0] = ["tests", "tests/watch"]
import pytest
import test_adapter_accelerate as adapter
adapter.plenty(pytest.MonkeyPatch())
states = []
for watched in (False, True):
    adapter.train(watched=watched)
    states.append(random.getstate())
print(states[0] == states[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"
