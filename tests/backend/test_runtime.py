from __future__ import annotations

import pytest

from bigfast.backend import installed_runtime


@pytest.mark.parametrize(
    ("version", "usable"), [("2.6", True), ("2.13.0+cpu", True), ("3", True), ("2.5.9", False), ("1.99rc1", False)]
)
def test_a_version_is_compared_by_its_numbers(version: str, usable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)

    state = installed_runtime("numpy", least=(2, 6), get="pip install numpy")

    assert (state.usable, state.version) == (usable, version)


def test_a_package_that_is_not_installed_says_how_to_get_it() -> None:
    state = installed_runtime("no_such_package", least=(1,), get="pip install no_such_package")

    assert not state.usable
    assert state.reason == "no_such_package is not installed: pip install no_such_package"
