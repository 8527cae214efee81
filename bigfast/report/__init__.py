"""What people look at: figures, and one HTML page about a run."""

from bigfast.report.latency_figures import profile_figure
from bigfast.report.page import write_report

__all__ = ["profile_figure", "write_report"]
