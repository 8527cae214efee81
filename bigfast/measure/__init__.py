"""How long it takes: the protocol, the children that time, and what follows from their samples."""

from bigfast.measure.peaks import Peak, Peaks, ThreadPeaks, contradictions
from bigfast.measure.probing import probe
from bigfast.measure.protocol import Block, Event, Failure, Loaded, Protocol, Subject
from bigfast.measure.run import check_threads, measure, order_of_round
from bigfast.measure.statistics import Timing, rejected_blocks, summarise, timings

__all__ = [
    "Block",
    "Event",
    "Failure",
    "Loaded",
    "Peak",
    "Peaks",
    "Protocol",
    "Subject",
    "ThreadPeaks",
    "Timing",
    "check_threads",
    "contradictions",
    "measure",
    "order_of_round",
    "probe",
    "rejected_blocks",
    "summarise",
    "timings",
]
