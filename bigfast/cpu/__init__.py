"""What machine this is: instruction sets, cores we may really use, caches, identity, and how disturbed it is now."""

from bigfast.cpu.detect import detect, read_cpuinfo
from bigfast.cpu.flags import ISA, Int8Support, Recipe
from bigfast.cpu.health import Health, HealthChange, change, health_json, missing, read_health
from bigfast.cpu.machine import Machine
from bigfast.cpu.waiting import waited_s
from bigfast.cpu.words import describe, describe_health, int8_verdict, isa_word

__all__ = [
    "ISA",
    "Health",
    "HealthChange",
    "Int8Support",
    "Machine",
    "Recipe",
    "change",
    "describe",
    "describe_health",
    "detect",
    "health_json",
    "int8_verdict",
    "isa_word",
    "missing",
    "read_cpuinfo",
    "read_health",
    "waited_s",
]
