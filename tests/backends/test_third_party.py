"""The package in backends/README.md, as it stands there: built, installed, listed, tested and profiled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

import bigfast
import bigfast_backends

README = Path(__file__).parents[2] / "backends" / "README.md"
BLOCK = re.compile(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files_of_readme() -> dict[str, str]:
    """The blocks whose first line is the name of a file, by that name."""
    return dict(BLOCK.findall(README.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Installed:
    """An environment of its own in which the package is installed."""

    python: Path
    package: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        # With a lock of its own, so that somebody who measures on this machine meanwhile does not stop the test.
        environment["TMPDIR"] = str(self.package)
        command = [str(self.python), *arguments]
        return subprocess.run(
            command, cwd=self.package, env=environment, capture_output=True, text=True, check=False, timeout=200
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Made without network: what this interpreter has, that one has too, and bigfast as it is imported here."""
    place = tmp_path_factory.mktemp("third-party")
    package, environment = place / "package", place / "environment"
    package.mkdir()
    for name, content in files_of_readme().items():
        (package / name).write_text(content, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    bases = {"base": str(environment), "platbase": str(environment)}
    ours = [str(Path(module.__file__ or "").parents[1]) for module in (bigfast, bigfast_backends)]
    site_packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=bases))
    (site_packages / "ours.pth").write_text("\n".join([*ours, sysconfig.get_path("purelib")]))
    found = Installed(environment / "bin" / "python", package)
    done = found.run("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", str(package))
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_the_readme_has_a_backend_its_package_and_its_test() -> None:
    assert sorted(files_of_readme()) == ["bigfast_numpy.py", "pyproject.toml", "test_numpy.py"]


def test_an_installed_backend_is_listed(installed: Installed) -> None:
    done = installed.run("-m", "bigfast.cli", "backends", "--json")

    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout)["backends"] if row["name"] == "numpy-fp32"]
    assert (row["usable"], row["precision"], row["variants"]) == (True, "fp32", ["default"])


def test_its_three_lines_of_test_pass(installed: Installed) -> None:
    done = installed.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_numpy.py")

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_profiled_beside_others(installed: Installed) -> None:
    tiny = ("--count", "12", "--length", "8", "--vocab", "100", "--rounds", "2", "--no-probe")
    where = ("--out", str(installed.package / "cpu"), "--json")

    done = installed.run("-m", "bigfast.cli", "profile", "--backend", "numpy-fp32", *tiny, *where)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "numpy-fp32:default@1" in done.stdout
    assert "numpy-fp32" in json.loads((installed.package / "cpu" / "profile.json").read_text())["software"]
