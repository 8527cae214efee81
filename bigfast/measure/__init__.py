"""How long it takes: the protocol, the children that time, and what follows from their samples."""

from bigfast.measure.cold import ColdStart, cold_start
from bigfast.measure.comparing import compare
from bigfast.measure.comparison import Comparison, Row
from bigfast.measure.events import Block, Event, Failure, Loaded
from bigfast.measure.peaks import Peak, Peaks, ThreadPeaks, contradictions
from bigfast.measure.probing import probe
from bigfast.measure.protocol import Protocol
from bigfast.measure.run import measure, order_of_round
from bigfast.measure.statistics import Timing, rejected_blocks, summarise, timings
from bigfast.measure.subject import Deployment, Size, Subject, threads_in_words

__all__ = [
    "Block",
    "ColdStart",
    "Comparison",
    "Deployment",
    "Event",
    "Failure",
    "Loaded",
    "Peak",
    "Peaks",
    "Protocol",
    "Row",
    "Size",
    "Subject",
    "ThreadPeaks",
    "Timing",
    "cold_start",
    "compare",
    "contradictions",
    "measure",
    "order_of_round",
    "probe",
    "rejected_blocks",
    "summarise",
    "threads_in_words",
    "timings",
]
