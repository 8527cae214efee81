"""For authors of backends: the suite that a backend must pass, and a clock that stands still.

A backend's tests are a class of three lines, collected by pytest::

    from bigfast.testing import BackendSuite

    class TestMine(BackendSuite):
        backend = MyBackend()
"""

from bigfast.testing.clock import FakeClock
from bigfast.testing.suite import BackendSuite
from bigfast.testing.texts import SHAPES

__all__ = ["SHAPES", "BackendSuite", "FakeClock"]
