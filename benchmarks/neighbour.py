"""A neighbour that keeps cores of this machine busy with products of matrices, in random bursts."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from types import TracebackType

# It runs until its input closes, so that it never outlives the benchmark.
PROGRAM = """
import random, select, sys, time
import numpy as np
left = right = np.ones((768, 768), dtype=np.float32)  # with the product beyond the second-level cache
share, burst_s, seed = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)

def ended(wait_s):
    return bool(select.select([sys.stdin], [], [], wait_s)[0])

while not ended(min(rng.expovariate(share / (burst_s * (1 - share))), 20 * burst_s)):
    end = time.monotonic() + min(rng.expovariate(1 / burst_s), 20 * burst_s)
    while time.monotonic() < end:
        left @ right
"""


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Neighbour:
    """Busy for a share of the time on each of some cores, in bursts of exponential length.

    Args:
        share: Of the time, above 0 and below 1.
        cores: How many such processes there are.
        burst_s: Mean length of a burst, seconds.
        seed: Of the bursts.
    """

    def __init__(self, *, share: float, cores: int = 1, burst_s: float = 3.0, seed: int = 0) -> None:
        seeds = random.Random(seed).sample(range(10**6), cores)
        self._arguments = [[str(share), str(burst_s), str(one)] for one in seeds]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        command = [sys.executable, "-c", PROGRAM]
        self._processes = [
            subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, env={**os.environ, **ONE_THREAD})
            for arguments in self._arguments
        ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
