from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bigfast.report.results import backend_rows, results, size_of, snippet
from bigfast.report.run_directory import read_run
from bigfast.space import Arch

Change = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def test_a_model_is_told_by_its_accuracy_on_development_rows(finished: Path) -> None:
    model = read_run(finished).models[0].document

    first = results(read_run(finished))[0]

    assert (first.limit, first.arch, first.holds) == ("3\xa0ms", model.arch, True)
    assert first.headline == f"{(model.accuracy.dev or 0) * 100:.1f}\xa0% on 3,000 development rows"


def test_a_model_is_told_with_the_latency_of_its_float32(finished: Path) -> None:
    run = read_run(finished)
    assert run.profile is not None
    arch = Arch.parse(run.models[0].document.arch)
    expected_s = run.profile.predict_p50("torch-fp32:default@1", [arch]).seconds[0]

    details = results(run)[0].details.replace("\xa0", " ")

    assert details.endswith(f"; in float32 it would take about {expected_s * 1e3:.2f} ms on torch-fp32, 1 thread")


def test_without_development_rows_the_accuracy_is_on_validation_rows(run: Path, change: Change) -> None:
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document["accuracy"].update(dev=None))

    assert results(read_run(run))[0].headline.endswith("on 2,000 validation rows")


def test_without_models_the_winners_of_the_search_are_told(run: Path) -> None:
    shutil.rmtree(run / "models")

    assert results(read_run(run))[0].details.startswith("before post-training; median")


def test_without_a_search_the_models_are_told(run: Path) -> None:
    (run / "search.json").unlink()

    assert [result.limit for result in results(read_run(run))] == ["3\xa0ms", "6.1\xa0ms"]


def test_a_limit_without_a_winner_is_told(run: Path, change: Change) -> None:
    shutil.rmtree(run / "models")
    change(run / "search.json", lambda document: document["limits"][0].update(winner=None, measured=[]))

    assert results(read_run(run))[0].headline == "nothing found yet"


def test_an_architecture_of_another_space_has_no_float32_latency(run: Path, change: Change) -> None:
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document.update(arch="e=99 h=1 f=1"))

    assert "float32" not in results(read_run(run))[0].details


def test_a_torch_model_is_quantized_after_loading(finished: Path) -> None:
    lines = snippet(read_run(finished).models[0])

    assert 'from_pretrained("models/limit-0")' in lines
    assert 'torch.backends.quantized.engine = "x86"' in lines
    assert "quantize_dynamic" in lines


def test_an_onnxruntime_model_is_run_from_its_own_file(run: Path, change: Change) -> None:
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document.update(backend="onnxruntime-int8"))

    assert 'InferenceSession("models/limit-0/onnxruntime-int8/model.onnx")' in snippet(read_run(run).models[0])


def test_the_size_is_that_of_what_the_backend_loads(finished: Path) -> None:
    torch = read_run(finished).models[0].document
    onnx = torch.model_copy(update={"backend": "onnxruntime-int8"})

    assert (size_of(torch), size_of(onnx)) == ("23.7\xa0MiB", "8.79\xa0MiB")


def test_backends_are_listed_fastest_first(finished: Path) -> None:
    profile = read_run(finished).profile

    assert profile is not None
    assert [row.key for row in backend_rows(profile)] == [
        "onnxruntime-int8:recipe=linear, 1 thread",
        "torch-int8:engine=x86, 1 thread",
        "onnxruntime-fp32, 1 thread",
        "torch-fp32, 1 thread",
    ]
