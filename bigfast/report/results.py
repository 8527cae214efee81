"""What a run found, as sentences and rows: one result for each limit, one row for each backend."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bigfast.errors import InputError
from bigfast.measure import Deployment
from bigfast.profile import Profile
from bigfast.report.documents import LimitFound, ModelDocument
from bigfast.report.pairings import Pairing, fp32_key
from bigfast.report.run_directory import Model, Run
from bigfast.report.units import interval, limit, mib, ms, percent, plain
from bigfast.space import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one limit led to.

    Attributes:
        limit: In words; a dash for a model without one.
        arch: The winner; empty where there is none yet.
        headline: What was found, in half a sentence.
        details: The rest of it.
        holds: Whether its measured latency keeps the limit; None where that was not measured.
        model: What was exported; None where nothing was.
    """

    limit: str
    arch: str
    headline: str
    details: str
    holds: bool | None
    model: Model | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRow:
    """One key of a profile, in words."""

    key: str
    measured: str
    median: str
    noise_floor: str
    predictor: str
    unseen: str


def results(run: Run) -> tuple[Result, ...]:
    """One for each limit of the search; where there is no search yet, one for each exported model."""
    if run.search is None:
        return tuple(_exported(run, model) for model in run.models)
    return tuple(_result(run, found) for found in run.search.limits)


def _result(run: Run, found: LimitFound) -> Result:
    model = run.model_for(found)
    if model is not None:
        return _exported(run, model)
    measured = next((m for m in found.measured if m.arch == found.winner), None)
    headline, details = "nothing found yet", ""
    if found.winner and measured and run.search:
        headline = f"{percent(measured.accuracy)} on {run.search.rows:,} validation rows"
        details = _sentence(
            f"before post-training; median {ms(measured.p50_s)} {interval(measured.p50_low_s, measured.p50_high_s)}",
            _in_float32(run, found.winner),
        )
    return Result(
        limit=limit(found.limit_s),
        arch=found.winner or "",
        headline=headline,
        details=details,
        holds=measured.within if measured else None,
        model=None,
    )


def _exported(run: Run, model: Model) -> Result:
    document = model.document
    latency = document.latency
    return Result(
        limit="-" if document.limit_ms is None else limit(document.limit_ms / 1e3),
        arch=document.arch,
        headline=_accuracy(document),
        details=_sentence(
            f"median {ms(latency.p50_s)} {interval(latency.p50_low_s, latency.p50_high_s)}"
            if latency
            else "its latency was not measured",
            _in_float32(run, document.arch),
        ),
        holds=latency.holds if latency else None,
        model=model,
    )


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _accuracy(document: ModelDocument) -> str:
    accuracy = document.accuracy
    if accuracy.dev is not None:
        rows = f"{accuracy.dev_n:,} " if accuracy.dev_n else ""
        return f"{percent(accuracy.dev)} on {rows}development rows"
    rows = f"{accuracy.n:,} " if accuracy.n else ""
    return f"{percent(accuracy.int8)} on {rows}validation rows"


def _in_float32(run: Run, arch: str) -> str:
    """What the same architecture takes in float32 on the same runtime; empty where nobody knows."""
    key = run.search.key if run.search else next((m.document.backend for m in run.models), "")
    profile = run.profile
    try:
        other = fp32_key(profile, Deployment.parse(key)) if profile else None
        if profile is None or other is None:
            return ""
        parsed = Arch.parse(arch)
        found = next((m.timing for m in profile.of(other, profile.sizes[0]) if m.arch == parsed), None)
        if found is not None:
            return f"in float32 it takes {ms(found.p50_s)} on {plain(other)}"
        predicted_s = float(profile.predict_p50(other, [parsed]).seconds[0])
        return f"in float32 it would take about {ms(predicted_s)} on {plain(other)}"
    except InputError:  # an architecture of another space, or a key without a predictor
        return ""


def size_of(document: ModelDocument) -> str:
    """What must be shipped: the deployment backend's artefact, or the stock directory where it has none."""
    artefacts = document.artefacts.get(document.backend, ())
    stock = [name for name in document.bytes if "/" not in name]
    counts = [document.bytes[name] for name in artefacts or stock if name in document.bytes]
    return mib(sum(counts)) if counts else "-"


def snippet(model: Model) -> str:
    """The lines that load a model on the runtime that it was searched for."""
    document = model.document
    onnx = next((name for name in document.artefacts.get(document.backend, ()) if name.endswith(".onnx")), None)
    if onnx is not None:
        return f'import onnxruntime\nsession = onnxruntime.InferenceSession("{model.path}/{onnx}")'
    openvino = next((name for name in document.artefacts.get(document.backend, ()) if name.endswith(".xml")), None)
    if openvino is not None:
        place = f"{model.path}/{openvino.rpartition('/')[0]}"
        return (
            f'import json, openvino\nmodel = openvino.compile_model("{place}/model.xml", "CPU", '
            f'json.load(open("{place}/settings.json")))'
        )
    lines = [
        "import torch, transformers",
        f'model = transformers.AutoModelForSequenceClassification.from_pretrained("{model.path}")',
    ]
    if document.backend == "torch-int8":
        engine = document.options.get("engine")
        lines += [f'torch.backends.quantized.engine = "{engine}"'] if engine else []
        linear = "{torch.nn.Linear}"
        if document.options.get("weights") == "channel":
            linear = "{torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}"
        lines += [f"model = torch.ao.quantization.quantize_dynamic(model, {linear}, dtype=torch.qint8)"]
    return "\n".join(lines)


def gain(pairing: Pairing) -> str:
    """Does int8 pay on one runtime: one sentence."""
    speedups = pairing.speedups
    middle, low, high = float(np.median(speedups)), float(speedups.min()), float(speedups.max())
    verdict = "int8 pays" if low > 1 else "int8 does not pay" if middle <= 1 else "int8 pays, but not always"
    return (
        f"On {pairing.runtime}, {verdict}: {plain(pairing.int8_key)} is {middle:.2f} times as fast as "
        f"{plain(pairing.fp32_key)} in the median, "
        f"{low:.2f} to {high:.2f} times over {len(speedups)} architectures."
    )


def backend_rows(profile: Profile) -> tuple[BackendRow, ...]:
    """Every key of a profile, fastest first."""
    rows = []
    for key in sorted(profile.keys, key=profile.median_p50_s):
        counts = Counter(m.status for m in profile.measurements if m.key == key)
        fitted = profile.fitted.get(key)
        floor = profile.noise_floor.get(key)
        row = BackendRow(
            key=plain(key),
            measured=", ".join(
                f"{counts[status]} {status}" for status in ("ok", "unstable", "failed") if counts[status]
            ),
            median=ms(profile.median_p50_s(key)),
            noise_floor=percent(floor),
            predictor=fitted.predictor.kind if fitted else "-",
            unseen=f"{percent(fitted.unseen.mape)} ({fitted.unseen.n} rows)" if fitted else "-",
        )
        rows.append(row)
    return tuple(rows)
