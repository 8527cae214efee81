"""Instruction sets as separate facts, and what follows from them for int8.

Kernels, macOS and py-cpuinfo spell the same instruction set differently (``avx512_vnni``, ``AVX512VNNI``); here each
has one name, that of ``/proc/cpuinfo``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ARM_ISA", "ISA", "X86_ISA", "Int8Support", "Recipe", "int8_support", "isa_from"]

Recipe = Literal["u8s8", "u8s8-reduce-range", "s8s8"]

X86_ISA = (
    "avx2",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx_vnni",
    "avx_vnni_int8",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
)
ARM_ISA = ("asimddp", "i8mm", "bf16", "sve")
ISA = X86_ISA + ARM_ISA

X86_INT8 = ("amx_int8", "avx512_vnni", "avx_vnni_int8", "avx_vnni")  # strongest first
ARM_INT8 = ("i8mm", "asimddp")

_X86_BY_SPELLING = {name.replace("_", ""): name for name in X86_ISA} | {"avx20": "avx2"}  # macOS: hw.optional.avx2_0
_ARM_BY_SPELLING = {name: name for name in ARM_ISA} | {"dotprod": "asimddp", "asimdbf16": "bf16"}  # macOS; 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Support:
    """What the processor has for int8, and how to quantize for it.

    ``recipe`` is the type of activations and weights: U8S8 on x86, because the VNNI and AMX kernels serve only that;
    with 7-bit weights (reduce-range) where the products of VPMADDUBSW would saturate 16 bits; S8S8 on ARM.
    """

    accelerated: bool
    by: tuple[str, ...]
    recipe: Recipe


def isa_from(names: Iterable[str], architecture: str) -> dict[str, bool]:
    """Every instruction set of ``ISA``, true where ``names`` has it in any spelling.

    Args:
        names: What a kernel lists, in any case, with or without ``_``, ``-`` and ``.``.
        architecture: Only the instruction sets of this family are looked for: ``bf16`` is ARM's alone.
    """
    table = _ARM_BY_SPELLING if is_arm(architecture) else _X86_BY_SPELLING if is_x86(architecture) else {}
    found = {table.get(name.lower().translate(_NO_MARKS)) for name in names}
    return {name: name in found for name in ISA}


_NO_MARKS = str.maketrans("", "", "_-.")


def is_x86(architecture: str) -> bool:
    """Whether it is x86, of 32 or 64 bits."""
    return architecture in {"x86_64", "x86"}


def is_arm(architecture: str) -> bool:
    """Whether it is ARM, of 32 or 64 bits."""
    return architecture in {"aarch64", "arm"}


def int8_support(isa: Mapping[str, bool], architecture: str) -> Int8Support:
    """The int8 instructions among ``isa`` and the recipe they ask for."""
    by = tuple(name for name in X86_INT8 + ARM_INT8 if isa[name])
    recipe: Recipe = "u8s8-reduce-range"  # never saturates, so it is right where nothing is known
    if is_arm(architecture):
        recipe = "s8s8"
    elif by:
        recipe = "u8s8"
    return Int8Support(accelerated=bool(by), by=by, recipe=recipe)
