from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bigfast.cpu import ISA, Machine
from bigfast.measure import Deployment, Protocol, Size, Timing
from bigfast.profile import Measurement, Profile, fit_predictors, save_profile, spread
from bigfast.space import Arch, paper_space
from bigfast.store import write_json

# Milliseconds for a million of e h (4 h + 2 f), and for each layer.
COSTS = {
    "torch-fp32:default@1": (3.4, 0.30),
    "torch-int8:engine=x86@1": (1.5, 0.55),
    "onnxruntime-fp32:default@1": (3.1, 0.15),
    "onnxruntime-int8:recipe=linear@1": (1.2, 0.20),
}


def latency_s(key: str, arch: Arch) -> float:
    price, each = COSTS[key]
    work = arch["e"] * arch["h"] * (4 * arch["h"] + 2 * arch["f"]) / 1e6
    return (price * work + each * arch["e"] + 0.2) / 1e3


def timing(p50_s: float, *, width: float = 0.02) -> Timing:
    return Timing(
        estimate_s=0.97 * p50_s,
        low_s=0.97 * p50_s,
        high_s=0.98 * p50_s,
        p50_s=p50_s,
        p50_low_s=p50_s * (1 - width),
        p50_high_s=p50_s * (1 + width),
        p90_s=None,
        p99_s=None,
        calls=60,
        blocks=6,
        rejected=0,
        unstable="",
    )


def measurement(key: str, arch: Arch, found: Timing | None) -> Measurement:
    return Measurement(
        deployment=Deployment.parse(key),
        version="1.0",
        arch=arch,
        size=Size(),
        timing=found,
        reason="" if found else "it failed",
        prepare_s=0.1,
        disagreement=0.01,
        evidence={},
    )


def a_machine() -> Machine:
    known = {"avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"}
    return Machine(
        system="Linux",
        architecture="x86_64",
        vendor="GenuineIntel",
        model="Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz",
        isa={name: name in known for name in ISA},
        microarchitecture="Ice Lake",
        physical_cores=2,
        usable_cores=2,
        caches={"l1d": 48 * 2**10, "l2": 1280 * 2**10, "l3": 48 * 2**20},
        memory_bytes=16 * 2**30,
        hypervisor="KVM",
    )


def a_profile(*, count: int = 40) -> Profile:
    rng = np.random.default_rng(0)
    archs = spread(paper_space().space, count, rng=rng)
    profile = Profile(
        machine=a_machine(),
        software={"torch": "2.9.0", "onnxruntime": "1.23.0", "python": "3.11.7"},
        protocol=Protocol(),
        space=paper_space(),
        vocab=1000,
        measurements=tuple(
            measurement(key, arch, timing(latency_s(key, arch) * float(rng.lognormal(0, 0.04))))
            for key in COSTS
            for arch in archs
        ),
        noise_floor=dict.fromkeys(COSTS, 0.012),
        fitted={},
        seed=0,
    )
    for _, profile in fit_predictors(profile, kind="analytic"):  # noqa: B007, B020  # the last one has all
        pass
    return profile


def a_search(profile: Profile, key: str, limits_s: tuple[float, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    space = profile.space.space
    rows = space.enumerate()
    predicted = profile.predict_p50(key, [space.arch(row) for row in rows])
    limits = []
    for limit_s in limits_s:
        feasible = np.flatnonzero(predicted.upper <= limit_s)
        near = feasible[np.argsort(-predicted.seconds[feasible])]
        evaluations = []
        for number in range(60):
            pick = int(near[int(rng.integers(0, max(1, len(near) // (1 + number // 10))))])
            share = 0.8 - 0.22 * np.exp(-predicted.seconds[pick] / 0.004) + rng.normal(0, 0.008)
            evaluation = {
                "arch": str(space.arch(rows[pick])),
                "accuracy": None if number == 17 else round(float(share), 4),
                "predicted_s": float(predicted.seconds[pick]),
                "upper_s": float(predicted.upper[pick]),
            }
            evaluations.append(evaluation)
        best = sorted((e for e in evaluations if e["accuracy"]), key=lambda e: -e["accuracy"])[:4]
        measured = []
        for place, e in enumerate(best):
            p50_s = e["predicted_s"] * (1.09, 0.98, 1.01, 0.97)[place]
            low_s, high_s = 0.985 * p50_s, 1.02 * p50_s
            measured.append(
                {
                    "arch": e["arch"],
                    "accuracy": e["accuracy"],
                    "p50_s": p50_s,
                    "p50_low_s": low_s,
                    "p50_high_s": high_s,
                    "within": high_s <= limit_s,
                }
            )
        limits.append(
            {
                "limit_s": limit_s,
                "feasible": len(feasible),
                "total": len(rows),
                "binds": len(feasible) < len(rows),
                "evaluations": evaluations,
                "measured": measured,
                "winner": next(m["arch"] for m in measured if m["within"]),
            }
        )
    return {
        "key": key,
        "rows": 2000,
        "largest": {"arch": str(space.largest), "accuracy": 0.793},
        "smallest": {"arch": str(space.smallest), "accuracy": 0.548},
        "limits": limits,
    }


def a_model(found: dict[str, Any]) -> dict[str, Any]:
    winner = next(m for m in found["measured"] if m["arch"] == found["winner"])
    artefacts = {"onnxruntime-int8": ["onnxruntime-int8/model.onnx"]}
    return {
        "format": "bigfast.model",
        "schema_version": 1,
        "backend": "torch-int8",
        "options": {"engine": "x86"},
        "variant": "engine=x86",
        "threads": 1,
        "artefacts": artefacts,
        "arch": found["winner"],
        "heads": 12,
        "parameters": 6_213_123,
        "limit_ms": found["limit_s"] * 1e3,
        "data": "synthetic",
        "teacher": "trained here",
        "machine": {"model": a_machine().model, "fingerprint": a_machine().fingerprint},
        "protocol": {"batch": 1, "length": 128},
        "accuracy": {
            "n": 2000,
            "float32": winner["accuracy"] + 0.021,
            "before": winner["accuracy"],
            "int8": winner["accuracy"] + 0.018,
            "dev": winner["accuracy"] + 0.012,
            "dev_n": 3000,
        },
        "latency": {
            "limit_s": found["limit_s"],
            "holds": True,
            "p50_s": winner["p50_s"],
            "p50_low_s": winner["p50_low_s"],
            "p50_high_s": winner["p50_high_s"],
            "p90_s": None,
            "calls": 4000,
            "blocks": 60,
            "rejected": 0,
            "verdict": "ok",
            "processes": 3,
        },
        "bytes": {"model.safetensors": 24_852_492, "onnxruntime-int8/model.onnx": 9_213_000},
    }


def write_run(directory: Path, **config: object) -> Path:
    asked = {"data": "synthetic", "teacher": None, "space": "paper", "backend": "torch-int8", "backends": [],
             "latency_ms": [], "length": 128, "threads": 1, "batch": 1, "minutes": 8.0, "seed": 0}  # fmt: skip
    write_json(
        directory / "run.json",
        {
            "format": "bigfast.run",
            "schema_version": 1,
            "config": {**asked, **config},
            "machine": a_machine().to_json(),
        },
    )
    return directory


def fill_run(directory: Path, profile: Profile, *, limits_s: tuple[float, ...] = (0.003, 0.0061)) -> Path:
    """A finished run."""
    write_run(directory)
    write_json(
        directory / "task.json",
        {
            "data": "synthetic",
            "labels": ["entailment", "neutral", "contradiction"],
            "train": 20000,
            "validation": 2000,
            "unlabelled": None,
            "length": 31,
            "teacher": "trained in this run: 4 layers, hidden size 192",
            "teacher_accuracy": 0.812,
            "notes": ["3 rows were empty and left out."],
        },
    )
    save_profile(profile, directory / "profile")
    (directory / "supermodel").mkdir()
    search = a_search(profile, "torch-int8:engine=x86@1", limits_s)
    write_json(directory / "search.json", search)
    for number, found in enumerate(search["limits"]):
        write_json(directory / "models" / f"limit-{number}" / "bigfast.json", a_model(found))
    write_json(
        directory / "stages.json",
        {
            "stages": [
                {"name": "data and teacher", "budget_s": 105.6, "took_s": 98.2},
                {"name": "profile", "budget_s": 105.6, "took_s": 112.4},
                {"name": "supermodel", "budget_s": 105.6, "took_s": 104.0},
                {"name": "search", "budget_s": 62.4, "took_s": 51.7},
                {"name": "post-training", "budget_s": 48.0, "took_s": 47.1},
                {"name": "promise and export", "budget_s": 24.0, "took_s": 22.9},
            ]
        },
    )
    return directory


@pytest.fixture(scope="session")
def profile() -> Profile:
    return a_profile()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Path:
    """The directory of a finished run, to read only."""
    return fill_run(tmp_path_factory.mktemp("runs") / "finished", profile)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The directory of a finished run of one's own."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The directory of a run that has only begun."""
    return write_run(tmp_path / "begun")


@pytest.fixture
def change() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Edits a JSON file in place."""

    def edit_file(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
        document = json.loads(path.read_text())
        edit(document)
        path.write_text(json.dumps(document))

    return edit_file
