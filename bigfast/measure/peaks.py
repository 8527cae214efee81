"""What a machine can reach: its fastest matrix products and its memory bandwidth, as measured, against its flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigfast.cpu import Machine, isa_word, saved
from bigfast.errors import InputError
from bigfast.measure.subject import threads_in_words

__all__ = ["FEWEST_SHAPES", "MEMORY", "PRECISIONS", "Peak", "Peaks", "ThreadPeaks", "contradictions", "one_line"]

PRECISIONS = ("fp32", "bf16", "int8")
MEMORY = "memory"

FEWEST_SHAPES = 5  # over fewer, a peak may lie well below what the machine can do

# Without VNNI, a product of uint8 and int8 takes three vector instructions (vpmaddubsw, vpmaddwd, vpaddd) for four
# times the numbers of one float32 FMA: 4/3. With it, one for four times: 4. More than 1.5 therefore needs the
# instructions, and 2.5 leaves room for a float32 product that falls short of its own peak.
INT8_PROMISED, INT8_WITHOUT = 1.5, 2.5
# bf16 instructions have twice the numbers of a float32 FMA (AMX far more), and without them bf16 is widened to float32
# first, which cannot be faster than float32 itself.
BF16_PROMISED, BF16_WITHOUT = 1.2, 1.5

STEAL_AT_MOST = 0.05  # of all processor time, from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The fastest matrix product of one precision, in operations per second: 2 m k n for (m, k) by (k, n).

    ``kernel`` names the backend and the way, ``shape`` is (m, k, n).
    """

    operations_per_s: float
    kernel: str
    shape: tuple[int, int, int]

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {"operations_per_s": self.operations_per_s, "kernel": self.kernel, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPeaks:
    """What some threads reach together.

    ``peaks`` has each of fp32, bf16 and int8 that something installed can multiply; ``missing`` has the reason for
    each of the others, and for ``memory`` where that is not known. ``memory_bytes_per_s`` counts what a copy between
    arrays beyond the caches reads and writes. ``shapes`` is how many shapes the kernels were tried on.
    """

    threads: int
    peaks: Mapping[str, Peak] = field(hash=False)
    memory_bytes_per_s: float | None
    missing: Mapping[str, str] = field(default_factory=dict, hash=False)
    shapes: int

    def __post_init__(self) -> None:
        known = {*self.peaks, *([] if self.memory_bytes_per_s is None else [MEMORY])}
        wanted = {*PRECISIONS, MEMORY}
        if known & set(self.missing) or known | set(self.missing) != wanted:
            raise InputError(
                f"Peaks at {self.threads} threads must have a figure or a reason, and not both, for each of "
                f"{', '.join(sorted(wanted))}"
            )

    @property
    def in_words(self) -> str:
        """``1 thread``, ``2 threads``."""
        return threads_in_words(self.threads)

    def ratio(self, precision: str) -> float | None:
        """How many times float32's operations per second this precision reaches; None where one of them is missing."""
        if not {precision, "fp32"} <= set(self.peaks):
            return None
        return self.peaks[precision].operations_per_s / self.peaks["fp32"].operations_per_s

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "threads": self.threads,
            "peaks": {name: peak.to_json() for name, peak in self.peaks.items()},
            "memory_bytes_per_s": self.memory_bytes_per_s,
            "missing": dict(self.missing),
            "shapes": self.shapes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What a machine reaches, for each thread count that was tried, the fewest first.

    ``skipped`` has each kernel or backend that was left out, with the reason. ``steal_share`` is how much of all
    processor time the host took meanwhile, from 0 to 1; None: it does not tell.
    """

    at: tuple[ThreadPeaks, ...]
    skipped: Mapping[str, str] = field(default_factory=dict, hash=False)
    steal_share: float | None = None

    def __post_init__(self) -> None:
        counts = [one.threads for one in self.at]
        if not counts or counts != sorted(set(counts)):
            raise InputError(f"Peaks must be of at least one thread count, the fewest first, not of {counts}")

    def peak(self, precision: str, *, threads: int) -> Peak | None:
        """The peak of ``fp32``, ``bf16`` or ``int8`` at a thread count; None where it is not known."""
        return next((one.peaks.get(precision) for one in self.at if one.threads == threads), None)

    def to_json(self) -> dict[str, object]:
        """As a JSON object, which ``from_json`` reads."""
        return {
            "at": [one.to_json() for one in self.at],
            "skipped": dict(self.skipped),
            "steal_share": self.steal_share,
        }

    @classmethod
    def from_json(cls, value: object) -> Peaks:
        """The peaks that ``to_json`` wrote; unknown fields are ignored.

        Args:
            value: A parsed JSON document, which anybody may have written.

        Raises:
            InputError: a field is missing or is not what it must be.
        """
        entries = saved.mapping(value, "Saved peaks")
        return cls(
            at=tuple(_thread_peaks(one) for one in saved.several(_fact(entries, "at"), "The peaks' 'at'")),
            skipped=_reasons(_fact(entries, "skipped"), "The peaks' 'skipped'"),
            steal_share=_share(entries.get("steal_share")),
        )


def _fact(entries: Mapping[str, object], key: str) -> object:
    return saved.fact(entries, key, "A saved peak")


def _reasons(value: object, name: str) -> dict[str, str]:
    entries = saved.mapping(value, name)
    return {
        saved.text(key, f"A name in {name}"): saved.text(why, f"A reason in {name}") for key, why in entries.items()
    }


def _thread_peaks(value: object) -> ThreadPeaks:
    entries = saved.mapping(value, "Each of the peaks' 'at'")
    memory = _fact(entries, "memory_bytes_per_s")
    return ThreadPeaks(
        threads=saved.whole(_fact(entries, "threads"), "The peaks' 'threads'"),
        peaks={
            name: _peak(one, name) for name, one in saved.mapping(_fact(entries, "peaks"), "The peaks' 'peaks'").items()
        },
        memory_bytes_per_s=None if memory is None else saved.positive(memory, "The peaks' 'memory_bytes_per_s'"),
        missing=_reasons(_fact(entries, "missing"), "the peaks' 'missing'"),
        shapes=_count(_fact(entries, "shapes")),
    )


def _share(value: object) -> float | None:
    if value is None or (value == 0 and not isinstance(value, bool)):
        return None if value is None else 0.0
    share = saved.positive(value, "The peaks' 'steal_share'")
    if share > 1:
        raise InputError(f"The peaks' 'steal_share' must be a share from 0 to 1, not {share}")
    return share


def _count(value: object) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else saved.whole(value, "The peaks' 'shapes'")


def _peak(value: object, precision: str) -> Peak:
    entries = saved.mapping(value, "Each of the peaks' 'peaks'")
    shape = [
        saved.whole(one, "A side of a peak's 'shape'") for one in saved.several(_fact(entries, "shape"), "A shape")
    ]
    if len(shape) != 3:
        raise InputError(f"A peak's 'shape' must be three whole numbers, not {len(shape)}")
    return Peak(
        operations_per_s=saved.positive(_fact(entries, "operations_per_s"), "A peak's 'operations_per_s'"),
        kernel=saved.text(_fact(entries, "kernel"), "A peak's 'kernel'"),
        shape=(shape[0], shape[1], shape[2]),
    )


def one_line(text: str) -> str:
    """Any text as ``from_json`` takes it: one printable line of 1 to 200 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "no reason was given"
    return line if len(line) <= saved.MAX_TEXT else line[: saved.MAX_TEXT - 3] + "..."


def contradictions(machine: Machine, peaks: Peaks) -> tuple[str, ...]:
    """Why these peaks should not be believed, or the flags not: one sentence each, none where all agree.

    The flags are held against the fewest threads, where neighbours and the memory disturb least.
    """
    one = peaks.at[0]
    bf16 = [isa_word(name) for name in ("amx_bf16", "avx512_bf16", "bf16") if machine.isa[name]]
    found = [
        _against_flags(
            "int8",
            one,
            [isa_word(name) for name in machine.int8.by] if machine.int8.accelerated else [],
            promised=INT8_PROMISED,
            without=INT8_WITHOUT,
        ),
        _against_flags("bf16", one, bf16, promised=BF16_PROMISED, without=BF16_WITHOUT),
        *(_scaling(name, one, more) for more in peaks.at[1:] for name in PRECISIONS),
        *(
            f"The kernels were tried on {each.shapes} of at least {FEWEST_SHAPES} shapes at {each.in_words}, "
            "since the time was up: the peaks may be too low"
            for each in peaks.at
            if each.shapes < FEWEST_SHAPES and each.peaks
        ),
    ]
    if peaks.steal_share is not None and peaks.steal_share > STEAL_AT_MOST:
        found.append(
            f"The host took {peaks.steal_share:.0%} of the processor time meanwhile: the peaks may be too low, so "
            "probe again at a calmer time"
        )
    return tuple(sentence for sentence in found if sentence)


def _against_flags(precision: str, one: ThreadPeaks, flags: list[str], *, promised: float, without: float) -> str:
    ratio = one.ratio(precision)
    if ratio is None:
        return ""
    measured = f"{precision} reached {ratio:.1f} times float32's operations per second at {one.in_words}"
    if flags and ratio < promised:
        return (
            f"The CPU's flags promise {precision} instructions ({', '.join(flags)}), but {measured}, where at least "
            f"{promised} times was expected: the installed kernels may not use them"
        )
    if not flags and ratio > without:
        return (
            f"The CPU's flags tell of no {precision} instructions, but {measured}, more than can be had without them: "
            "a hypervisor may hide them"
        )
    return ""


def _scaling(precision: str, one: ThreadPeaks, more: ThreadPeaks) -> str:
    """More threads are never slower where they have cores of their own."""
    few, many = one.peaks.get(precision), more.peaks.get(precision)
    if few is None or many is None or many.operations_per_s > few.operations_per_s:
        return ""
    return (
        f"{precision} was not faster at {more.in_words} than at {one.in_words}: these cores may be shared with "
        "others, or limited by a quota"
    )
