"""Ctrl-C: the first ends the run after the step in hand, the second acts as it did before."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import edgewise as ew
from edgewise.dynamics import Progress, Readings
from edgewise.dynamics.interrupt import listening
from reference.runs import assert_same_run, bowl

DESCENT = {"gd": ew.GradientDescent(0.1)}


class Signalling(Progress):
    """Sends signals at step 3."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.numbers = numbers

    def begin(self, step: int, steps: int) -> None:
        pass

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        for number in self.numbers if step == 3 else ():
            signal.raise_signal(number)

    def end(self) -> None:
        pass


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_with_what_it_has(number: signal.Signals) -> None:
    run = ew.evolve(DESCENT, bowl(2.0), 9, progress=Signalling(number))
    assert run.dataset.step.values.tolist() == [0, 1, 2, 3]
    assert run.outcomes["gd"].kind == "interrupted"
    assert run.outcomes["gd"].sentence == "Interrupted at step 3 of 9; run.resume() goes on from there."
    assert_same_run(run.resume(), ew.evolve(DESCENT, bowl(2.0), 9))


def test_the_second_interrupts_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ew.evolve(DESCENT, bowl(2.0), 9, store=tmp_path, progress=Signalling(signal.SIGINT, signal.SIGINT))
    run = ew.open_run(next(tmp_path.iterdir()))
    assert run.dataset.step.values.tolist() == [0, 1, 2, 3]
    assert run.record.writer is None


def test_a_signal_at_the_last_step_changes_nothing() -> None:
    run = ew.evolve(DESCENT, bowl(2.0), 3, progress=Signalling(signal.SIGINT))
    assert run.outcomes["gd"].kind == "finished"


def test_an_error_puts_the_handlers_back() -> None:
    with pytest.raises(ZeroDivisionError), listening():
        raise ZeroDivisionError


def test_a_signal_that_is_being_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening() as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert not interrupt.requested
            signal.raise_signal(signal.SIGTERM)
            assert interrupt.requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_caught() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with listening():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


SCRIPT = """
import sys, torch, edgewise as ew
torch.set_num_threads(1)
objective = ew.Objective.from_function(lambda w: (w**2).sum(), 2, start=torch.ones(2))
run = ew.evolve({"gd": ew.GradientDescent(1e-4)}, objective, 10**9, [ew.Sharpness()], store=sys.argv[1])
print(run.outcomes["gd"])
"""


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(tmp_path.glob("2*/checkpoints/step-*")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(0.3)
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert out.startswith("Interrupted at step ")
    assert out.endswith("of 1000000000; run.resume() goes on from there.\n")
    run = ew.open_run(next(tmp_path.iterdir()))
    assert run.dataset.sizes["step"] == run.outcomes["gd"].step + 1 == run.record.checkpoint().step + 1
