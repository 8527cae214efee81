"""How long it takes: the protocol, the children that time, and what follows from their samples."""

from bigfast.measure.events import Block, Event, Failure, Loaded
from bigfast.measure.peaks import Peak, Peaks, ThreadPeaks, contradictions
from bigfast.measure.probing import probe
from bigfast.measure.protocol import Protocol
from bigfast.measure.run import measure, order_of_round
from bigfast.measure.statistics import Timing, rejected_blocks, summarise, timings
from bigfast.measure.subject import Deployment, Size, Subject

__all__ = [
    "Block",
    "Deployment",
    "Event",
    "Failure",
    "Loaded",
    "Peak",
    "Peaks",
    "Protocol",
    "Size",
    "Subject",
    "ThreadPeaks",
    "Timing",
    "contradictions",
    "measure",
    "order_of_round",
    "probe",
    "rejected_blocks",
    "summarise",
    "timings",
]
