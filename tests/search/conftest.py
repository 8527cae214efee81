from __future__ import annotations

import numpy as np
import pytest

from bigfast.cpu import detect
from bigfast.measure import Deployment, Protocol, Size, summarise
from bigfast.profile import Measurement, Profile, fit_predictors, spread
from bigfast.space import Arch, BertSpace, aligned_space, linear_operations

KEY = "torch-int8:engine=x86@1"


def seconds(space: BertSpace, arch: Arch) -> float:
    """A latency as a quiet machine would have it: overheads and operations."""
    shape = space.shape(arch, vocab=100, positions=128, labels=3)
    return 5e-4 + shape.layers * 2e-4 + linear_operations(shape, length=128) / 3e11


@pytest.fixture(scope="session")
def profile() -> Profile:
    """Forty architectures of the aligned space, with made-up latencies that vary by a few per cent, fitted."""
    space = aligned_space()
    rng = np.random.default_rng(0)
    measurements = []
    for arch in spread(space.space, 40, rng=rng):
        samples = seconds(space, arch) * (1 + rng.exponential(0.02, (6, 8)))
        measurements.append(
            Measurement(
                deployment=Deployment.parse(KEY),
                version="1",
                arch=arch,
                size=Size(),
                timing=summarise(samples.tolist(), rejected=0),
                reason="",
                prepare_s=0.1,
                disagreement=0.01,
                evidence={},
            )
        )
    plain = Profile(
        machine=detect(),
        software={"torch-int8": "1"},
        protocol=Protocol(),
        space=space,
        vocab=100,
        measurements=tuple(measurements),
        noise_floor={},
        fitted={},
        seed=0,
    )
    *_, (_, found) = fit_predictors(plain, kind="analytic")
    return found
