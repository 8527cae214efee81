"""What holds between the rooms: who imports whom, what is loaded when, and how exported names are ordered."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNTIMES = ("torch", "onnxruntime", "openvino", "onnx", "transformers")
WITHOUT_TORCH = (
    "bigfast.errors",
    "bigfast.store",
    "bigfast.workers",
    "bigfast.cpu",
    "bigfast.space",
    "bigfast.backend",
    "bigfast.measure",
    "bigfast.measure.worker",
    "bigfast.predict",
    "bigfast.profile",
    "bigfast.search.core",
    "bigfast.search.strategies",
    "bigfast.search.study",
    "bigfast.report",
    "bigfast.testing",
)
ROOMS = sorted(
    ".".join(file.relative_to(ROOT).parts[:-1])
    for file in ROOT.glob("bigfast/**/__init__.py")
    if "__all__" in file.read_text()
)


def loaded_after(modules: tuple[str, ...]) -> dict[str, list[str]]:
    """For each module, imported one after the other in a fresh interpreter, which runtimes were loaded by then."""
    program = (
        "import importlib, json, sys\n"
        "found = {}\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"    found[name] = [runtime for runtime in {RUNTIMES!r} if runtime in sys.modules]\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_importing_bigfast_loads_no_runtime() -> None:
    assert loaded_after(("bigfast",)) == {"bigfast": []}


def test_rooms_that_need_no_torch_load_none() -> None:
    """The first one named is the culprit: those after it are imported into the same interpreter."""
    culprits = [name for name, runtimes in loaded_after(WITHOUT_TORCH).items() if "torch" in runtimes]

    assert culprits[:1] == []


def test_each_room_knows_only_the_rooms_before_it() -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if command is None:
        pytest.skip("import-linter is not installed")

    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def isort_style(name: str) -> tuple[int, str]:
    """Constants, classes, functions, each sorted: as ruff's RUF022 has it."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("room", ROOMS)
def test_exported_names_are_sorted_and_exist(room: str) -> None:
    module = importlib.import_module(room)

    assert list(module.__all__) == sorted(module.__all__, key=isort_style)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
