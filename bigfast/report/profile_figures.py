"""The pictures that lie in a profile's directory."""

from __future__ import annotations

from bigfast.profile import Profile
from bigfast.report.canvas import image
from bigfast.report.latency_figures import latency_figure
from bigfast.report.measuring_figure import measuring_drawing


def profile_figures(profile: Profile) -> dict[str, tuple[str, bytes]]:
    """What is seen on each picture of a profile, its file's name, and its PNG."""
    found = {"int8 against float32 latency": ("latency.png", latency_figure(profile))}
    measuring = measuring_drawing(profile)
    if measuring is not None:
        found["the measuring over time"] = ("measuring.png", image(measuring.figure, "png"))
    return found
