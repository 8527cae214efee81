"""How long it takes: the protocol, the children that time, and what follows from their samples."""

from bigfast.measure.protocol import Block, Event, Failure, Loaded, Protocol, Subject
from bigfast.measure.run import check_threads, measure, order_of_round
from bigfast.measure.statistics import Timing, rejected_blocks, summarise, timings

__all__ = [
    "Block",
    "Event",
    "Failure",
    "Loaded",
    "Protocol",
    "Subject",
    "Timing",
    "check_threads",
    "measure",
    "order_of_round",
    "rejected_blocks",
    "summarise",
    "timings",
]
