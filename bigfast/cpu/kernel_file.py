"""One of the small files by which a Linux kernel tells something."""

from __future__ import annotations

from pathlib import Path

__all__ = ["content"]


def content(path: Path) -> str:
    """What the file says; empty where it is absent, forbidden, or fails when read, as files of ``/sys`` may."""
    try:
        return path.read_text(errors="replace")
    except (OSError, ValueError):
        return ""
