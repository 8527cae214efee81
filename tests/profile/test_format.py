from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bigfast.errors import ProfileError, StorageError, UnknownName
from bigfast.profile import Profile, load_profile, save_profile
from bigfast.store import sha256_of

KEY = "fake:default@1"


@pytest.fixture
def saved(profile: Profile, tmp_path: Path) -> Path:
    save_profile(profile, tmp_path / "profile", figures={"a picture": ("latency.png", b"a picture")})
    return tmp_path / "profile"


def files_of(directory: Path) -> list[str]:
    return sorted(str(f.relative_to(directory)) for f in directory.rglob("*") if f.is_file())


def sum_again(directory: Path) -> None:
    """Makes the checksums fit, as a stranger can who changes a profile on purpose."""
    names = [n for n in files_of(directory) if n not in ("SHA256SUMS", "README.md")]
    (directory / "SHA256SUMS").write_text("".join(f"{sha256_of(directory / n)}  {n}\n" for n in names))


def change_document(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((directory / "profile.json").read_text())
    change(document)
    (directory / "profile.json").write_text(json.dumps(document))
    sum_again(directory)


def test_a_profile_is_read_as_it_was_written(profile: Profile, saved: Path) -> None:
    found = load_profile(saved)

    assert replace(found, fitted={}) == replace(profile, fitted={})
    assert found.fitted.keys() == profile.fitted.keys()
    assert found.fitted[KEY].unseen == profile.fitted[KEY].unseen
    archs = list(map(profile.space.space.arch, profile.space.space.enumerate()))
    for now, before in zip(vars_of(found, archs), vars_of(profile, archs), strict=True):
        assert np.array_equal(now, before)


def vars_of(profile: Profile, archs: list[Any]) -> tuple[np.ndarray, ...]:
    found = profile.predict_p50(KEY, archs)
    return found.seconds, found.upper, found.outside


def test_failed_measurements_are_kept_with_their_reasons(measured: Profile, tmp_path: Path) -> None:
    save_profile(measured, tmp_path / "p")

    assert load_profile(tmp_path / "p") == measured


def test_the_checksums_cover_every_file_but_the_readme(saved: Path) -> None:
    named = [line.partition("  ")[2] for line in (saved / "SHA256SUMS").read_text().splitlines()]

    assert sorted([*named, "README.md", "SHA256SUMS"]) == files_of(saved)


def test_a_profile_consists_of_nothing_that_is_executed(saved: Path) -> None:
    assert {Path(name).suffix for name in files_of(saved)} <= {
        ".md", ".json", ".parquet", ".png", ".safetensors", ".ubj", "",
    }  # fmt: skip


def test_the_samples_hold_every_call_and_mark_the_warm_up(profile: Profile, saved: Path) -> None:
    table = pq.read_table(saved / "samples.parquet").to_pydict()

    assert len(table["seconds"]) == sum(len(b.warmup_s) + len(b.samples_s) for b in profile.blocks)
    assert sum(table["warmup"]) == sum(len(b.warmup_s) for b in profile.blocks)


def test_the_readme_may_be_edited(profile: Profile, saved: Path) -> None:
    (saved / "README.md").write_text("mine")

    assert load_profile(saved).measurements == profile.measurements


def test_the_readme_names_the_machine_and_the_error(profile: Profile, saved: Path) -> None:
    text = (saved / "README.md").read_text()

    assert profile.machine.model in text
    assert f"{profile.fitted[KEY].unseen.mape:.1%}" in text
    assert "latency.png" in text


def test_any_changed_byte_is_found(saved: Path) -> None:
    for name in files_of(saved):
        if name in ("README.md", "SHA256SUMS"):
            continue
        content = (saved / name).read_bytes()
        middle = len(content) // 2
        (saved / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

        with pytest.raises(ProfileError, match=f"{name} is missing or was changed"):
            load_profile(saved)

        (saved / name).write_bytes(content)


def test_any_missing_file_is_found(saved: Path) -> None:
    for name in files_of(saved):
        if name == "README.md":
            continue
        content = (saved / name).read_bytes()
        (saved / name).unlink()

        with pytest.raises(ProfileError, match=Path(name).name):
            load_profile(saved)

        (saved / name).write_bytes(content)


def test_a_directory_that_is_no_profile_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no profile\.json; make one with 'bigfast profile'"):
        load_profile(tmp_path)


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../../etc/passwd", f"{'0' * 64}  /etc/passwd", "0  a"])
def test_a_line_that_is_no_checksum_of_a_file_inside_is_refused(saved: Path, line: str) -> None:
    with (saved / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")

    with pytest.raises(ProfileError, match="a line that is no checksum"):
        load_profile(saved)


@pytest.mark.parametrize("name", ["profile.json", "measurements.parquet", "samples.parquet"])
def test_a_file_that_no_checksum_covers_is_refused(saved: Path, name: str) -> None:
    lines = (saved / "SHA256SUMS").read_text().splitlines(keepends=True)
    (saved / "SHA256SUMS").write_text("".join(line for line in lines if not line.endswith(f"  {name}\n")))

    with pytest.raises(ProfileError, match=f"does not cover {name}"):
        load_profile(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(schema_version="3.0"), r"bigfast\.profile 3\.0, and this bigfast reads .* 2\.x: update"),
        (lambda d: d.update(format="somebody.else"), "somebody.else"),
        (lambda d: d.pop("machine"), "wrong at 'machine'"),
        (lambda d: d.update(vocab="many"), "wrong at 'vocab'"),
        (lambda d: d["machine"].pop("isa"), "does not hold a sound profile"),
        (lambda d: d["space"].update(heads="2"), "does not hold a sound profile"),
        (lambda d: d["protocol"].update(rounds=0), "does not hold a sound profile"),
        (lambda d: d["predictors"][KEY].update(directory="../other"), "outside the profile: '../other'"),
        (lambda d: d["predictors"][KEY].update(directory="/tmp/other"), "outside the profile: '/tmp/other'"),
        (lambda d: d["predictors"][KEY].update(directory="predictors/none"), "does not hold a predictor"),
        (lambda d: d["predictors"][KEY]["unseen"].pop("n"), "does not hold a sound profile"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    change_document(saved, change)

    with pytest.raises(ProfileError, match=words):
        load_profile(saved)


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 100_000])
def test_json_that_is_none_is_refused(saved: Path, value: str) -> None:
    text = (saved / "profile.json").read_text().replace('"vocab": 50', f'"vocab": {value}')
    (saved / "profile.json").write_text(text)
    sum_again(saved)

    with pytest.raises(ProfileError, match="not valid JSON"):
        load_profile(saved)


def test_a_profile_of_version_1_is_read_with_the_threads_of_its_protocol(profile: Profile, saved: Path) -> None:
    """There all keys had the same threads, rows no workers, blocks no waiting, and sentinels were not kept."""

    def older(document: dict[str, Any]) -> None:
        document.update(schema_version="1.0")
        document["protocol"].update(threads=1, batch=1, length=8)
        for name in ("noise_floor", "predictors", "ratios"):
            document[name] = {key.partition("@")[0]: value for key, value in document[name].items()}
        for name in ("sentinels", "conditions", "peaks"):
            del document[name]

    for name, column in (("measurements.parquet", "concurrent"), ("samples.parquet", "waited")):
        pq.write_table(pq.read_table(saved / name).drop_columns([column]), saved / name)
    change_document(saved, older)

    found = load_profile(saved)

    assert found.measurements == profile.measurements
    assert found.noise_floor == profile.noise_floor
    assert found.fitted.keys() == {KEY}
    assert {b.waited for b in found.blocks} == {None}


def test_fields_of_a_later_minor_version_are_ignored(profile: Profile, saved: Path) -> None:
    change_document(saved, lambda d: d.update(schema_version="2.7", later={"a": 1}))

    assert load_profile(saved).measurements == profile.measurements


@pytest.mark.parametrize("name", ["measurements.parquet", "samples.parquet"])
def test_a_table_that_is_none_is_refused(saved: Path, name: str) -> None:
    (saved / name).write_bytes(b"PAR1 this is not Parquet PAR1")
    sum_again(saved)

    with pytest.raises(ProfileError, match="not a readable Parquet file"):
        load_profile(saved)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("estimate_s", -1.0),
        ("estimate_s", float("nan")),
        ("p50_s", float("inf")),
        ("p50_s", None),
        ("arch", "no architecture"),
        ("evidence", "["),
        ("evidence", "[" * 100_000),
    ],
)
def test_a_measurement_that_makes_no_sense_is_refused(saved: Path, column: str, value: object) -> None:
    rows = pq.read_table(saved / "measurements.parquet").to_pylist()
    rows[0][column] = value
    pq.write_table(pa.Table.from_pylist(rows), saved / "measurements.parquet")
    sum_again(saved)

    with pytest.raises(ProfileError):
        load_profile(saved)


def test_a_table_without_a_column_is_refused(saved: Path) -> None:
    table = pq.read_table(saved / "measurements.parquet")
    pq.write_table(table.drop_columns(["arch"]), saved / "measurements.parquet")
    sum_again(saved)

    with pytest.raises(ProfileError, match="does not hold a sound profile"):
        load_profile(saved)


def test_a_profile_that_cannot_be_written_leaves_the_old_one(
    profile: Profile, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = files_of(saved.parent)
    monkeypatch.setattr("bigfast.profile.format.pq.write_table", full)

    with pytest.raises(StorageError, match="No room"):
        save_profile(profile, saved)

    assert files_of(saved.parent) == before
    assert load_profile(saved).measurements == profile.measurements


def test_the_ratio_lies_within_its_interval_and_is_of_the_median_to_the_estimate(profile: Profile) -> None:
    ratio = profile.ratio(KEY)

    assert 1 <= ratio.low <= ratio.p50 <= ratio.high


def test_a_prediction_of_the_median_goes_through_the_ratio(profile: Profile) -> None:
    archs = [profile.space.space.smallest, profile.space.space.largest]
    plain = profile.fitted[KEY].predictor.predict(profile.features(archs, profile.sizes * 2))

    found = profile.predict_p50(KEY, archs)

    assert np.allclose(found.seconds, plain.seconds * profile.ratio(KEY).p50)
    assert np.allclose(found.upper, plain.upper * profile.ratio(KEY).high)


def test_a_size_outside_what_was_measured_is_refused_with_the_way_out(profile: Profile) -> None:
    assert profile.size() == profile.size(batch=1) == profile.sizes[0]
    with pytest.raises(ProfileError, match=r"measured with a length of 8, not 128: .* --length 128"):
        profile.size(length=128)


def test_a_backend_that_was_not_measured_is_answered_with_those_that_were(profile: Profile) -> None:
    assert profile.key_of("fake") == KEY
    with pytest.raises(UnknownName, match="Unknown backend of this profile 'fakes': known are fake:default"):
        profile.key_of("fakes")
    with pytest.raises(ProfileError, match="no predictor for other: it has fake:default"):
        profile.predict_p50("other", [])
    with pytest.raises(ProfileError, match="no successful measurement of other"):
        profile.ratio("other")
