"""The CUDA C++ that is compiled at the first launch. The `.cuh` files are the arithmetic and compile for the host as well."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

ARITHMETIC = ("numbers.cuh", "rows.cuh")


@cache
def read_source(*, kernel: bool = True) -> str:
    """The arithmetic in one text that needs no headers, with the kernel or without (for a host compiler)."""
    names = (*ARITHMETIC, "batch.cu") if kernel else ARITHMETIC
    return "\n".join(files(__package__).joinpath(name).read_text(encoding="utf-8") for name in names)
