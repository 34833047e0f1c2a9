"""A run that was stopped, however it was stopped, and resumed is the run that was not: bit for bit."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import edgewise as ew
from edgewise.dynamics import Event, Probe, Progress, Readings
from edgewise.foundation import NounError, RecordError, SettingError
from edgewise.methods import Method
from edgewise.problems import digits_mlp
from edgewise.records import RecordWriter
from reference.runs import assert_beginning, assert_same_run, bowl, network

PROBES: list[list[Probe]] = [
    [],
    [ew.Sharpness(k=2)],
    [ew.Sharpness(above=0.3), ew.DirectionalCurvature(every=2), ew.Accuracy()],
    [ew.MidpointSharpness(k=2), ew.Projections(2)],
    [ew.MidpointSharpness(every=3), ew.Sharpness(every=2), ew.DistanceFromStart(), ew.GradientNorm()],
]
METHODS: list[dict[str, Method[Any]]] = [
    {"gd": ew.GradientDescent(0.4)},
    {"hb": ew.HeavyBall(0.05, 0.9)},
    {"gd": ew.GradientDescent(ew.Drop(0.4, 0.1, 4)), "hb": ew.HeavyBall(ew.Drop(0.05, 0.02, 6), 0.9)},
    {"calm": ew.GradientDescent(0.2), "wild": ew.GradientDescent(40.0)},
]
UNTIL: list[list[Event]] = [[ew.Diverged()], [ew.EdgeHeld(3)], [ew.LossBelow(0.3), ew.Diverged(10.0)]]
STEPS = 7


class Raising(Progress):
    """Does something at a step: a signal asks the run to stop, an exception kills it."""

    def __init__(self, step: int, what: str) -> None:
        self.step, self.what = step, what

    def begin(self, step: int, steps: int) -> None:
        pass

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        if step == self.step:
            if self.what == "interrupted":
                signal.raise_signal(signal.SIGINT)
            else:
                raise ZeroDivisionError

    def end(self) -> None:
        pass


def stopped(
    at: int,
    how: str,
    methods: Mapping[str, Method[Any]],
    probes: Sequence[Probe],
    until: Sequence[Event],
    store: str,
) -> ew.Run:
    """A run that ended, was interrupted, or died at a step."""
    objective = network(classes=True)
    if how == "ended":
        return ew.evolve(methods, objective, at, probes, until, store=store)
    seconds = 1e9 if how == "died without a checkpoint since" else 0.0
    try:
        ew.evolve(
            methods,
            objective,
            STEPS,
            probes,
            until,
            store=store,
            progress=Raising(at, how),
            checkpoint_seconds=seconds,
        )
    except ZeroDivisionError:
        assert how.startswith("died")
    return ew.open_run(next(Path(store).iterdir()))


cases = given(
    at=st.integers(0, STEPS),
    how=st.sampled_from(["ended", "interrupted", "died", "died without a checkpoint since"]),
    methods=st.sampled_from(METHODS),
    probes=st.sampled_from(PROBES),
    until=st.sampled_from(UNTIL),
)
# Examples are runs: too slow to be shrunk, and small as they are.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=8, phases=PHASES)
@cases
def test_resuming_is_the_straight_run(**case: Any) -> None:
    assert_resumed_is_straight(**case)


@pytest.mark.slow
@settings(max_examples=60, phases=PHASES)
@cases
def test_resuming_is_the_straight_run_in_many_cases(**case: Any) -> None:
    assert_resumed_is_straight(**case)


def assert_resumed_is_straight(
    at: int, how: str, methods: dict[str, Method[Any]], probes: list[Probe], until: list[Event]
) -> None:
    if any("edge_ratio" in event.reads for event in until):
        probes = probes if any(isinstance(probe, ew.Sharpness) for probe in probes) else [*probes, ew.Sharpness()]
    straight = ew.evolve(methods, network(classes=True), STEPS, probes, until)
    with tempfile.TemporaryDirectory() as store:
        run = stopped(at, how, methods, probes, until, store)
        assert_beginning(run, straight)
        assert_same_run(run.resume(STEPS, objective=network(classes=True)), straight)
        assert_same_run(run.resume(), straight)  # typing it twice is harmless


def test_a_run_is_resumed_again_and_again() -> None:
    methods, probes = METHODS[2], [ew.Sharpness(k=2), ew.MidpointSharpness()]
    run = ew.evolve(methods, network(), 2, probes)
    for steps in (3, 3, 5, 11):
        assert run.resume(steps) is run
        assert run.dataset.sizes["step"] == steps + 1
        assert run.outcomes["gd"].sentence == f"Took all {steps} steps."
    assert_same_run(run, ew.evolve(methods, network(), 11, probes))


def test_a_process_that_ended_alone_stays_ended() -> None:
    methods = {"low": ew.GradientDescent(0.1), "high": ew.GradientDescent(100.0)}
    run = ew.evolve(methods, bowl(10.0), 6)
    diverged = run.outcomes["high"]
    assert diverged.step < 6
    run.resume(9)
    assert run.outcomes["high"] == diverged
    assert run.outcomes["low"].step == 9
    assert_same_run(run, ew.evolve(methods, bowl(10.0), 9))


def test_an_interrupted_run_remembers_where_it_was_going(tmp_path: Path) -> None:
    objective = bowl(3.0, 1.0)
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, objective, 5, store=tmp_path)
    run.resume(12, progress=Raising(8, "interrupted"))
    sentence = "Interrupted at step 8 of 12; run.resume() goes on from there."
    assert run.outcomes["gd"] == ew.dynamics.Outcome("interrupted", 8, sentence)
    again = ew.open_run(run.path).resume(objective=objective)
    assert again.outcomes["gd"].sentence == "Took all 12 steps."
    assert_same_run(again, ew.evolve({"gd": ew.GradientDescent(0.1)}, objective, 12))


def test_a_damaged_checkpoint_costs_a_few_steps(tmp_path: Path) -> None:
    objective, probes = network(), [ew.Sharpness()]
    descent = {"gd": ew.GradientDescent(0.3)}
    run = ew.evolve(descent, objective, 6, probes, store=tmp_path, checkpoint_seconds=0.0)
    newest = run.path / "checkpoints" / "step-00000006.safetensors"
    content = bytearray(newest.read_bytes())
    content[-3] ^= 1
    newest.write_bytes(content)
    run.resume(8)
    (note,) = (event for event in run.record.events if event.kind == "damaged checkpoint")
    assert "its checksum does not fit its contents" in note.text
    assert_same_run(run, ew.evolve(descent, objective, 8, probes))


def test_a_run_without_a_checkpoint_starts_again(tmp_path: Path) -> None:
    objective, descent = bowl(2.0), {"gd": ew.GradientDescent(0.1)}
    straight = ew.evolve(descent, objective, 4)
    # As a process leaves it that was killed before the first row, and before it had declared any series.
    with RecordWriter.create(
        tmp_path, "killed", {k: straight.manifest[k] for k in straight.manifest if k not in _OURS}
    ):
        pass
    run = ew.open_run(next(tmp_path.iterdir()))
    assert run.outcomes == {}
    with pytest.raises(RecordError, match=r"nothing has been read yet. Type run.resume\(\)"):
        run.verdict()
    assert_same_run(run.resume(objective=objective), straight)


_OURS = ("format_version", "created")


def test_a_named_problem_is_built_again(tmp_path: Path) -> None:
    problem = digits_mlp(n=30, widths=(5,), dtype=torch.float64, chunk_size=16)
    arguments: Any = ({"gd": ew.GradientDescent(0.2)}, problem)
    run = ew.evolve(*arguments, 2, [ew.Sharpness()], store=tmp_path)
    opened = ew.open_run(str(run.path))
    assert opened.objective is None
    assert_same_run(opened.resume(5), ew.evolve(*arguments, 5, [ew.Sharpness()]))
    assert opened.objective is not None


def test_another_process_goes_on(tmp_path: Path) -> None:
    problem = digits_mlp(n=20, widths=(4,), dtype=torch.float64)
    probes = [ew.Sharpness(k=2)]
    run = ew.evolve({"gd": ew.GradientDescent(0.2)}, problem, 3, probes, store=tmp_path)
    script = f"import torch, edgewise as ew; torch.set_num_threads(1); ew.open_run({str(run.path)!r}).resume(6)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert_same_run(run, ew.evolve({"gd": ew.GradientDescent(0.2)}, problem, 6, probes))


def test_what_cannot_be_resumed_is_refused(tmp_path: Path) -> None:
    objective, descent = bowl(2.0, 1.0), {"gd": ew.GradientDescent(0.1)}
    run = ew.open_run(ew.evolve(descent, objective, 4, store=tmp_path).path)
    with pytest.raises(RecordError) as caught:
        run.resume(8)
    assert str(caught.value) == (
        f"resuming {run.path}: its objective was made by hand, which a manifest cannot hold. "
        "Make the same objective again and type run.resume(steps, objective=objective)."
    )
    with pytest.raises(SettingError) as refused:
        run.resume(3, objective=objective)
    assert str(refused.value) == (
        "steps=3: the run already has 4 steps, and steps counts from the start. "
        "Type steps=1004 for a thousand more."
    )
    for other, difference in [
        (bowl(2.0, 1.0, start=[1.0, 0.5]), "start, loss at the start"),
        (bowl(2.0, 1.1), "loss at the start"),
        (bowl(2.0, 1.0, dtype=torch.float32), "dtype, start"),
        (bowl(2.0, 1.0, 1.0), "size, start, loss at the start"),
    ]:
        with pytest.raises(
            RecordError, match=f"differs from the one the run was started with in its {difference}. "
        ):
            run.resume(8, objective=other)
    assert run.dataset.sizes["step"] == 5  # nothing was touched
    assert run.resume(8, objective=objective).dataset.sizes["step"] == 9


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        ew.open_run(tmp_path / "nothing")
    with pytest.raises(RecordError):
        ew.open_run(tmp_path)


def test_a_recipe_with_a_noun_unknown_here_can_be_read_but_not_resumed(tmp_path: Path) -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl(2.0), 2, store=tmp_path)
    manifest = json.loads((run.path / "run.json").read_text())
    manifest["recipe"]["processes"]["gd"]["noun"] = "edgewise.methods:Sophia"
    (run.path / "run.json").write_text(json.dumps(manifest))
    opened = ew.open_run(run.path)
    np.testing.assert_array_equal(opened.loss, run.loss)
    with pytest.raises(NounError, match=r"edgewise\.methods:Sophia"):
        opened.resume(3, objective=bowl(2.0))


def test_a_run_whose_recipe_is_gone_can_be_read_but_not_resumed(tmp_path: Path) -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl(2.0), 2, store=tmp_path)
    manifest = json.loads((run.path / "run.json").read_text())
    del manifest["recipe"]
    (run.path / "run.json").write_text(json.dumps(manifest))
    opened = ew.open_run(run.path)
    np.testing.assert_array_equal(opened.loss, run.loss)
    with pytest.raises(RecordError, match=r"its run\.json holds none"):
        opened.resume(3, objective=bowl(2.0))
