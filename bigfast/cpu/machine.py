"""What machine this is, as one value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bigfast.cpu import saved
from bigfast.cpu.flags import ISA, Int8Support, int8_support
from bigfast.errors import InputError

__all__ = ["Machine"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, as its kernel describes it. ``None`` means: the kernel, or the saved text, does not tell.

    ``usable_cores`` counts what the scheduler gives us (affinity and cgroup quota), so hardware threads, not cores,
    where SMT is on. ``signature`` is the processor's own number (family-model-stepping, or implementer-part), since
    hypervisors shorten names. ``caches`` has bytes under ``l1d``, ``l2``, ``l3``, as one core sees them.
    """

    system: str
    architecture: str
    vendor: str
    model: str
    isa: Mapping[str, bool] = field(hash=False)
    microarchitecture: str | None = None
    signature: str | None = None
    physical_cores: int | None = None
    usable_cores: int | None = None
    smt: bool | None = None
    numa_nodes: int | None = None
    caches: Mapping[str, int] = field(default_factory=dict, hash=False)
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    hypervisor: str | None = None
    governor: str | None = None
    turbo: bool | None = None

    def __post_init__(self) -> None:
        if set(self.isa) != set(ISA):
            odd = ", ".join(sorted(set(self.isa) ^ set(ISA)))
            raise InputError(f"isa must have exactly the {len(ISA)} known instruction sets; missing or unknown: {odd}")
        object.__setattr__(self, "isa", {name: self.isa[name] for name in ISA})
        object.__setattr__(self, "caches", dict(sorted(self.caches.items())))

    @property
    def int8(self) -> Int8Support:
        """The int8 instructions, and the recipe that follows from them."""
        return int8_support(self.isa, self.architecture)

    @property
    def memory_at_most_bytes(self) -> int | None:
        """What we may use at all: the machine's memory or our control group's limit; None where neither is told."""
        sizes = [size for size in (self.memory_bytes, self.memory_limit_bytes) if size is not None]
        return min(sizes, default=None)

    @property
    def has_bf16(self) -> bool:
        """Whether bf16 products are instructions here and not emulated."""
        return self.isa["avx512_bf16"] or self.isa["amx_bf16"] or self.isa["bf16"]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that stay over boots: nothing of host, user, path, memory size, governor or our own tables."""
        identity = [
            self.system,
            self.architecture,
            self.vendor,
            self.model,
            self.signature,
            [name for name in ISA if self.isa[name]],
            self.physical_cores,
            self.usable_cores,
            self.smt,
            self.numa_nodes,
            sorted(self.caches.items()),
            self.hypervisor is not None,
        ]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, object]:
        """What ``bigfast cpu --json`` shows of a machine: its facts, and ``int8`` and ``fingerprint``, which follow."""
        return {
            "system": self.system,
            "architecture": self.architecture,
            "vendor": self.vendor,
            "model": self.model,
            "microarchitecture": self.microarchitecture,
            "signature": self.signature,
            "isa": dict(self.isa),
            "int8": {"accelerated": self.int8.accelerated, "by": list(self.int8.by), "recipe": self.int8.recipe},
            "cores": {"physical": self.physical_cores, "usable": self.usable_cores},
            "smt": self.smt,
            "numa_nodes": self.numa_nodes,
            "caches": dict(self.caches),
            "memory_bytes": self.memory_bytes,
            "memory_limit_bytes": self.memory_limit_bytes,
            "hypervisor": self.hypervisor,
            "governor": self.governor,
            "turbo": self.turbo,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, value: object) -> Machine:
        """The machine that ``to_json`` wrote. What follows from the facts is derived again; unknown fields are ignored.

        Args:
            value: A parsed JSON document, which anybody may have written.

        Raises:
            InputError: A field is missing or is not what it must be.
        """
        entries = saved.mapping(value, "A saved machine")

        def get(key: str, kind: Callable[[object, str], T], inside: Mapping[str, object] = entries) -> T:
            return kind(saved.fact(inside, key, "A saved machine"), f"The machine's {key!r}")

        def maybe(key: str, kind: Callable[[object, str], T], inside: Mapping[str, object] = entries) -> T | None:
            return None if inside.get(key) is None else get(key, kind, inside)

        isa = get("isa", saved.mapping)
        cores = get("cores", saved.mapping)
        caches = get("caches", saved.mapping)
        return cls(
            system=get("system", saved.text),
            architecture=get("architecture", saved.text),
            vendor=get("vendor", saved.text),
            model=get("model", saved.text),
            isa={name: get(name, saved.flag, isa) for name in ISA},
            microarchitecture=maybe("microarchitecture", saved.text),
            signature=maybe("signature", saved.text),
            physical_cores=maybe("physical", saved.whole, cores),
            usable_cores=maybe("usable", saved.whole, cores),
            smt=maybe("smt", saved.flag),
            numa_nodes=maybe("numa_nodes", saved.whole),
            caches={name: get(name, saved.whole, caches) for name in ("l1d", "l2", "l3") if name in caches},
            memory_bytes=maybe("memory_bytes", saved.whole),
            memory_limit_bytes=maybe("memory_limit_bytes", saved.whole),
            hypervisor=maybe("hypervisor", saved.text),
            governor=maybe("governor", saved.text),
            turbo=maybe("turbo", saved.flag),
        )
