from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from bigfast.errors import ProfileError, StorageError
from bigfast.predict import KINDS, Predictor, fit, load, save
from bigfast.predict.mlp import MlpPaper

Tables = Callable[[int, int], Any]


@pytest.fixture
def fitted(table: Tables, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Predictor]:
    """A function from a kind to a predictor of it; the network is a small one."""
    monkeypatch.setattr(MlpPaper.__init__, "__kwdefaults__", {"width": 8, "epochs": 3})
    rows = table(20, 0)
    return lambda kind: fit(rows.features, rows.seconds, kind=kind, terms="bert", rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", [*KINDS, "auto"])
def test_a_predictor_that_was_saved_predicts_the_same_numbers(
    fitted: Callable[[str], Predictor], table: Tables, tmp_path: Path, kind: str
) -> None:
    predictor, unseen = fitted(kind), table(100, 1).features

    save(predictor, tmp_path / "some" / "where")
    again = load(tmp_path / "some" / "where")

    before, after = predictor.predict(unseen), again.predict(unseen)
    np.testing.assert_array_equal(before.seconds, after.seconds, strict=True)
    np.testing.assert_array_equal(before.upper, after.upper, strict=True)
    np.testing.assert_array_equal(before.outside, after.outside, strict=True)
    assert (again.kind, again.terms, again.candidates) == (predictor.kind, predictor.terms, predictor.candidates)


def test_nothing_is_written_that_could_be_executed(fitted: Callable[[str], Predictor], tmp_path: Path) -> None:
    for kind in KINDS:
        save(fitted(kind), tmp_path / kind)

    assert {path.name for path in tmp_path.rglob("*.*")} == {
        "predictor.json",
        "trees.safetensors",
        "weights.safetensors",
    }


def test_unknown_fields_are_ignored(fitted: Callable[[str], Predictor], tmp_path: Path) -> None:
    save(fitted("analytic"), tmp_path)
    _change(tmp_path, {"comment": "hello"})

    assert load(tmp_path).kind == "analytic"


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"format": "pickle"}, "'format' must be 'bigfast.predictor'"),
    ({"schema_version": 2}, "'schema_version' must be 1"),
    ({"schema_version": True}, "'schema_version' must be 1"),
    ({"kind": "os.system"}, "'kind' must be one of"),
    ({"kind": ["analytic"]}, "'kind' must be one of"),
    ({"kind": "xgboost"}, "'candidates' must have the error of 'xgboost'"),
    ({"terms": None}, "'terms' must be one of"),
    ({"lowest": [1, 2]}, "'highest' must be a list of 2 numbers"),
    ({"lowest": []}, "'lowest' must be a list"),
    ({"lowest": [1e9] * 6}, "'lowest' must not lie above 'highest'"),
    ({"lowest": [0] * 6}, "need positive features"),
    ({"highest": "123456"}, "'highest' must be a list"),
    ({"highest": [True] * 6}, "'highest' must consist of numbers"),
    ({"highest": [10**400] * 6}, "'highest' has a number that is too large"),
    ({"residuals": [-1.0]}, "'residuals' must lie above -1"),
    ({"residuals": [[0.1]]}, "'residuals' must consist of numbers"),
    ({"candidates": {"analytic": -1}}, "'analytic' must have no number below 0"),
    ({"candidates": {"forest": 0.1}}, "'candidates' must be one of"),
    ({"candidates": [0.1]}, "'candidates' must be an object"),
    ({"mape": 0.001}, "'mape' must be the error"),
    ({"model": []}, "'model' must be an object"),
    ({"model": {}}, "'lowest' is missing"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_FIELDS)
def test_a_field_that_is_wrong_is_one_sentence_naming_the_file(
    fitted: Callable[[str], Predictor], tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    save(fitted("analytic"), tmp_path)
    _change(tmp_path, fields)

    with pytest.raises(ProfileError, match=rf"predictor\.json .*{re.escape(message)}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prices_s": [0.1]}, "'prices_s' must be a list of 26 numbers"),
        ({"prices_s": [-1] * 26}, "'prices_s' must have no number below 0"),
        ({"prices_s": [1e308] * 26}, "predicts no positive number of seconds"),
        ({"floor_s": 0}, "'floor_s' must be positive"),
        ({"highest": [1]}, "'highest' must be a list of 6 numbers"),
    ],
)
def test_a_price_that_is_wrong_is_refused(
    fitted: Callable[[str], Predictor], tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    save(fitted("analytic"), tmp_path)
    model = json.loads((tmp_path / "predictor.json").read_text())["model"]
    _change(tmp_path, {"model": model | fields})

    with pytest.raises(ProfileError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": NaN}',
        b'{"format": -Infinity}',
        b'{"format": 1' + b"0" * 5000 + b"}",
    ],
)
def test_a_file_that_is_not_json_is_one_sentence(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "predictor.json").write_bytes(text)

    with pytest.raises(ProfileError, match=r"predictor\.json"):
        load(tmp_path)


def test_json_that_ends_too_early_is_refused_wherever_it_ends(
    fitted: Callable[[str], Predictor], tmp_path: Path
) -> None:
    save(fitted("analytic"), tmp_path)
    path = tmp_path / "predictor.json"
    whole = path.read_bytes()

    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ProfileError, match="it is not JSON"):
            load(tmp_path)


@pytest.mark.parametrize("kind", ["xgboost", "xgboost-residual", "mlp-paper"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "pickle", "sparse", "pipe"])
def test_arrays_that_are_damaged_are_refused(
    fitted: Callable[[str], Predictor], tmp_path: Path, kind: str, damage: str
) -> None:
    save(fitted(kind), tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    elif damage == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif damage != "missing":
        path.write_bytes({"empty": b"", "cut": whole[:-9], "pickle": b"\x80\x04cos\nsystem\n."}[damage])

    with pytest.raises(ProfileError, match=path.name):
        load(tmp_path)


def _last_plus(array: np.ndarray, number: float) -> np.ndarray:
    changed = array.copy()
    changed.reshape(-1)[-1] += np.asarray(number, dtype=array.dtype)
    return changed


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("xgboost", lambda a: {"left": np.zeros_like(a["left"])}, "must end after at most 16 questions"),
        ("xgboost", lambda a: {"right": _last_plus(a["right"], 1)}, "'right' must have numbers from 0 to"),
        ("xgboost", lambda a: {"roots": _last_plus(a["roots"], -(10**6))}, "'roots' must have numbers from 0 to"),
        ("xgboost", lambda a: {"roots": a["roots"][:0]}, "'roots' must be int32 of shape"),
        ("xgboost", lambda a: {"column": a["column"] + 6}, "'column' must have numbers from 0 to 5"),
        ("xgboost", lambda a: {"value": _last_plus(a["value"], np.inf)}, "not finite"),
        ("xgboost", lambda a: {"base": a["base"].astype(np.float64)}, "'base' must be float32"),
        ("xgboost", lambda a: {"more": a["base"]}, "it must hold the arrays"),
        ("xgboost", lambda a: {"roots": np.repeat(a["roots"], 9)}, "at most 5,000 trees, not 5,400"),
        ("mlp-paper", lambda a: {"weight1": a["weight1"].ravel()}, r"'weight1' must be float32 of shape \(8, 8\)"),
        ("mlp-paper", lambda a: {"bias2": _last_plus(a["bias2"], np.nan)}, "'bias2' must be float32 .* beyond 10,000"),
        ("mlp-paper", lambda a: {"bias0": a["bias0"].astype(np.float16)}, "'bias0' must be float32 of shape"),
        ("mlp-paper", lambda a: {"weight0": a["weight0"] * np.float32(1e38)}, "no number beyond 10,000"),
    ],
)
def test_arrays_that_would_mislead_are_refused(
    fitted: Callable[[str], Predictor],
    tmp_path: Path,
    kind: str,
    change: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]],
    message: str,
) -> None:
    """XGBoost's own reader ends the process on some of these, or walks in a circle for ever."""
    save(fitted(kind), tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(arrays | change(arrays)))

    with pytest.raises(ProfileError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["xgboost-residual", "mlp-paper"])
def test_no_byte_that_is_wrong_does_worse_than_a_sentence(
    fitted: Callable[[str], Predictor], table: Tables, tmp_path: Path, kind: str
) -> None:
    save(fitted(kind), tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    whole, rng, rows = path.read_bytes(), np.random.default_rng(0), table(20, 0).features

    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole) if rng.random() < 0.5 else 600))] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            prediction = load(tmp_path).predict(rows)
        except ProfileError as error:
            assert "\n" not in str(error)
        else:
            assert (prediction.seconds > 0).all()


def test_a_place_that_cannot_be_written_to_is_a_storage_error(
    fitted: Callable[[str], Predictor], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageError, match="cannot be written"):
        save(fitted("analytic"), tmp_path / "file")


def _change(directory: Path, fields: Mapping[str, Any]) -> None:
    path = directory / "predictor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
