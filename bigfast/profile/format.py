"""The directory of a profile: JSON, Parquet, and one sub-directory a predictor; loading executes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from bigfast.cpu import Health, Machine
from bigfast.errors import InputError, ProfileError
from bigfast.measure import Block, Deployment, Peaks, Protocol, Size, Timing, rejected_blocks
from bigfast.predict import Score, load, save
from bigfast.profile.card import card
from bigfast.profile.measurement import Fitted, Measurement, Sentinel
from bigfast.profile.value import FORMAT, SCHEMA_VERSION, Profile
from bigfast.space import Arch, BertSpace
from bigfast.store import parse_json, published_directory, read_bytes, read_json, sha256_of

DOCUMENT = "profile.json"
SUMS = "SHA256SUMS"
CARD = "README.md"
MEASUREMENTS = "measurements.parquet"
SAMPLES = "samples.parquet"
AT_MOST_BYTES = 256 * 2**20
READABLE = ("1", "2")


class _FittedEntry(BaseModel):
    directory: str
    fitting_rows: int
    unseen: dict[str, FiniteFloat]


class _SentinelEntry(BaseModel):
    key: str
    arch: str
    batch: int
    length: int
    estimates_s: tuple[FiniteFloat | None, FiniteFloat | None, FiniteFloat | None]


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")

    format: str
    schema_version: str
    machine: dict[str, Any]
    software: dict[str, str]
    protocol: dict[str, Any]
    space: dict[str, Any]
    vocab: int
    seed: int
    noise_floor: dict[str, FiniteFloat]
    predictors: dict[str, _FittedEntry]
    sentinels: list[_SentinelEntry] = []
    conditions: dict[str, dict[str, FiniteFloat | None]] = {}
    peaks: dict[str, Any] | None = None
    parents: list[str] = []


def _folder(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", key)


def _measurement_rows(profile: Profile) -> list[dict[str, Any]]:
    nothing = {field.name: None for field in fields(Timing)}
    return [
        {
            "backend": m.deployment.backend,
            "variant": m.deployment.variant,
            "version": m.version,
            "arch": str(m.arch),
            **dict(m.arch.values),
            "threads": m.deployment.threads,
            "concurrent": m.deployment.concurrent,
            "batch": m.size.batch,
            "length": m.size.length,
            "status": m.status,
            "reason": m.reason,
            **(asdict(m.timing) if m.timing else nothing),
            "prepare_s": m.prepare_s,
            "disagreement": m.disagreement,
            "evidence": json.dumps(dict(m.evidence), sort_keys=True),
            "peak_bytes": m.peak_bytes,
        }
        for m in profile.measurements
    ]


def _sample_rows(profile: Profile) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("measurement", "block", "round", "anchor", "started_s", "warmup", "seconds", "rejected", "steal",
                     "throttled", "pressure", "waited")
    }  # fmt: skip
    reasons = rejected_blocks(profile.blocks, profile.protocol)
    for number, (block, reason) in enumerate(zip(profile.blocks, reasons, strict=True)):
        calls = [(True, s) for s in block.warmup_s] + [(False, s) for s in block.samples_s]
        for warmup, seconds in calls:
            row = (block.subject, number, block.round, block.is_anchor, block.started_s, warmup, seconds, reason,
                   block.steal, block.throttled, block.pressure, block.waited)  # fmt: skip
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    return columns


_SAMPLE_TYPES = pa.schema(
    [
        ("measurement", pa.int32()),
        ("block", pa.int32()),
        ("round", pa.int32()),
        ("anchor", pa.bool_()),
        ("started_s", pa.float64()),
        ("warmup", pa.bool_()),
        ("seconds", pa.float64()),
        ("rejected", pa.string()),
        ("steal", pa.float64()),
        ("throttled", pa.int32()),
        ("pressure", pa.float64()),
        ("waited", pa.float64()),
    ]
)


def save_profile(profile: Profile, directory: Path, *, figures: Mapping[str, tuple[str, bytes]] | None = None) -> None:
    """Writes a profile's directory in one step.

    Args:
        profile: What to write.
        directory: Where; an older profile there is replaced.
        figures: For its README: what is seen, the file's name, and its PNG.

    Raises:
        StorageError: there is no room, or no right to write.
    """
    with published_directory(directory) as place:
        for name, image in (figures or {}).values():
            (place / name).write_bytes(image)
        rows = _measurement_rows(profile)
        pq.write_table(pa.Table.from_pylist(rows), place / MEASUREMENTS, compression="zstd")
        samples = pa.Table.from_pydict(_sample_rows(profile), schema=_SAMPLE_TYPES)
        pq.write_table(samples, place / SAMPLES, compression="zstd")
        for key, fitted in profile.fitted.items():
            save(fitted.predictor, place / "predictors" / _folder(key))
        document = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "machine": profile.machine.to_json(),
            "software": dict(profile.software),
            "protocol": profile.protocol.to_json(),
            "space": profile.space.to_json(),
            "vocab": profile.vocab,
            "seed": profile.seed,
            "noise_floor": dict(profile.noise_floor),
            "sentinels": [
                {"key": s.key, "arch": str(s.arch), **asdict(s.size), "estimates_s": s.estimates_s}
                for s in profile.sentinels
            ],
            "conditions": {when: asdict(health) for when, health in profile.conditions.items()},
            "peaks": None if profile.peaks is None else profile.peaks.to_json(),
            "ratios": {key: asdict(profile.ratio(key)) for key in profile.keys if profile.of(key)},
            "predictors": {
                key: {
                    "directory": f"predictors/{_folder(key)}",
                    "fitting_rows": fitted.fitting_rows,
                    "unseen": asdict(fitted.unseen),
                }
                for key, fitted in profile.fitted.items()
            },
            "files": {
                str(file.relative_to(place)): {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
                for file in sorted(place.rglob("*"))
                if file.is_file()
            },
            "parents": [],
        }
        (place / DOCUMENT).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
        files = sorted(file for file in place.rglob("*") if file.is_file())
        sums = "".join(f"{sha256_of(file)}  {file.relative_to(place)}\n" for file in files)
        (place / SUMS).write_text(sums)
        names = {seen: name for seen, (name, _) in (figures or {}).items()}
        (place / CARD).write_text(card(profile, figures=names))


def _check_sums(directory: Path) -> None:
    text = read_bytes(directory / SUMS, at_most=2**20, error=ProfileError).decode(errors="replace")
    named = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or name.startswith("/") or ".." in Path(name).parts:
            raise ProfileError(f"{directory / SUMS} has a line that is no checksum: {line[:80]!r}")
        named[name] = digest
    for name in (DOCUMENT, MEASUREMENTS, SAMPLES):
        if name not in named:
            raise ProfileError(f"{directory / SUMS} does not cover {name}: the profile is incomplete")
    for name, digest in named.items():
        file = directory / name
        if not file.is_file() or file.stat().st_size > AT_MOST_BYTES or sha256_of(file) != digest:
            raise ProfileError(f"{file} is missing or was changed after it was written: copy the profile again")


def _table(file: Path) -> pa.Table:
    try:
        return pq.read_table(file, memory_map=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ProfileError(f"{file} is not a readable Parquet file: {error}") from error


def _measurement(row: Mapping[str, Any]) -> Measurement:
    timing = None
    if row["status"] != "failed":
        timing = Timing(**{field.name: row[field.name] for field in fields(Timing)})
        for name in ("estimate_s", "low_s", "high_s", "p50_s"):
            value = getattr(timing, name)
            if not isinstance(value, float) or not 0 < value < 1e6:
                raise ProfileError(f"{name} of {row['arch']} on {row['backend']} is {value!r}, not a latency")
    return Measurement(
        deployment=_deployment(row),
        version=row["version"],
        arch=Arch.parse(row["arch"]),
        size=Size(batch=row["batch"], length=row["length"]),
        timing=timing,
        reason=row["reason"],
        prepare_s=row["prepare_s"],
        disagreement=row["disagreement"],
        evidence=parse_json(row["evidence"]),
        peak_bytes=row.get("peak_bytes"),
    )


def _deployment(row: Mapping[str, Any]) -> Deployment:
    text = f"{row['backend']}:{row['variant']}@{row['threads']}x{row.get('concurrent', 1)}"  # version 1 has no workers
    return Deployment.parse(text)


def _blocks(table: pa.Table) -> tuple[Block, ...]:
    calls: dict[int, dict[str, Any]] = {}
    for row in table.to_pylist():
        block = calls.setdefault(row["block"], {"row": row, "warmup": [], "timed": []})
        block["warmup" if row["warmup"] else "timed"].append(row["seconds"])
    return tuple(
        Block(
            subject=block["row"]["measurement"],
            round=block["row"]["round"],
            started_s=block["row"]["started_s"],
            warmup_s=tuple(block["warmup"]),
            samples_s=tuple(block["timed"]),
            steal=block["row"]["steal"],
            throttled=block["row"]["throttled"],
            pressure=block["row"]["pressure"],
            waited=block["row"].get("waited"),
        )
        for _, block in sorted(calls.items())
    )


def _health(told: Mapping[str, Any]) -> Health:
    known = {field.name for field in fields(Health)}
    return Health(**{name: value for name, value in told.items() if name in known})


def _migrated(document: dict[str, Any]) -> dict[str, Any]:
    """A document of version 1 as one of version 2: there all keys had the threads of the protocol, and no sentinels."""
    if not str(document.get("schema_version")).startswith("1."):
        return document
    protocol = document.get("protocol")
    threads = protocol.get("threads", 1) if isinstance(protocol, dict) else 1
    by_key = {
        name: {f"{key}@{threads}": value for key, value in document[name].items()}
        for name in ("noise_floor", "predictors")
        if isinstance(document.get(name), dict)
    }
    return {**document, **by_key}


def load_profile(directory: Path) -> Profile:
    """Reads a profile's directory, after its checksums were found right.

    Raises:
        ProfileError: there is none, it was changed, it is of a newer format, or it makes no sense.
    """
    if not (directory / DOCUMENT).is_file():
        raise ProfileError(f"{directory} is not a profile: it has no {DOCUMENT}; make one with 'bigfast profile'")
    _check_sums(directory)
    try:
        document = _Document.model_validate(_migrated(read_json(directory / DOCUMENT, error=ProfileError)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"{directory / DOCUMENT} is wrong at {where!r}: {first['msg']}") from error
    major = document.schema_version.partition(".")[0]
    if document.format != FORMAT or major not in READABLE:
        raise ProfileError(
            f"{directory} has format {document.format} {document.schema_version}, and this bigfast reads "
            f"{FORMAT} {' and '.join(f'{number}.x' for number in READABLE)}: update bigfast"
        )
    try:
        fitted = {}
        for key, entry in document.predictors.items():
            folder = directory / entry.directory
            if Path(entry.directory).is_absolute() or ".." in Path(entry.directory).parts:
                raise ProfileError(f"{directory / DOCUMENT} names a predictor outside the profile: {entry.directory!r}")
            score = Score(**{**entry.unseen, "n": int(entry.unseen["n"])})  # type: ignore[arg-type]  # n alone is an int
            fitted[key] = Fitted(predictor=load(folder), unseen=score, fitting_rows=entry.fitting_rows)
        return Profile(
            machine=Machine.from_json(document.machine),
            software=document.software,
            protocol=Protocol.from_json(document.protocol),
            space=BertSpace.from_json(document.space),
            vocab=document.vocab,
            measurements=tuple(_measurement(row) for row in _table(directory / MEASUREMENTS).to_pylist()),
            blocks=_blocks(_table(directory / SAMPLES)),
            sentinels=tuple(
                Sentinel(
                    key=entry.key,
                    arch=Arch.parse(entry.arch),
                    size=Size(batch=entry.batch, length=entry.length),
                    estimates_s=entry.estimates_s,
                )
                for entry in document.sentinels
            ),
            noise_floor=document.noise_floor,
            conditions={when: _health(told) for when, told in document.conditions.items()},
            peaks=None if document.peaks is None else Peaks.from_json(document.peaks),
            fitted=fitted,
            seed=document.seed,
        )
    except ProfileError:
        raise
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise ProfileError(f"{directory} does not hold a sound profile: {error}") from error
