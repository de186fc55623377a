"""The vector operations that the kernels are made of, 16 voxels at a time. `plain.py` has the same ones without IR.

Arrays are flat, offsets count elements; nothing is checked. Numba itself does not vectorise reversed copies, gathers of
neighbouring pairs or products of 32-bit integers, which is why these exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba import types

from .vector_ir import ARRAY, F32, FLAG, FLOAT, I32, I64, INT, RELAXED, Emitter, ir, vector_operation

LANES = 16
_REVERSED = range(LANES - 1, -1, -1)


@vector_operation(ARRAY, INT)
def prefetch(e: Emitter, array: Any, offset: Any) -> None:
    """A hint that array[offset] is read soon. Into the second cache: planes often share sets of the first."""
    e.prefetch(e.at(array, offset), 2)


@vector_operation(ARRAY, INT, ARRAY, INT, INT, FLAG)
def row_copy(e: Emitter, to: Any, start: Any, source: Any, first: Any, count: Any, past: Any) -> None:
    """to[start + i] = source[first + i] for i < count; the same dtype, other memory. `past` the caches: of whole lines of them.

    Rows are short: a call of memcpy took three times as long as copying 96 bytes here.
    """
    _row(e, to, start, count, past, lambda i, lanes: e.load(source, e.builder.add(first, i), lanes))


@vector_operation(ARRAY, INT, ARRAY, INT, INT, FLAG)
def row_reverse(e: Emitter, to: Any, start: Any, source: Any, first: Any, count: Any, past: Any) -> None:
    """to[start + i] = source[first + count - 1 - i] for i < count; the same dtype, other memory. `past`: as `row_copy`."""
    b = e.builder
    end = b.add(first, count)

    def reversed_block(i: Any, lanes: int) -> Any:
        v = e.load(source, b.sub(b.sub(end, i), e.index(lanes)), lanes)
        return e.shuffle(v, v, range(lanes - 1, -1, -1))

    _row(e, to, start, count, past, reversed_block, last_first=True)


def _row(
    e: Emitter, to: Any, start: Any, count: Any, past: Any, values: Callable[[Any, int], Any], last_first: bool = False
) -> None:
    """to[start + i + j] = values(i, lanes)[j]. `last_first`: past the caches from the end on, as a reversed row lies in memory."""
    b, line = e.builder, 64 // e.bytes_of(to)
    with b.if_else(past) as (around, through):
        with around, e.steps(b.udiv(count, e.index(line)), line) as i:
            i = b.sub(b.sub(count, e.index(line)), i) if last_first else i
            e.store_past(values(i, line), to, b.add(start, i))
        with through:
            e.cover(count, _widths(e.bytes_of(to)), lambda i, lanes: e.store(values(i, lanes), to, b.add(start, i)))


def _widths(size: int) -> list[int]:
    """Lanes of elements of `size` bytes: a line of the cache, a quarter of it."""
    return [64 // size, 16 // size]


@vector_operation(ARRAY, INT, ARRAY, INT, INT, FLOAT, FLOAT, FLAG, FLAG)
def row_linear(
    e: Emitter, to: Any, start: Any, source: Any, first: Any, count: Any, scale: Any, shift: Any, backwards: Any, past: Any
) -> None:
    """to[start + i] = source[...] * scale + shift, read as by `row_copy` or, if backwards, by `row_reverse`; float32.

    The product is rounded before the sum, as torch does. `past`: as `row_copy`.
    """
    b = e.builder
    blocks, end = b.udiv(count, e.index(LANES)), b.add(first, count)
    scales, shifts = e.splat(scale, LANES), e.splat(shift, LANES)

    def changed(i: Any, reading_back: bool) -> Any:
        v = e.load(source, b.sub(b.sub(end, i), e.index(LANES)) if reading_back else b.add(first, i), LANES)
        v = e.shuffle(v, v, _REVERSED) if reading_back else v
        return b.fadd(b.fmul(v, scales), shifts)

    with b.if_else(backwards) as (reverse, forward):
        for branch, reading_back in ((reverse, True), (forward, False)):
            # Which way to store is asked once a row: asked for every line, it took a third more.
            with branch, b.if_else(past) as (around, through):
                with around, e.steps(blocks, LANES) as i:
                    i = b.sub(b.sub(count, e.index(LANES)), i) if reading_back else i
                    e.store_past(changed(i, reading_back), to, b.add(start, i))
                with through:
                    with e.steps(blocks, LANES) as i:
                        e.store(changed(i, reading_back), to, b.add(start, i))
                    with e.rest(b.mul(blocks, e.index(LANES)), count) as i:
                        v = e.load_one(source, b.sub(b.sub(end, i), e.index(1)) if reading_back else b.add(first, i))
                        e.store_one(b.fadd(b.fmul(v, scale), shift), to, b.add(start, i))


@vector_operation(ARRAY, INT, ARRAY, INT, ARRAY, INT, INT)
def row_pairs(e: Emitter, to: Any, start: Any, upper: Any, first: Any, lower: Any, second: Any, count: Any) -> None:
    """to[start + 2i], to[start + 2i + 1] = upper[first + i], lower[second + i] for i < count; float32.

    Reads and writes on to the next multiple of 16 rows: up to 15 pairs beyond the end.
    """
    b = e.builder
    with e.steps(b.udiv(b.add(count, e.index(LANES - 1)), e.index(LANES)), LANES) as i:
        u, v = e.load(upper, b.add(first, i), LANES), e.load(lower, b.add(second, i), LANES)
        o = b.add(start, b.mul(i, e.index(2)))
        e.store(e.shuffle(u, v, [k // 2 + LANES * (k % 2) for k in range(LANES)]), to, o)
        e.store(e.shuffle(u, v, [8 + k // 2 + LANES * (k % 2) for k in range(LANES)]), to, b.add(o, e.index(LANES)))


@vector_operation(ARRAY, INT, INT, ARRAY, INT, INT, FLAG)
def tile_transpose(e: Emitter, to: Any, start: Any, line: Any, source: Any, first: Any, stride: Any, past: Any) -> None:
    """to[start + i * line + j] = source[first + j * stride + i] for i, j < n; the same dtype.

    n is 16, or 8 for elements of 8 bytes, so that 4 and 8 bytes are read and written by whole lines of the cache: rows that a
    power of two lies between share a set of it, which does not hold them until their other half is due. `past` the caches: only
    what has 4 or 8 bytes, to whole lines of them.
    """
    b, size = e.builder, e.bytes_of(to)
    n = 8 if size == 8 else 16
    rows = [e.load(source, b.add(first, b.mul(stride, e.index(j))), n) for j in range(n)]
    columns = _columns_of_words(e, rows) if size == 4 else _columns(e, rows)
    offsets = [b.add(start, b.mul(line, e.index(i))) for i in range(n)]
    with b.if_else(past) as (around, through):
        for branch, store in ((around, e.store_past), (through, e.store)):
            with branch:
                for column, offset in zip(columns, offsets, strict=True):
                    store(column, to, offset)


def _columns(e: Emitter, rows: list[Any]) -> list[Any]:
    """Interleaving row i with row i + n / 2, log2(n) times, is a transposition."""
    n = len(rows)
    for _ in range(n.bit_length() - 1):
        halves = [(rows[i], rows[i + n // 2]) for i in range(n // 2)]
        rows = [e.shuffle(u, v, [n // 2 * half + k // 2 + n * (k % 2) for k in range(n)]) for u, v in halves for half in (0, 1)]
    return rows


def _columns_of_words(e: Emitter, rows: list[Any]) -> list[Any]:
    """As `_columns`, of 16 rows of 16 words: 4 x 4 inside each quarter of a vector, then the quarters, which is cheaper."""

    def exchange(u: Any, v: Any, lanes: Sequence[int]) -> Any:
        return e.shuffle(u, v, [quarter + lane for quarter in (0, 4, 8, 12) for lane in lanes])

    def quarters(u: Any, v: Any, four: Sequence[int]) -> Any:
        return e.shuffle(u, v, [4 * quarter + lane for quarter in four for lane in range(4)])

    inner: list[list[Any]] = []
    for g in range(0, 16, 4):
        low = [exchange(rows[g + k], rows[g + k + 1], (0, 16, 1, 17)) for k in (0, 2)]
        high = [exchange(rows[g + k], rows[g + k + 1], (2, 18, 3, 19)) for k in (0, 2)]
        inner.append([exchange(u, v, lanes) for u, v in (low, high) for lanes in ((0, 1, 16, 17), (2, 3, 18, 19))])
    columns: list[Any] = [None] * 16
    for c, column in enumerate(zip(*inner, strict=True)):
        pairs = [[quarters(column[k], column[k + 1], four) for k in (0, 2)] for four in ((0, 1, 4, 5), (2, 3, 6, 7))]
        for half, (u, v) in enumerate(pairs):
            columns[8 * half + c] = quarters(u, v, (0, 2, 4, 6))
            columns[8 * half + 4 + c] = quarters(u, v, (1, 3, 5, 7))
    return columns


@vector_operation(ARRAY, INT, ARRAY, ARRAY, ARRAY, ARRAY, INT)
def lerp_columns(e: Emitter, to: Any, start: Any, source: Any, low: Any, high: Any, weight: Any, count: Any) -> None:
    """to[start + 16i + k] = (1 - weight[i]) * source[16 low[i] + k] + weight[i] * source[16 high[i] + k], i < count, k < 16.

    float32, indices uint32.
    """
    b, relaxed = e.builder, {"flags": ("contract",)}
    with e.steps(count, 1) as i:
        q = e.load_one(weight, i)
        parts = []
        for index, share in ((low, b.fsub(ir.Constant(F32, 1.0), q)), (high, q)):
            at = b.mul(b.zext(e.load_one(index, i), I64), e.index(LANES))
            parts.append(b.fmul(e.load(source, at, LANES), e.splat(share, LANES), **relaxed))
        e.store(b.fadd(*parts, **relaxed), to, b.add(start, b.mul(i, e.index(LANES))))


_TRIPLE_F, _TRIPLE_I = types.UniTuple(types.float32, 3), types.UniTuple(types.intp, 3)


@vector_operation(_TRIPLE_I, _TRIPLE_F, _TRIPLE_F, _TRIPLE_F, INT, INT, INT, ARRAY, ARRAY, ARRAY, INT)
def cells(
    e: Emitter,
    base: Any,
    rest: Any,
    step: Any,
    limit: Any,
    x: Any,
    line: Any,
    plane: Any,
    corner: Any,
    near: Any,
    part: Any,
    i: Any,
) -> None:
    """Where 16 voxels of a row read, coordinates in the order (z, y, x).

    Coordinate of voxel k and axis a: base + min(max(rest + step * (x + k), 0), limit). corner[i + k] is the flat offset of its
    cell's first corner times two, near[i + k] that of the nearest voxel, part[3 * i + 16 * a + k] the fraction.
    """
    b = e.builder
    vector = ir.VectorType(I32, LANES)
    ramp, zero, half = (e.constant(F32, values) for values in (range(LANES), [0.0] * LANES, [0.5] * LANES))
    ramp = b.fadd(e.splat(b.sitofp(x, F32), LANES), ramp)
    none = ir.Constant(vector, [0] * LANES)
    strides = [e.splat(v, LANES) for v in (b.trunc(plane, I32), b.trunc(line, I32), I32(1))]
    offset, further = none, none
    for axis in range(3):
        start, slope, top = (e.splat(b.extract_value(t, axis), LANES) for t in (rest, step, limit))
        c = b.fadd(start, b.fmul(slope, ramp, flags=RELAXED), flags=RELAXED)
        c = b.select(b.fcmp_ordered(">", c, zero), c, zero)
        c = b.select(b.fcmp_ordered("<", c, top), c, top)
        whole = b.fptosi(c, vector)
        fraction = b.fsub(c, b.sitofp(whole, ir.VectorType(F32, LANES)))
        e.store(fraction, part, b.add(b.mul(i, e.index(3)), e.index(LANES * axis)))
        origin = e.splat(b.trunc(b.extract_value(base, axis), I32), LANES)
        offset = b.add(offset, b.mul(b.add(origin, whole), strides[axis]))
        further = b.add(further, b.select(b.fcmp_ordered(">=", fraction, half), strides[axis], none))
    nearest = b.add(offset, further)
    e.store(b.add(offset, offset), corner, i)
    e.store(nearest, near, i)


@vector_operation(ARRAY, INT, ARRAY, ARRAY, INT)
def gather_nearest(e: Emitter, to: Any, start: Any, source: Any, near: Any, i: Any) -> None:
    """to[start + k] = source[near[i + k]] for k < 16; the same dtype."""
    b = e.builder
    for k in range(LANES):
        offset = b.sext(e.load_one(near, b.add(i, e.index(k))), I64)
        e.store_one(e.load_one(source, offset), to, b.add(start, e.index(k)))


@vector_operation(ARRAY, INT, ARRAY, INT, INT, ARRAY, ARRAY, INT)
def add_trilinear(e: Emitter, to: Any, start: Any, pairs: Any, plane: Any, ahead: Any, corner: Any, part: Any, i: Any) -> None:
    """to[start + k] += the trilinear sample of the cell at corner[i + k] with the fractions part[3 * i ...], k < 16.

    `pairs` holds (v[y, x], v[y + 1, x]), so a cell is two loads of four floats, `plane` floats apart. What lies `ahead` floats
    further on is prefetched.
    """
    b = e.builder

    def lerp(x: Any, y: Any, t: Any) -> Any:
        return b.fadd(x, b.fmul(t, b.fsub(y, x, flags=RELAXED), flags=RELAXED), flags=RELAXED)

    z, y, x = (e.load(part, b.add(b.mul(i, e.index(3)), e.index(LANES * axis)), LANES) for axis in range(3))
    corners = [e.at(pairs, b.sext(e.load_one(corner, b.add(i, e.index(k))), I64)) for k in range(LANES)]
    for k in (0, 4, 8, 12, 15):
        e.prefetch(e.at(corners[k], ahead), 3)

    def columns(j: int, offset: Any) -> Any:
        """The four floats of voxels j, 4 + j, 8 + j and 12 + j as one vector."""
        q = [e.load(corners[4 * k + j], offset, 4) for k in range(4)]
        halves = e.shuffle(q[0], q[1], range(8)), e.shuffle(q[2], q[3], range(8))
        return e.shuffle(*halves, range(LANES))

    quads = []
    for j in range(4):
        weights = e.shuffle(z, z, [4 * (k // 4) + j for k in range(LANES)])
        quads.append(lerp(columns(j, e.index(0)), columns(j, plane), weights))

    def in_each_four(lanes: tuple[int, int, int, int]) -> list[int]:
        return [lane + 4 * k for k in range(4) for lane in lanes]

    # A 4 x 4 transposition in each of four groups of lanes: from voxels to corners.
    low, high = in_each_four((0, 16, 1, 17)), in_each_four((2, 18, 3, 19))
    left = e.shuffle(quads[0], quads[1], low), e.shuffle(quads[2], quads[3], low)
    right = e.shuffle(quads[0], quads[1], high), e.shuffle(quads[2], quads[3], high)
    upper, lower = in_each_four((0, 1, 16, 17)), in_each_four((2, 3, 18, 19))
    sample = lerp(
        lerp(e.shuffle(*left, upper), e.shuffle(*left, lower), y), lerp(e.shuffle(*right, upper), e.shuffle(*right, lower), y), x
    )
    e.store(b.fadd(e.load(to, start, LANES), sample), to, start)


@vector_operation(ARRAY, INT, INT, ARRAY)
def row_extremes(e: Emitter, values: Any, start: Any, count: Any, extremes: Any) -> None:
    """Lanewise minima in extremes[0:16], maxima in [16:32] and NaNs, as a NaN, in [32:48], updated with float32 values.

    Only the first count // 16 * 16 values are seen.
    """
    b = e.builder
    from numba.core import cgutils

    slots = [cgutils.alloca_once_value(b, e.load(extremes, e.index(LANES * k), LANES)) for k in range(3)]
    with e.steps(b.udiv(count, e.index(LANES)), LANES) as i:
        v = e.load(values, b.add(start, i), LANES)
        for slot, relation in zip(slots, ("<", ">"), strict=False):
            known = b.load(slot)
            b.store(b.select(b.fcmp_ordered(relation, v, known), v, known), slot)
        bad = b.load(slots[2])
        b.store(b.select(b.fcmp_unordered("uno", v, v), v, bad), slots[2])
    for k, slot in enumerate(slots):
        e.store(b.load(slot), extremes, e.index(LANES * k))


@vector_operation(types.uint32, returns=types.uint32)
def hash32(e: Emitter, value: Any) -> Any:
    """Chris Wellons' lowbias32: a bijection of 32-bit words that mixes all bits."""
    b = e.builder
    value = b.mul(b.xor(value, b.lshr(value, I32(16))), I32(0x7FEB352D))
    value = b.mul(b.xor(value, b.lshr(value, I32(15))), I32(0x846CA68B))
    return b.xor(value, b.lshr(value, I32(16)))


@vector_operation(types.float64, types.float64, types.float64, returns=types.float64)
def multiply_add(e: Emitter, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once where the machine can, also in kernels that round every operation."""
    double, functions = ir.DoubleType(), e.builder.module.globals
    kind = ir.FunctionType(double, [double] * 3)
    fused = functions.get("llvm.fmuladd.f64") or ir.Function(e.builder.module, kind, "llvm.fmuladd.f64")
    return e.builder.call(fused, [a, b, c])


@vector_operation(types.uint32, types.uint32, returns=types.uint32)
def xor32(e: Emitter, first: Any, second: Any) -> Any:
    """first ^ second in 32 bits, where numba computes in 64."""
    return e.builder.xor(first, second)
