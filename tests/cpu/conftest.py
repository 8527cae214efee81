from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Put = Callable[[dict[str, str]], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes files below a root that stands for ``/``, and answers that root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write
