import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from edgewise.records import RecordWriter, Series

LOSS, TOP = Series("loss", units="nats", long_name="training loss"), Series("sharpness", ("rank",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def run(root: Path) -> Path:
    """A small finished run: 10 rows, an event, checkpoints before steps 4 and 8."""
    import torch

    with RecordWriter.create(root, "small", {"seed": 3}) as writer:
        writer.declare(LOSS, TOP)
        for step in range(10):
            if step in (4, 8):
                writer.checkpoint(step, {"w": torch.full((1000,), float(step))}, f'{{"at": {step}}}')
            writer.append("gd", step, {"loss": 1 / (step + 1), "sharpness": [step + 0.5, step + 0.25]})
        writer.event(9, "gd", "goal", "the loss is small")
    return writer.path


def _mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with one megabyte on it."""
    place = tmp_path / "disk"
    place.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)):
        pytest.skip("mounting a small disk needs privileges that this machine does not give")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def read_only() -> Callable[[Path], AbstractContextManager[None]]:
    """A context inside which nothing below a folder can be changed, not even by root."""

    @contextmanager
    def closed(folder: Path) -> Iterator[None]:
        if os.geteuid() != 0:
            places = [folder, *(p for p in folder.rglob("*") if p.is_dir())]
            for place in places:
                place.chmod(0o555)
            try:
                yield
            finally:
                for place in places:
                    place.chmod(0o755)
        elif _mount("--bind", str(folder), str(folder)):
            try:
                if not _mount("-o", "remount,ro,bind", str(folder)):
                    pytest.skip("this machine does not let root mount a folder read-only")
                yield
            finally:
                subprocess.run(["umount", "-l", str(folder)], check=True)
        else:
            pytest.skip("root ignores permissions, and this machine does not let it mount anything")

    return closed


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """A context inside which no file can grow beyond some bytes: a quota, as the kernel enforces it."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
