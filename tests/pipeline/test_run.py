"""The whole way on a tiny task, once, and what must be true of what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from bigfast.backend import Weights, read_stock
from bigfast.backend.stock import save_stock
from bigfast.cpu import detect
from bigfast.data import accuracy, encode
from bigfast.errors import DataError, Infeasible, InputError
from bigfast.pipeline.config import RunConfig, checked_config
from bigfast.pipeline.run import run
from bigfast.search.evaluation import session_logits
from bigfast.space import BertShape
from bigfast_backends.onnx_runtime import OnnxRuntimeInt8

WIDE_MS = 50.0  # every tiny model answers within it, so that no noise decides


@dataclass
class Kept:
    """Keeps what a run tells."""

    said: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, done: float, total: float, text: str) -> None:
        self.seen.append(text.partition(":")[0])


def config_of(tiny: Any, **more: Any) -> RunConfig:
    values = {
        "data": str(tiny.data),
        "teacher": str(tiny.teacher),
        "backends": ("onnxruntime-int8", "onnxruntime-fp32"),
        "latency_ms": (WIDE_MS,),
        "architectures": 12,
        "minutes": 0.1,
        "generations": 2,
        "population": 3,
    }
    return checked_config({**values, **more}, source="the test")


@pytest.fixture(scope="module")
def finished(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's directory, from a run that was interrupted twice on its way."""
    root = tmp_path_factory.mktemp("runs") / "tiny"

    class Impatient(Kept):
        def __init__(self, word: str) -> None:
            super().__init__()
            self._word = word

        def progress(self, done: float, total: float, text: str) -> None:
            if self._word in text and done > total / 2:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bigfast.measure.run.MACHINE_LOCK", root.parent / "measuring.lock")
        for word in ("architectures", "best so far"):
            with pytest.raises(KeyboardInterrupt):
                run(config_of(tiny), root, machine=detect(), teller=Impatient(word))
        run(config_of(tiny), root, machine=detect(), teller=Kept())
    return root


@pytest.fixture
def model(finished: Path) -> Path:
    return finished / "models" / f"{WIDE_MS:.3g}ms"


def about(model: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((model / "bigfast.json").read_text())
    return found


def test_an_interrupted_run_goes_on_to_its_report(finished: Path) -> None:
    assert (finished / "report.html").stat().st_size > 10_000


def test_a_finished_run_is_not_repeated(finished: Path, tiny: Any) -> None:
    kept = Kept()

    run(config_of(tiny), finished, machine=detect(), teller=kept)

    assert kept.seen == []


def test_the_budget_of_every_stage_is_told_first(finished: Path, tiny: Any) -> None:
    kept = Kept()

    run(config_of(tiny), finished, machine=detect(), teller=kept)

    assert [line.split("  ")[1].strip() for line in kept.said[1:8]] == [
        "data and teacher", "profile", "predictors", "supermodel", "search", "post-training", "promise and export",
    ]  # fmt: skip
    assert all("s   about" in line and "MiB" in line for line in kept.said[1:8])


def test_stock_transformers_loads_the_exported_model(model: Path) -> None:
    loaded = AutoModelForSequenceClassification.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)

    with torch.inference_mode():
        logits = loaded(**tokenizer("a dog is walking", "an animal is walking", return_tensors="pt")).logits

    assert logits.shape == (1, 3)
    assert [loaded.config.id2label[i] for i in range(3)] == ["entailment", "neutral", "contradiction"]


def test_stock_onnxruntime_gives_the_logits_that_were_evaluated(model: Path, tiny: Any) -> None:
    """The file that is deployed, row by row, against the session that the search and the card judged with."""
    rows = tiny.task.validation
    encoded = encode(AutoTokenizer.from_pretrained(model), rows, max_length=64)
    machine = detect()
    session = OnnxRuntimeInt8().prepare(
        read_stock(model).weights, machine=machine, threads=1, options={"recipe": "linear"}
    )
    evaluated = np.concatenate(
        [
            session.run(ids[None], np.ones_like(ids[None]), types[None])
            for ids, types in zip(encoded.ids, encoded.types, strict=True)
        ]
    )

    stock = onnxruntime.InferenceSession(str(model / "onnxruntime-int8" / "model.onnx"))
    deployed = np.concatenate(
        [
            stock.run(
                ["logits"],
                {"input_ids": ids[None], "attention_mask": np.ones_like(ids[None]), "token_type_ids": types[None]},
            )[0]
            for ids, types in zip(encoded.ids, encoded.types, strict=True)
        ]
    )

    assert np.array_equal(deployed, evaluated)


def test_the_card_states_the_accuracy_that_the_exported_file_has(model: Path, tiny: Any) -> None:
    encoded = encode(AutoTokenizer.from_pretrained(model), tiny.task.validation, max_length=64)
    machine = detect()
    session = OnnxRuntimeInt8().prepare(
        read_stock(model).weights, machine=machine, threads=machine.usable_cores or 1, options={"recipe": "linear"}
    )

    assert about(model)["accuracy"]["int8"] == accuracy(session_logits(session, encoded), encoded.labels).share


def test_the_promise_is_measured_over_fresh_processes(model: Path) -> None:
    latency = about(model)["latency"]

    assert latency["processes"] == 3
    assert latency["blocks"] >= 3
    assert latency["p50_low_s"] <= latency["p50_s"] <= latency["p50_high_s"] <= WIDE_MS / 1e3


def test_nothing_in_an_exported_model_is_a_pickle(model: Path) -> None:
    assert {file.suffix for file in model.rglob("*") if file.is_file()} == {".json", ".md", ".onnx", ".safetensors"}


def test_no_card_tells_a_path_of_this_machine(model: Path, tiny: Any) -> None:
    text = (model / "README.md").read_text() + (model / "bigfast.json").read_text()

    assert str(tiny.teacher.parent) not in text


def test_the_directory_of_another_run_is_refused_and_untouched(finished: Path, tiny: Any) -> None:
    before = (finished / "run.json").read_text()

    with pytest.raises(InputError, match=r"another run, with seed = 0 and not 1.*--out"):
        run(config_of(tiny, seed=1), finished, machine=detect(), teller=Kept())

    assert (finished / "run.json").read_text() == before


def test_a_mistake_in_what_was_asked_may_be_mended_in_the_same_directory(tiny: Any, tmp_path: Path) -> None:
    """A run that ended before it had made anything leaves nothing that the next would be another run of."""
    for data in ("no-such-directory", "neither-this"):
        with pytest.raises(DataError):
            run(config_of(tiny, data=data), tmp_path / "run", machine=detect(), teller=Kept())


def test_more_threads_than_cores_are_refused_before_anything_is_made(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="use --threads"):
        run(config_of(tiny, threads=4096), tmp_path / "run", machine=detect(), teller=Kept())

    assert not (tmp_path / "run").exists()


def test_a_directory_with_other_files_is_refused_and_untouched(tmp_path: Path, tiny: Any) -> None:
    (tmp_path / "thesis.txt").write_text("precious")

    with pytest.raises(InputError, match="no run of bigfast"):
        run(config_of(tiny), tmp_path, machine=detect(), teller=Kept())

    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_infeasible_limit_ends_before_training_with_the_fastest_architecture(
    finished: Path, tiny: Any, tmp_path: Path
) -> None:
    kept = Kept()
    config = config_of(tiny, profile=str(finished / "profile"), latency_ms=(0.0001,))

    with pytest.raises(Infeasible, match=r"the fastest is e=\d h=\d+ f=\d+, predicted at [\d.]+ ms"):
        run(config, tmp_path / "run", machine=detect(), teller=kept)

    assert "supermodel" not in kept.seen


def test_data_that_changed_under_a_run_are_noticed(finished: Path, tiny: Any) -> None:
    train = tiny.data / "train.tsv"
    before = train.read_text()
    train.write_text(before.replace("dog", "cat", 1))
    try:
        with pytest.raises(InputError, match="has changed since"):
            run(config_of(tiny), finished, machine=detect(), teller=Kept())
    finally:
        train.write_text(before)


def test_single_sentences_of_four_classes_go_the_same_way(
    finished: Path, tiny: Any, tmp_path: Path, own_lock: None
) -> None:
    """Another shape of task, in jsonl with names of its own, on a saved profile of the same space."""
    words = ("dog", "cat", "bird", "fish")
    for name, count in (("train", 80), ("validation", 24), ("unlabelled", 10)):
        lines = [json.dumps({"body": f"ann is a {words[i % 4]} {i}", "kind": words[i % 4]}) for i in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(tiny.teacher)
    shape = BertShape(layers=2, hidden=64, ffn=256, heads=4, vocab=len(tokenizer), positions=64, labels=4)
    save_stock(Weights.random(shape, seed=6), words, tmp_path / "teacher")
    tokenizer.save_pretrained(tmp_path / "teacher")
    asked = {"data": str(tmp_path), "teacher": str(tmp_path / "teacher"), "profile": str(finished / "profile")}

    outcome = run(
        config_of(tiny, **asked, text_columns=("body",), label_column="kind", backend="onnxruntime-int8"),
        tmp_path / "run",
        machine=detect(),
        teller=Kept(),
    )

    (found,) = outcome.models.values()
    assert found["accuracy"]["n"] == 24
    assert found["accuracy"]["dev"] is None
    assert read_stock(tmp_path / "run" / "models" / f"{WIDE_MS:.3g}ms").labels == words
