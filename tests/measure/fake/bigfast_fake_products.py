"""Backends that multiply in NumPy: one as it should be, one in every way in which a kernel can fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from bigfast_fake import Fake

from bigfast.backend import Availability, FloatArray, MatrixKernel, Product
from bigfast.cpu import Machine


def numpy_product(left: FloatArray, right: FloatArray) -> Product:
    return Product(multiply=lambda: left @ right, values=lambda: left @ right)


def wrong(left: FloatArray, right: FloatArray) -> Product:
    return Product(multiply=lambda: None, values=lambda: left @ right * 1.1)


def nan(left: FloatArray, right: FloatArray) -> Product:
    return Product(multiply=lambda: None, values=lambda: left @ right * float("nan"))


def refuses(left: FloatArray, right: FloatArray) -> Product:
    raise RuntimeError("these matrices\nare not to its taste")


def failing(fail: Callable[[], object]) -> Callable[[FloatArray, FloatArray], Product]:
    def prepare(left: FloatArray, right: FloatArray) -> Product:
        return Product(multiply=fail, values=lambda: left @ right)

    return prepare


class Products(Fake):
    name = "fake-products"

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        return tuple(
            MatrixKernel(name=f"numpy {precision}", precision=precision, prepare=numpy_product)
            for precision in ("fp32", "int8")
        )


class Broken(Fake):
    name = "fake-broken"

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        ways = {
            "wrong": wrong,
            "nan": nan,
            "refuses": refuses,
            "dies": failing(lambda: os.kill(os.getpid(), signal.SIGKILL)),
            "hangs": failing(lambda: time.sleep(60)),
        }
        return tuple(MatrixKernel(name=name, precision="int8", prepare=prepare) for name, prepare in ways.items())


class DiesOpening(Fake):
    name = "fake-dies-opening"

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        os.kill(os.getpid(), signal.SIGILL)
        raise AssertionError


class NotHere(Products):
    name = "fake-not-here"

    def available(self) -> Availability:
        return Availability(usable=False, version=None, reason="pip install it")
