// One row of the table is one image, one label (or other words that are only moved), or both, of one sample: where the voxels
// come from, where they go, and what happens to them on the way. A block of 256 threads makes up to 1024 voxels of each channel.
// Compiles for the device and for the host; `kernels/gpu/table.py` has the same structures in Python.

#define THREADS 256
#define VOXELS 4  // of a row of the output, that one thread makes
#define TILE 32
#define PITCH 33  // one more, so that columns lie in different banks

enum { LINES, TILES, BRICKS };                   // how blocks cover the output
enum { MOVE, SEPARABLE, GENERAL };               // how coordinates are found
enum { LINEAR, CLIP, GAMMA, FIELD, NOISE };

struct Row {
    const void* image;       // the voxel of the source that the window's first voxel reads, whether it exists or not
    void* image_out;
    const void* word;
    void* word_out;
    i64 matrix[3][4];        // output voxel (z, y, x, 1) to a place in the window, in 2^-32 of a voxel
    i64 image_channel, word_channel, image_out_channel, word_out_channel;  // distances in elements
    int image_stride[3], word_stride[3];  // of the window's axes in the source, in elements
    int shape[3];            // of the output
    int size[3];             // of the window
    int box[6];              // the part of the window that the source has: z0, z1, y0, y1, x0, x1; the rest is filled
    int channels, word_channels;
    int cover, mode, border, along;  // along: the axis (0 or 1) that the source's memory follows, for TILES
    int first_step, steps;
    int extremes_in, extremes_out;   // of the image before its steps and after them; -1: none
    int blocks;
    float fill;
    u64 word_fill;
};

struct Step {
    int code;
    u32 seed;
    float a, b;
    const float* field;
};

struct Quad { int z, y, x, count; };  // the first of up to VOXELS voxels in x; count = 0: outside the output

template <class T> struct alignas(sizeof(T) * VOXELS > 16 ? 16 : sizeof(T) * VOXELS) Packed { T v[VOXELS]; };

template <class T> BOTH bool is_aligned(const T* p) { return ((u64)p & (sizeof(Packed<T>) > 16 ? 15 : sizeof(Packed<T>) - 1)) == 0; }

// Sources that nothing writes while the kernel runs go through the read-only cache.
template <class T> BOTH T read_only(const T* p) {
#ifdef __CUDA_ARCH__
    return __ldg(p);
#else
    return *p;
#endif
}
BOTH f16 read_only(const f16* p) { f16 v; v.bits = read_only(&p->bits); return v; }
BOTH bf16 read_only(const bf16* p) { bf16 v; v.bits = read_only(&p->bits); return v; }

BOTH Quad quad_of(const Row& row, int block, int thread) {
    int depth = row.shape[0], height = row.shape[1], width = row.shape[2];
    Quad q;
    if (row.cover == LINES) {
        int quads = (width + VOXELS - 1) / VOXELS, i = block * THREADS + thread, line = i / quads;
        q.x = (i - line * quads) * VOXELS;
        q.z = line / height;
        q.y = line - q.z * height;
    } else {
        int columns = (width + TILE - 1) / TILE, rest = block / columns;
        q.x = (block - rest * columns) * TILE + (thread & 7) * VOXELS;
        if (row.cover == BRICKS) {  // 4 x 8 x 32 voxels, whose places lie close together
            int lines = (height + 7) / 8, plane = rest / lines;
            q.y = (rest - plane * lines) * 8 + (thread >> 3 & 7);
            q.z = plane * 4 + (thread >> 6);
        } else {
            int tiles = (row.shape[row.along] + TILE - 1) / TILE, other = rest / tiles;
            int at = (rest - other * tiles) * TILE + (thread >> 3);
            q.z = row.along == 0 ? at : other;
            q.y = row.along == 0 ? other : at;
        }
    }
    int left = width - q.x;
    q.count = q.z >= depth || q.y >= height || left < 0 ? 0 : left < VOXELS ? left : VOXELS;
    return q;
}

BOTH bool in_box(const Row& row, int z, int y, int x) {
    const int* b = row.box;
    return z >= b[0] && z < b[1] && y >= b[2] && y < b[3] && x >= b[4] && x < b[5];
}

// Moved voxels -----------------------------------------------------------------------------------------------------------------

template <class T> BOTH T moved(const Row& row, const T* source, const int* stride, T fill, int z, int y, int x) {
    return in_box(row, z, y, x) ? source[z * stride[0] + y * stride[1] + x * stride[2]] : fill;
}

template <class T> BOTH void move_quad(const Row& row, const T* source, const int* stride, T fill, Quad q, T* v) {
    int step = stride[2];
    const T* from = source + (q.z * stride[0] + q.y * stride[1] + q.x * step);
    if (step < 0) from += step * (VOXELS - 1);
    if ((step == 1 || step == -1) && q.count == VOXELS && is_aligned(from) && in_box(row, q.z, q.y, q.x) &&
        in_box(row, q.z, q.y, q.x + VOXELS - 1)) {
        Packed<T> p = *(const Packed<T>*)from;
        UNROLL for (int k = 0; k < VOXELS; k++) v[k] = p.v[step < 0 ? VOXELS - 1 - k : k];
        return;
    }
    UNROLL for (int k = 0; k < VOXELS; k++) v[k] = k < q.count ? moved(row, source, stride, fill, q.z, q.y, q.x + k) : fill;
}

// Where the source's memory follows z or y, a tile is read along that axis and written along x.
template <class T>
BOTH void stage(const Row& row, const T* source, const int* stride, T fill, int block, int thread, T* tile) {
    int columns = (row.shape[2] + TILE - 1) / TILE, rest = block / columns;
    int tiles = (row.shape[row.along] + TILE - 1) / TILE, other = rest / tiles, lane = thread & (TILE - 1);
    int at = (rest - other * tiles) * TILE + lane, z = row.along == 0 ? at : other, y = row.along == 0 ? other : at;
    for (int i = thread / TILE; i < TILE; i += THREADS / TILE) {
        int x = (block - rest * columns) * TILE + i;
        tile[i * PITCH + lane] = moved(row, source, stride, fill, z, y, x);
    }
}

template <class T> BOTH void take_from_tile(const T* tile, int thread, T* v) {
    UNROLL for (int k = 0; k < VOXELS; k++) v[k] = tile[((thread & 7) * VOXELS + k) * PITCH + (thread >> 3)];
}

// Sampled voxels ---------------------------------------------------------------------------------------------------------------

// Places in the window, in fixed point: exact sums, so that device, host and every other implementation agree on each nearest
// voxel. `Place` is where the first voxel of a quad lies; the others are found from it, which takes fewer registers.
struct Place { i64 z, y, x; };

BOTH i64 along_axis(const i64* m, Quad q) { return m[0] * q.z + m[1] * q.y + m[2] * q.x + m[3]; }

BOTH Place place_of(const Row& row, Quad q) {
    Place p = {along_axis(row.matrix[0], q), along_axis(row.matrix[1], q), along_axis(row.matrix[2], q)};
    return p;
}

BOTH i64 held(i64 at, int size) {
    i64 top = (i64)(size - 1) << 32;
    return at < 0 ? 0 : at > top ? top : at;
}

BOTH Place next_place(const Row& row, Place p, int k) {
    if (row.mode == GENERAL) {  // else z and y stay
        p.z += row.matrix[0][2] * k;
        p.y += row.matrix[1][2] * k;
    }
    p.x += row.matrix[2][2] * k;
    if (row.border) {
        p.z = held(p.z, row.size[0]);
        p.y = held(p.y, row.size[1]);
        p.x = held(p.x, row.size[2]);
    }
    return p;
}

BOTH int clamped(int i, int size) { return i < 0 ? 0 : i < size ? i : size - 1; }

template <class T> BOTH T sampled_at(const Row& row, const T* source, const int* stride, T fill, T zero, int z, int y, int x) {
    if (row.border) {
        z = clamped(z, row.size[0]);
        y = clamped(y, row.size[1]);
        x = clamped(x, row.size[2]);
    } else if ((u32)z >= (u32)row.size[0] || (u32)y >= (u32)row.size[1] || (u32)x >= (u32)row.size[2]) {
        return zero;
    }
    return in_box(row, z, y, x) ? read_only(source + (z * stride[0] + y * stride[1] + x * stride[2])) : fill;
}

BOTH float between(float a, float b, float f) { return a + f * (b - a); }

BOTH float fraction_of(i64 place) { return (float)(int)((u32)place >> 8) * (1.0f / 16777216.0f); }

template <class T> BOTH float trilinear(const Row& row, const T* source, Place at) {
    int z = (int)(at.z >> 32), y = (int)(at.y >> 32), x = (int)(at.x >> 32);
    const int *b = row.box, *s = row.image_stride;
    float fx = fraction_of(at.x), fy = fraction_of(at.y), fz = fraction_of(at.z);
    if (z >= b[0] && z + 1 < b[1] && y >= b[2] && y + 1 < b[3] && x >= b[4] && x + 1 < b[5]) {
        const T* p = source + (z * s[0] + y * s[1] + x * s[2]);
        float line[2][2];
        UNROLL for (int k = 0; k < 2; k++) {
            UNROLL for (int j = 0; j < 2; j++) {
                const T* cell = p + (k * s[0] + j * s[1]);
                line[k][j] = between(to_float(read_only(cell)), to_float(read_only(cell + s[2])), fx);
            }
        }
        return between(between(line[0][0], line[0][1], fy), between(line[1][0], line[1][1], fy), fz);
    }
    T fill, zero;
    from_float(row.fill, fill);
    from_float(0.0f, zero);
    float sum = 0.0f;
    ROLLED for (int n = 0; n < 8; n++) {  // rare, so small code rather than fast
        int i = n & 1, j = n >> 1 & 1, k = n >> 2;
        float weight = (k ? fz : 1.0f - fz) * (j ? fy : 1.0f - fy) * (i ? fx : 1.0f - fx);
        sum += weight * to_float(sampled_at(row, source, s, fill, zero, z + k, y + j, x + i));
    }
    return sum;
}

// Ties go to the even voxel, as in torch.
BOTH int nearest_index(i64 at) {
    i64 moved = at + ((i64)1 << 31);
    int i = (int)(moved >> 32);
    return (u32)moved == 0 ? i & ~1 : i;
}

template <class T> BOTH T nearest(const Row& row, const T* source, Place at) {
    int z = nearest_index(at.z), y = nearest_index(at.y), x = nearest_index(at.x);
    return sampled_at(row, source, row.word_stride, (T)row.word_fill, (T)0, z, y, x);
}

// Intensities ------------------------------------------------------------------------------------------------------------------

// Extremes as the device's atomics take them: the order of these words is that of the floats. [2] is not 0 if some voxel is NaN.
BOTH u32 ordered(float v) {
    u32 bits = bits_of_float(v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
BOTH float float_of_ordered(u32 word) { return float_of_bits(word & 0x80000000u ? word & 0x7fffffffu : ~word); }

// v * scale + shift, rounded twice.
BOTH float scaled(float v, float scale, float shift) {
#ifdef __CUDA_ARCH__
    return __fadd_rn(__fmul_rn(v, scale), shift);
#else
    return v * scale + shift;
#endif
}

BOTH void contrast(float gamma, const u32* extremes, float* v) {
    float low = float_of_ordered(extremes[0]), span = float_of_ordered(extremes[1]) - low;
    bool sound = extremes[2] == 0 && span <= 3.4028235e38f;
    float inverse = 1.0f / (span + 1e-7f), none = gamma > 0.0f ? 0.0f : 1.0f;
    UNROLL for (int k = 0; k < VOXELS; k++) {
        float t = (v[k] - low) * inverse;
        float power = t > 1.2e-38f ? exp2_of(gamma * log2_of(t)) : none;
        v[k] = sound ? power * span + low : not_a_number();
    }
}

// `index` counts the voxels of all channels of the output, as noise and fields do.
BOTH void take_steps(const Step* steps, int count, const u32* extremes, i64 index, int voxels, float* v) {
    for (int n = 0; n < count; n++) {
        Step s = steps[n];
        switch (s.code) {
        case LINEAR:
            UNROLL for (int k = 0; k < VOXELS; k++) v[k] = scaled(v[k], s.a, s.b);
            break;
        case CLIP:
            UNROLL for (int k = 0; k < VOXELS; k++) {
                v[k] = v[k] < s.a ? s.a : v[k];
                v[k] = v[k] > s.b ? s.b : v[k];
            }
            break;
        case GAMMA: contrast(s.a, extremes, v); break;
        case FIELD:
            UNROLL for (int k = 0; k < VOXELS; k++)
                if (k < voxels) v[k] += s.field[index + k];
            break;
        default:
            UNROLL for (int k = 0; k < VOXELS; k++) v[k] += counter_normal(s.seed, index + k, s.a, s.b);
        }
    }
}

// A block's work: for each channel `begin` in every thread, a barrier, `finish_image` and `finish_word` in every thread, a barrier.

struct Extremes { float low, high; bool bad; };

template <class T> BOTH void store(T* out, const T* v, int count) {
    if (count == VOXELS && is_aligned(out)) {
        Packed<T> p;
        UNROLL for (int k = 0; k < VOXELS; k++) p.v[k] = v[k];
        *(Packed<T>*)out = p;
    } else {
        UNROLL for (int k = 0; k < VOXELS; k++)
            if (k < count) out[k] = v[k];
    }
}

BOTH i64 offset_of(const Row& row, Quad q) { return ((i64)q.z * row.shape[1] + q.y) * row.shape[2] + q.x; }

template <class In, class Word> BOTH void begin(const Row& row, int c, int block, int thread, In* tile, Word* word_tile) {
    if (c < row.channels) {
        In fill;
        from_float(row.fill, fill);
        stage(row, (const In*)row.image + c * row.image_channel, row.image_stride, fill, block, thread, tile);
    }
    if (c < row.word_channels) {
        stage(row, (const Word*)row.word + c * row.word_channel, row.word_stride, (Word)row.word_fill, block, thread, word_tile);
    }
}

template <class In, class Out>
BOTH void finish_image(
    const Row& row, const Step* steps, const u32* extremes, int c, Quad q, Place place, int thread, const In* tile, Extremes& found
) {
    const In* source = (const In*)row.image + c * row.image_channel;
    float v[VOXELS];
    if (row.mode == MOVE) {
        In moving[VOXELS], fill;
        from_float(row.fill, fill);
        if (row.cover == TILES) take_from_tile(tile, thread, moving);
        else move_quad(row, source, row.image_stride, fill, q, moving);
        UNROLL for (int k = 0; k < VOXELS; k++) v[k] = to_float(moving[k]);
    } else {
        UNROLL for (int k = 0; k < VOXELS; k++) v[k] = k < q.count ? trilinear(row, source, next_place(row, place, k)) : 0.0f;
    }
    i64 offset = offset_of(row, q), voxels = (i64)row.shape[0] * row.shape[1] * row.shape[2];
    const u32* before = row.extremes_in < 0 ? extremes : extremes + 3 * row.extremes_in;
    take_steps(steps + row.first_step, row.steps, before, c * voxels + offset, q.count, v);
    if (row.extremes_out >= 0) {
        UNROLL for (int k = 0; k < VOXELS; k++) {
            if (k < q.count) {
                found.low = v[k] < found.low ? v[k] : found.low;
                found.high = v[k] > found.high ? v[k] : found.high;
                found.bad = found.bad || !(v[k] == v[k]);
            }
        }
    }
    Out out[VOXELS];
    UNROLL for (int k = 0; k < VOXELS; k++) from_float(v[k], out[k]);
    store((Out*)row.image_out + c * row.image_out_channel + offset, out, q.count);
}

template <class Word> BOTH void finish_word(const Row& row, int c, Quad q, Place place, int thread, const Word* tile) {
    const Word* source = (const Word*)row.word + c * row.word_channel;
    Word v[VOXELS];
    if (row.mode != MOVE) {
        UNROLL for (int k = 0; k < VOXELS; k++) v[k] = k < q.count ? nearest(row, source, next_place(row, place, k)) : (Word)0;
    } else if (row.cover == TILES) {
        take_from_tile(tile, thread, v);
    } else {
        move_quad(row, source, row.word_stride, (Word)row.word_fill, q, v);
    }
    store((Word*)row.word_out + c * row.word_out_channel + offset_of(row, q), v, q.count);
}
