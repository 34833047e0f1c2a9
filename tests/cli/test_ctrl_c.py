"""Ctrl-C ends a run with what it has, and it can be gone on with."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import TINY, Typed, newest

# A shell may start a job in the background with SIGINT ignored, and a child inherits that.
_LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgewise.cli import main
sys.exit(main())
"""


def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path: Path, typed: Typed) -> None:
    command = ["run", *TINY, "--lr", "0.01", "--steps", "1000000"]
    process = subprocess.Popen(
        [sys.executable, "-c", _LISTENING, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 120
    while not _is_stepping(tmp_path / "runs") and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    run = newest()
    outcome = run.outcomes["gd"]
    assert outcome.kind == "interrupted"
    assert f"Interrupted at step {outcome.step}." in out
    assert "verdict  " in out
    assert f"edgewise run --resume runs/{run.path.name}" in out
    assert run.dataset["step"].values.tolist() == list(range(outcome.step + 1))

    answer = typed("run", "--resume", run.path.name, "--steps", outcome.step + 3, "--no-figure")
    assert answer.code == 0, answer.err
    assert newest().dataset.sizes["step"] == outcome.step + 4


def _is_stepping(store: Path) -> bool:
    """Whether a run has written rows: its first checkpoint lies there before its first step."""
    return any(store.glob("*/checkpoints/step-*.safetensors"))
