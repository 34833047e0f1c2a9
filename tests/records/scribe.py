"""Writes runs in processes that somebody else kills.

Reads lines `root progress seed pace` from standard input; for each, forks a process that writes the newest run
below `root` (or starts one) until it is killed, and prints its id. The process notes each row and each
checkpoint it has handed over in the file `progress`, which a kill does not harm: step, time, kind.
"""

import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

import torch

from edgewise.records import RecordWriter, Series, list_records

NOTE = struct.Struct("<qdq")
ROW, CHECKPOINT = 0, 1
CHECKPOINT_EVERY = 40


def write(root: str, progress: str, seed: int, pace: float) -> None:
    notes = os.open(progress, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    chance = random.Random(seed)
    Path(root).mkdir(parents=True, exist_ok=True)
    runs = list_records(root).records
    if runs and runs[-1].checkpoints():
        start = runs[-1].checkpoint().step
        writer = RecordWriter.reopen(runs[-1].path, start)
    elif runs:
        start = 0
        writer = RecordWriter.reopen(runs[-1].path, 0)
    else:
        start = 0
        writer = RecordWriter.create(root, "killed", {"seed": seed})
    writer.declare(Series("loss"), Series("sharpness", ("rank",)))
    for step in range(start, 10**9):
        if step % CHECKPOINT_EVERY == 0:
            writer.checkpoint(step, {"w": torch.full((5000,), float(step))}, str(step))
            os.write(notes, NOTE.pack(step, time.monotonic(), CHECKPOINT))
        writer.append("gd", step, {"loss": 1.0 / (step + 1), "sharpness": [step + 0.5] * (1 + step % 3)})
        os.write(notes, NOTE.pack(step, time.monotonic(), ROW))
        # Now and then a step takes longer than what a kill may cost, so that rows wait with none to follow.
        if chance.random() < 0.004:
            time.sleep(1.5)
        elif pace:
            time.sleep(chance.random() * pace)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    torch.set_num_threads(1)
    for line in sys.stdin:
        root, progress, seed, pace = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            try:
                write(root, progress, int(seed), float(pace))
            finally:
                sys.excepthook(*sys.exc_info())  # reached only if writing failed
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
