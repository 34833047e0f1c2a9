"""The callback for the Trainer of transformers, in the Trainer, with a GPT-2 of two thousand parameters."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgewise.watch import Watch, WatchWarning
from reference.watched import plenty

ROOT = Path(__file__).parents[2]
STEPS = 6

# PyTorch's loader pins memory by default in the Trainer, and says that there is no accelerator to pin it for.
pytestmark = pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plenty(monkeypatch)  # what can be read does not depend on the machine
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


def gpt() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    )


def tokens(rows: int = 64) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{"input_ids": row, "labels": row} for row in torch.randint(16, (rows, 8), generator=generator)]


def train(
    callbacks: list[Any], model: Any = None, dataset: Any = None, resume: str | None = None, **options: Any
) -> Any:
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        **{
            "output_dir": "out",
            "max_steps": STEPS,
            "per_device_train_batch_size": 4,
            "learning_rate": 1e-2,
            "report_to": "none",
            "logging_steps": 2,
            "save_strategy": "no",
            "use_cpu": True,
            "disable_tqdm": True,
            **options,
        }
    )
    trainer = Trainer(model or gpt(), arguments, train_dataset=dataset or tokens(), callbacks=callbacks)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def everything(trainer: Any) -> list[Any]:
    """Parameters, the optimiser's state and all generators."""
    state = trainer.optimizer.state_dict()["state"]
    return [
        *trainer.model.state_dict().values(),
        *(value for entry in state.values() for value in entry.values()),
        torch.get_rng_state(),
        torch.from_numpy(np.random.get_state()[1].astype(np.int64)),  # noqa: NPY002  # the global one
    ]


def same(one: list[Any], two: list[Any]) -> bool:
    return len(one) == len(two) and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def watching(**options: Any) -> Any:
    from edgewise.watch.transformers import WatchCallback

    return WatchCallback(**{"budget": 1.0, **options})


@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}, {"bf16": True}])
def test_the_training_is_bitwise_what_it_was(options: dict[str, Any]) -> None:
    alone = train([], **options)
    left = everything(alone)
    callback = watching()
    watched = train([callback], **options)
    assert len(callback.watch.readings) > 2
    assert same(left, everything(watched))
    losses = [[entry["loss"] for entry in run.state.log_history if "loss" in entry] for run in (alone, watched)]
    assert losses[0] == losses[1]
    assert not watched.model._forward_hooks
    assert not watched.model._forward_pre_hooks


@pytest.mark.parametrize("accumulate", [1, 3])
def test_steps_and_losses_are_those_of_the_trainer(accumulate: int) -> None:
    callback = watching()
    trainer = train([callback], gradient_accumulation_steps=accumulate, logging_steps=1)
    assert callback.watch.steps == trainer.state.global_step == STEPS
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    np.testing.assert_allclose(callback.watch.losses.loss, logged, rtol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_probe_loss_is_the_loss_that_is_trained(accumulate: int) -> None:
    """The Trainer divides by all labels, of which the first of a row is no target: a loss of 7/8 here."""
    callback = watching()
    rows = tokens(4) * 2  # every batch the same
    trainer = train(
        [callback], dataset=rows, max_steps=1, learning_rate=0.0, gradient_accumulation_steps=accumulate
    )
    alone = trainer.model.train()(
        **{"input_ids": torch.stack([r["input_ids"] for r in rows[:4]])}
        | {"labels": torch.stack([r["labels"] for r in rows[:4]])}
    )
    assert callback.watch._live.value_at() == pytest.approx(callback.watch.losses.loss[0], rel=0.05)
    assert callback.watch._live.value_at() == pytest.approx(7 / 8 * alone.loss.item(), rel=0.05)


def test_the_newest_numbers_join_the_log_of_the_trainer(capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, float] = {}
    trainer = train([watching(to=lambda step, numbers: seen.update(numbers))])
    logged: dict[str, float] = {}
    for entry in trainer.state.log_history:
        logged.update({name: value for name, value in entry.items() if name.startswith("edgewise/")})
    assert "edgewise/edge_ratio" in seen
    assert logged == seen
    assert "edgewise/edge_ratio" in capsys.readouterr().out


def test_readings_go_where_the_trainer_reports_to(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen: list[tuple[int, dict[str, float]]] = []
    train([watching(to=lambda step, numbers: seen.append((step, dict(numbers))))], report_to="tensorboard")
    found = EventAccumulator(str(tmp_path / "out" / "runs" / "edgewise")).Reload()
    for name in {name for _, numbers in seen for name in numbers}:
        written = [(event.step, event.value) for event in found.Scalars(name)]
        given = [(step, np.float32(numbers[name]).item()) for step, numbers in seen if name in numbers]
        assert written == given


def test_the_verdict_is_said_once_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    callback = watching()
    train([callback])
    out = capsys.readouterr().out
    assert out.count(f"edgewise: {callback.watch.verdict()}\n") == 1


class TestCheckpoint:
    def test_the_watch_goes_on_with_it(self, tmp_path: Path) -> None:
        first = watching()
        train([first], save_strategy="steps", save_steps=4)
        state = json.loads((tmp_path / "out" / "checkpoint-4" / "trainer_state.json").read_text())
        assert state["stateful_callbacks"]["edgewise.Watch"]
        second = watching()
        train([second], resume="out/checkpoint-4")
        assert second.watch.steps == first.watch.steps == STEPS
        assert second.watch.losses.loss[:4].tolist() == first.watch.losses.loss[:4].tolist()

    def test_one_that_was_made_without_a_watch(self) -> None:
        train([], save_strategy="steps", save_steps=4)
        callback = watching()
        train([callback], resume="out/checkpoint-4", save_strategy="steps", save_steps=1)
        assert callback.watch.steps == STEPS - 4

    def test_one_that_was_made_with_a_watch_is_good_without(self) -> None:
        train([watching()], save_strategy="epoch", max_steps=-1, num_train_epochs=1)
        resumed = train([], resume="out/checkpoint-16", max_steps=18)
        assert resumed.state.global_step == 18

    def test_resuming_is_bitwise_what_it_was(self) -> None:
        train([watching()], save_strategy="steps", save_steps=4)
        alone = everything(train([], resume="out/checkpoint-4"))
        assert same(alone, everything(train([watching()], resume="out/checkpoint-4")))


def test_a_second_training_has_a_watch_of_its_own() -> None:
    callback = watching()
    trainer = train([callback])
    first = callback.watch
    trainer.train()
    assert callback.watch is not first
    assert callback.watch.steps == first.steps == STEPS


class Silent(nn.Module):
    """Knows no loss: the Trainer computes it from the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(x)}


def test_a_model_without_a_loss_is_trained_all_the_same() -> None:
    from transformers import Trainer, TrainingArguments

    def loss_of(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs["logits"], labels)

    def run(callbacks: list[Any]) -> Any:
        torch.manual_seed(0)
        dataset = [{"x": torch.randn(4), "labels": torch.tensor(i % 2)} for i in range(16)]
        arguments = TrainingArguments(
            "out",
            max_steps=3,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        trainer = Trainer(
            Silent(), arguments, train_dataset=dataset, compute_loss_func=loss_of, callbacks=callbacks
        )
        trainer.train()
        return trainer

    alone = everything(run([]))
    callback = watching()
    with pytest.warns(WatchWarning, match="a Silent whose outputs have no loss.*Put labels into the batch"):
        assert same(alone, everything(run([callback])))
    assert callback.watch is None


def test_a_step_that_the_scaler_skipped_is_none() -> None:
    callback = watching()
    train([callback])
    companion = callback._companion
    companion.note(1.0, {"input_ids": torch.zeros(1)})
    callback.on_optimizer_step(None, None, None, optimizer=SimpleNamespace(step_was_skipped=True))
    assert companion.passes == 0
    assert callback.watch.steps == STEPS


def test_a_watch_that_fails_does_not_reach_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Watch, "state_dict", fail)
    with pytest.warns(WatchWarning, match=r"without keeping the state of the watch\. RuntimeError: on purpose"):
        trainer = train([watching()], save_strategy="steps", save_steps=STEPS)
    assert trainer.state.global_step == STEPS


def unchecked(statements: str) -> None:
    """Run in a process without the type checks of the tests; the last thing printed is whether all is well."""
    script = f"""
import os, random, sys, tempfile
sys.path[:0] = ["tests", "tests/watch"]
import pytest
import test_adapter_transformers as adapter
adapter.plenty(pytest.MonkeyPatch())
os.chdir(tempfile.mkdtemp())
{statements}
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"


@pytest.mark.slow
def test_python_s_own_generator_is_where_it_was() -> None:
    """The type checks draw from it themselves."""
    unchecked("""
states = []
for watched in (False, True):
    adapter.train([adapter.watching()] if watched else [])
    states.append(random.getstate())
print(states[0] == states[1])
""")


@pytest.mark.slow
def test_a_compiled_model_is_watched_too() -> None:
    """The type checks do not go through torch.compile."""
    unchecked("""
callback = adapter.watching()
compiled = {"torch_compile": True, "torch_compile_backend": "aot_eager"}
left = [adapter.everything(adapter.train(callbacks, **compiled)) for callbacks in ([], [callback])]
print(adapter.same(*left) and callback.watch.steps == adapter.STEPS and len(callback.watch.readings) > 2)
""")
