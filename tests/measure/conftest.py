from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

FAKE = Path(__file__).with_name("fake")


@pytest.fixture(autouse=True, scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lock of our own, so that somebody who measures on this machine meanwhile does not stop the tests."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("lock") / "measuring.lock"
        patch.setattr("bigfast.measure.run.MACHINE_LOCK", path)
        patch.syspath_prepend(FAKE)  # where the fake backend's package is installed, as it were
        patch.setenv("PYTHONPATH", str(FAKE))
        yield path
