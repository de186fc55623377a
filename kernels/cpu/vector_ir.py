"""A small language for vector operations inside numba code: functions that write LLVM vector IR, which LLVM lowers to
whatever the machine has. No instruction of a particular processor is named anywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from llvmlite import ir as ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
#: Kinds of argument. An array arrives in the emitting function as the pointer to its first element.
ARRAY, INT, FLOAT, FLAG = None, types.intp, types.float32, types.boolean
#: Rounding may differ between machines, NaN and infinity still propagate.
RELAXED = ("contract", "nsz", "reassoc")


class Emitter:
    """The IR builder of one operation, with the few idioms that the operations share."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def index(self, value: int) -> Any:
        return ir.Constant(I64, value)

    def at(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset])

    def load(self, pointer: Any, offset: Any, lanes: int) -> Any:
        """`lanes` elements from an unaligned address."""
        vector = ir.VectorType(self.element(pointer), lanes)
        return self.builder.load(self.builder.bitcast(self.at(pointer, offset), vector.as_pointer()), align=1)

    def store(self, value: Any, pointer: Any, offset: Any) -> None:
        self.builder.store(value, self.builder.bitcast(self.at(pointer, offset), value.type.as_pointer()), align=1)

    def store_past(self, value: Any, pointer: Any, offset: Any) -> None:
        """Past the caches: a whole line of them, at its address. The line is then not read before it is written."""
        b = self.builder
        address = b.bitcast(self.at(pointer, offset), value.type.as_pointer())
        b.store(value, address, align=64).set_metadata("nontemporal", b.module.add_metadata([I32(1)]))

    def load_one(self, pointer: Any, offset: Any) -> Any:
        return self.builder.load(self.at(pointer, offset))

    def store_one(self, value: Any, pointer: Any, offset: Any) -> None:
        self.builder.store(value, self.at(pointer, offset))

    def element(self, pointer: Any) -> Any:
        return pointer.type.pointee

    def splat(self, value: Any, lanes: int) -> Any:
        vector = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
        return self.shuffle(self.builder.insert_element(vector, value, I32(0)), vector, [0] * lanes)

    def shuffle(self, first: Any, second: Any, lanes: Sequence[int]) -> Any:
        """Lanes of `first` and, counted on from there, of `second`."""
        return self.builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

    def constant(self, element: Any, lanes: Sequence[float]) -> Any:
        return ir.Constant(ir.VectorType(element, len(lanes)), list(lanes))

    def prefetch(self, pointer: Any, locality: int) -> None:
        """A hint that `pointer` is read soon; 3 is the nearest cache. Addresses outside the array do no harm."""
        byte = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.type, I32, I32, I32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [byte, I32(0), I32(locality), I32(1)])

    @contextmanager
    def steps(self, count: Any, width: int) -> Iterator[Any]:
        """A loop over 0, width, 2 * width, ... of `count` steps."""
        with cgutils.for_range(self.builder, count) as loop:
            yield self.builder.mul(loop.index, self.index(width))

    def cover(self, count: Any, lanes: Sequence[int], block: Callable[[Any, int], None]) -> None:
        """`block(offset, lanes)` over 0..count with the first of the numbers of lanes that fits in, one by one if none does.

        The last block is moved back so that it ends at `count`: what it covers twice must come out the same.
        """
        if not lanes:
            with self.rest(self.index(0), count) as i:
                block(i, 1)
            return
        width, b = self.index(lanes[0]), self.builder
        with b.if_else(b.icmp_signed(">=", count, width)) as (fits, smaller):
            with fits:
                last = b.sub(count, width)
                with self.steps(b.udiv(b.add(count, self.index(lanes[0] - 1)), width), lanes[0]) as i:
                    block(b.select(b.icmp_signed("<", i, last), i, last), lanes[0])
            with smaller:
                self.cover(count, lanes[1:], block)

    def bytes_of(self, pointer: Any) -> int:
        """The size of an element."""
        element = self.element(pointer)
        return cast(int, element.width // 8) if isinstance(element, ir.IntType) else 8 if element == ir.DoubleType() else 4

    @contextmanager
    def rest(self, start: Any, stop: Any) -> Iterator[Any]:
        with cgutils.for_range(self.builder, self.builder.sub(stop, start)) as loop:
            yield self.builder.add(start, loop.index)


def vector_operation(*kinds: Any, returns: Any = types.void) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make `emit(emitter, *arguments)`, which writes IR, callable from compiled code with arguments of these kinds."""

    def wrap(emit: Callable[..., Any]) -> Callable[..., Any]:
        def define(context: Any, *arguments: Any) -> Any:
            given = [argument if kind is ARRAY else kind for kind, argument in zip(kinds, arguments, strict=True)]

            def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
                operands = [
                    target.make_array(kind)(target, builder, value).data if isinstance(kind, types.Array) else value
                    for kind, value in zip(signature.args, values, strict=True)
                ]
                result = emit(Emitter(builder), *operands)
                return target.get_dummy_value() if returns is types.void else result

            return returns(*given), generate

        define.__name__ = emit.__name__
        define.__doc__ = emit.__doc__
        define.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]  # numba counts the arguments
        return cast(Callable[..., Any], intrinsic(define))

    return wrap
