"""What people look at: figures, and one HTML page about a run."""

from bigfast.report.backends_page import write_backends
from bigfast.report.page import write_report
from bigfast.report.profile_figures import profile_figures

__all__ = ["profile_figures", "write_backends", "write_report"]
