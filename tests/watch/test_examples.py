"""The examples run: each as it stands, in a folder of its own, without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
LEAVES = {
    "watch_plain_loop": "watch.csv",
    "watch_to_mlflow": "mlruns/*/*/metrics/edgewise/*",
    "watch_to_run_store": "runs/*/series.sqlite",
    "watch_to_tensorboard": "runs/*/events.out.tfevents.*",
    "watch_to_trackio": "trackio/digits.db",
    "watch_to_wandb": "wandb/offline-run-*/run-*.wandb",
    "watch_with_accelerate": "",
    "watch_with_lightning": "logs/**/metrics.csv",
    "watch_with_transformers": "checkpoints/runs/edgewise/events.out.tfevents.*",
}
# Longer than this it is no example of twenty lines.
LONGEST = 45


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs_and_leaves_what_it_promises(script: Path, tmp_path: Path) -> None:
    offline = {
        "HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "WANDB_MODE": "offline",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WatchWarning" not in done.stderr
    if pattern := LEAVES[script.stem]:
        assert list(tmp_path.glob(pattern)), sorted(tmp_path.rglob("*"))
    assert " at step " in done.stdout + done.stderr


def test_every_integration_has_one() -> None:
    assert {script.stem for script in SCRIPTS} == set(LEAVES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_is_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= LONGEST
