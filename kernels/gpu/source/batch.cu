// The kernel: one launch for all rows of a batch that have the same types, IMAGE_IN, IMAGE_OUT and WORD.

static_assert(sizeof(Row) == ROW_BYTES && sizeof(Step) == STEP_BYTES, "table.py describes other structures");

extern "C" __global__ void __launch_bounds__(THREADS, 4)
run_rows(const Row* __restrict__ rows, const Step* __restrict__ steps, u32* extremes) {
    __shared__ Row row;
    __shared__ IMAGE_IN tile[TILE * PITCH];
    __shared__ WORD word_tile[TILE * PITCH];
    int thread = threadIdx.x, block = blockIdx.x;
    const u32* table = (const u32*)(rows + blockIdx.y);
    for (int i = thread; i < ROW_BYTES / 4; i += THREADS) ((u32*)&row)[i] = table[i];
    __syncthreads();
    if (block >= row.blocks) return;
    Quad q = quad_of(row, block, thread);
    Place place = place_of(row, q);
    Extremes found = {float_of_bits(0x7f800000u), float_of_bits(0xff800000u), false};
    int channels = row.channels > row.word_channels ? row.channels : row.word_channels;
    for (int c = 0; c < channels; c++) {
        if (row.cover == TILES) {
            if (c > 0) __syncthreads();
            begin(row, c, block, thread, tile, word_tile);
            __syncthreads();
        }
        if (q.count == 0) continue;
        if (c < row.channels) finish_image<IMAGE_IN, IMAGE_OUT>(row, steps, extremes, c, q, place, thread, tile, found);
        if (c < row.word_channels) finish_word<WORD>(row, c, q, place, thread, word_tile);
    }
    if (row.extremes_out < 0) return;
    u32 low = ordered(found.low), high = ordered(found.high), bad = found.bad;
    for (int distance = 16; distance > 0; distance /= 2) {
        u32 other_low = __shfl_xor_sync(0xffffffffu, low, distance), other_high = __shfl_xor_sync(0xffffffffu, high, distance);
        low = low < other_low ? low : other_low;
        high = high > other_high ? high : other_high;
        bad |= __shfl_xor_sync(0xffffffffu, bad, distance);
    }
    if (thread % 32 == 0) {
        u32* slot = extremes + 3 * row.extremes_out;
        atomicMin(slot, low);
        atomicMax(slot + 1, high);
        if (bad) atomicOr(slot + 2, 1u);
    }
}
