"""The callback for Lightning, in Lightning: it reads, it logs, it resumes, and the training does not notice."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from edgewise.watch import Verdict, Watch, WatchWarning
from reference.watched import plenty

ROOT = Path(__file__).parents[2]

pytestmark = [
    # Six steps on one process need neither workers nor a longer interval between logs.
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    # Of Lightning itself, about PyTorch's pytree.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def lightning() -> Any:
    import lightning.pytorch

    return lightning.pytorch


@pytest.fixture(autouse=True)
def rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read does not depend on the machine."""
    plenty(monkeypatch)


def module_of(lightning: Any, *, optimizers: int = 1) -> Any:
    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 4)
            )
            self.collected: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            x, y = batch
            loss = nn.functional.cross_entropy(self(x), y)
            self.collected.append(loss.detach())  # what a watch that called this would add to
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            made = [torch.optim.AdamW(self.parameters(), lr=0.05) for _ in range(optimizers)]
            return made[0] if optimizers == 1 else made

    return Classifier()


def loader_of(batch_size: int = 8) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(48, 8, generator=generator)
    y = torch.randint(4, (48,), generator=generator)
    return DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True)


def fit(lightning: Any, folder: Path, callbacks: list[Any], *, epochs: int = 2, **options: Any) -> Any:
    ckpt_path = options.pop("ckpt_path", None)
    lightning.seed_everything(0, verbose=False)
    module = module_of(lightning)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        logger=options.pop("logger", False),
        **options,
    )
    trainer.fit(module, loader_of(), ckpt_path=ckpt_path)
    return trainer


def everything(trainer: Any) -> list[Any]:
    """Parameters, buffers, the optimiser's state, what was collected, and all generators."""
    (optimizer,) = trainer.optimizers
    state = optimizer.state_dict()["state"]
    return [
        *trainer.lightning_module.state_dict().values(),
        *(value for entry in state.values() for value in entry.values()),
        *trainer.lightning_module.collected,
        torch.get_rng_state(),
        torch.from_numpy(np.random.get_state()[1].astype(np.int64)),  # noqa: NPY002  # the global one
    ]


def watching(**options: Any) -> Any:
    from edgewise.watch.lightning import WatchCallback

    return WatchCallback(nn.functional.cross_entropy, budget=1.0, **options)


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2}, {"precision": "bf16-mixed"}])
def test_the_training_is_bitwise_what_it_was(lightning: Any, options: dict[str, Any], tmp_path: Path) -> None:
    alone = everything(fit(lightning, tmp_path, [], **options))
    callback = watching()
    watched = everything(fit(lightning, tmp_path, [callback], **options))
    assert len(callback.watch.readings) > 2
    assert len(alone) == len(watched)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))


def test_steps_are_those_of_the_optimiser(lightning: Any, tmp_path: Path) -> None:
    """12 batches in twos are 6 steps, whose loss is the mean of their batches' losses."""
    callback = watching()
    trainer = fit(lightning, tmp_path, [callback], accumulate_grad_batches=2)
    assert callback.watch.steps == trainer.global_step == 6
    losses = torch.stack(trainer.lightning_module.collected).reshape(6, 2).mean(1)
    np.testing.assert_allclose(callback.watch.losses.loss, losses.numpy(), rtol=1e-6)


def test_readings_go_to_the_loggers_of_the_trainer(lightning: Any, tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    seen: dict[int, dict[str, float]] = {}
    callback = watching(to=lambda step, numbers: seen.setdefault(step, {}).update(numbers))
    fit(lightning, tmp_path, [callback], logger=CSVLogger(tmp_path, name="", version=""), log_every_n_steps=1)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged: dict[int, dict[str, float]] = {}
    for row in rows:
        numbers = {name: float(x) for name, x in row.items() if name.startswith("edgewise/") and x}
        if numbers:
            logged.setdefault(int(row["step"]), {}).update(numbers)
    assert logged == seen
    assert any("edgewise/edge_ratio" in numbers for numbers in seen.values())
    assert any(row.get("loss") for row in rows)


def test_the_verdict_is_said_once_at_the_end(
    lightning: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    callback = watching()
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, logger.name):
            fit(lightning, tmp_path, [callback])
    finally:
        logger.removeHandler(caplog.handler)
    said = {record.getMessage() for record in caplog.records if record.getMessage().startswith("edgewise: ")}
    assert said == {f"edgewise: {callback.watch.verdict()}"}
    assert isinstance(callback.watch.verdict(), Verdict)


def test_it_goes_on_with_a_checkpoint(lightning: Any, tmp_path: Path) -> None:
    first = watching()
    trainer = fit(lightning, tmp_path, [first], epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    second = watching()
    fit(lightning, tmp_path, [second], epochs=2, ckpt_path=tmp_path / "one.ckpt")
    assert first.watch.steps == 6
    assert second.watch.steps == 12
    assert second.watch.losses.loss[:6].tolist() == first.watch.losses.loss.tolist()


def test_a_checkpoint_without_a_watch_and_a_watch_without_a_checkpoint(lightning: Any, tmp_path: Path) -> None:
    trainer = fit(lightning, tmp_path, [], epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    callback = watching()
    fit(lightning, tmp_path, [callback], epochs=2, ckpt_path=tmp_path / "one.ckpt")
    assert callback.watch.steps == 6


def test_a_second_fit_has_a_watch_of_its_own(lightning: Any, tmp_path: Path) -> None:
    callback = watching()
    fit(lightning, tmp_path, [callback], epochs=1)
    before = callback.watch
    fit(lightning, tmp_path, [callback], epochs=1)
    assert callback.watch is not before
    assert callback.watch.steps == 6


def test_what_cannot_be_watched_is_trained_all_the_same(lightning: Any, tmp_path: Path) -> None:
    from edgewise.watch.lightning import WatchCallback

    alone = everything(fit(lightning, tmp_path, []))
    callback = WatchCallback()  # forward returns scores and not a loss
    with pytest.warns(WatchWarning, match=r"The training goes on without edgewise\. a batch of type"):
        watched = everything(fit(lightning, tmp_path, [callback]))
    assert callback.watch is None
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))


def test_several_optimisers_are_refused_in_a_sentence(lightning: Any) -> None:
    from types import SimpleNamespace

    callback = watching()
    trainer = SimpleNamespace(global_step=0, optimizers=[1, 2])
    with pytest.warns(WatchWarning, match="a module with 2 optimisers: a watch reads one"):
        callback.on_train_batch_start(trainer, None, None, 0)
    callback.on_train_batch_end(trainer, None, {"loss": torch.tensor(1.0)}, None, 0)
    callback.on_train_end(trainer, None)
    assert callback.watch is None


def test_a_watch_that_fails_does_not_reach_the_trainer(
    lightning: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Watch, "verdict", fail)
    with pytest.warns(WatchWarning, match=r"goes on without a verdict\. RuntimeError: on purpose"):
        trainer = fit(lightning, tmp_path, [watching()], epochs=1)
    assert trainer.global_step == 6


@pytest.mark.slow
@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_python_s_own_generator_is_where_it_was(package: str) -> None:
    """In a process without the type checks of the tests, which draw from it themselves; with either package."""
    script = f"""
import {package} as lightning
import random, sys
sys.path[:0] = ["tests", "tests/watch"]
import pytest
import test_adapter_lightning as adapter
adapter.plenty(pytest.MonkeyPatch())
import tempfile
callback = adapter.watching()
states = []
for callbacks in ([], [callback]):
    adapter.fit(lightning, tempfile.gettempdir(), callbacks)
    states.append(random.getstate())
print(states[0] == states[1] and callback.watch.steps == 12)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"
