// Numbers: what voxels are stored as, elementary functions, and noise. Compiles for the device and for the host, without headers,
// and is computed alike on both: integers exactly, floats by the same polynomials as kernels/cpu.

#ifdef __CUDACC__
#define BOTH __host__ __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#else
#define BOTH inline
#define UNROLL
#define ROLLED
#endif

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

BOTH float float_of_bits(u32 bits) {
    union { u32 bits; float value; } both;
    both.bits = bits;
    return both.value;
}

BOTH u32 bits_of_float(float value) {
    union { u32 bits; float value; } both;
    both.value = value;
    return both.bits;
}

BOTH float not_a_number() { return float_of_bits(0x7fc00000u); }

// Halves are moved as 16 bits. The device converts in one instruction; the host by hand, with the same rounding (to even).
struct f16 { u16 bits; };
struct bf16 { u16 bits; };

BOTH float to_float(float v) { return v; }
BOTH float to_float(u8 v) { return (float)v; }
BOTH float to_float(i8 v) { return (float)v; }
BOTH float to_float(i16 v) { return (float)v; }
BOTH float to_float(bf16 v) { return float_of_bits((u32)v.bits << 16); }
BOTH float to_float(f16 v) {
#ifdef __CUDA_ARCH__
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(v.bits));
    return wide;
#else
    u32 sign = (u32)(v.bits & 0x8000) << 16, rest = v.bits & 0x7fff;
    if (rest >= 0x7c00) return float_of_bits(sign | 0x7f800000u | (rest & 0x3ff) << 13);
    if (rest >= 0x400) return float_of_bits(sign | ((rest << 13) + 0x38000000u));
    float small = (float)rest * float_of_bits(0x33800000u);  // 2^-24
    return float_of_bits(sign | bits_of_float(small));
#endif
}

BOTH void from_float(float v, float& out) { out = v; }
BOTH void from_float(float v, bf16& out) {
    u32 bits = bits_of_float(v);
    out.bits = (bits & 0x7fffffffu) > 0x7f800000u ? (u16)(bits >> 16 | 0x40) : (u16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
BOTH void from_float(float v, f16& out) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(v));
#else
    u32 bits = bits_of_float(v), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) out.bits = (u16)(sign | 0x7e00);
    else if (rest >= 0x477ff000u) out.bits = (u16)(sign | 0x7c00);  // 65520 and more
    else if (rest < 0x38800000u) {  // below 2^-14: let the sum with 1/2 round
        out.bits = (u16)(sign | (bits_of_float(float_of_bits(rest) + 0.5f) - 0x3f000000u));
    } else out.bits = (u16)(sign | ((rest - 0x38000000u + 0xfffu + (rest >> 13 & 1)) >> 13));
#endif
}

// To the nearest integer, ties to even, kept in range; NaN becomes 0.
BOTH int rounded(float v, float low, float high) {
    if (!(v == v)) return 0;
    v = v < low ? low : v > high ? high : v;
    return (int)((v + 12582912.0f) - 12582912.0f);
}
BOTH void from_float(float v, i16& out) { out = (i16)rounded(v, -32768.0f, 32767.0f); }
BOTH void from_float(float v, u8& out) { out = (u8)rounded(v, 0.0f, 255.0f); }
BOTH void from_float(float v, i8& out) { out = (i8)rounded(v, -128.0f, 127.0f); }

// For normal x > 0, within 2e-7, near 1 within a relative 4e-7.
BOTH float log2_of(float x) {
    int bits = (int)bits_of_float(x);
    int exponent = (bits - 0x3f3504f3) >> 23;
    float f = float_of_bits((u32)bits - ((u32)exponent << 23)) - 1.0f;
    float p = -0.14275973436f;
    p = p * f + 0.23265257882f;
    p = p * f - 0.24927182207f;
    p = p * f + 0.28728888237f;
    p = p * f - 0.36022518246f;
    p = p * f + 0.480916708f;
    p = p * f - 0.72135293136f;
    p = p * f + 1.4426949949f;
    return (float)exponent + f * p;
}

// For y <= 126, to a relative 3e-7; below -126 the smallest normal number.
BOTH float exp2_of(float y) {
    y = y > -126.0f ? y : -126.0f;
    int whole = (int)(y + 126.5f) - 126;  // y + 1/2 rounded down
    float r = y - (float)whole;
    float p = 0.0013381302537f;
    p = p * r + 0.0096663685154f;
    p = p * r + 0.055503810138f;
    p = p * r + 0.24022349038f;
    p = p * r + 0.69314718056f;
    return (p * r + 1.0f) * float_of_bits((u32)(whole + 127) << 23);
}

BOTH float root_of(float x) {
#ifdef __CUDA_ARCH__
    return __fsqrt_rn(x);
#else
    return __builtin_sqrtf(x);
#endif
}

BOTH u32 hash_of(u32 x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

// The voxel `index` of the field that kernels/cpu/noise.py calls counter_normal: Box and Muller on blocks of 1024 voxels, 512
// cosines, then the sines of the same pairs. Depends on nothing but the seed and the index.
BOTH float counter_normal(u32 seed, i64 index, float mean, float std) {
    u32 key = hash_of(seed + 0x9e3779b9u);
    u32 counter = ((u32)(index >> 10) * 512u + (u32)(index & 511)) * 2u;
    u32 first = hash_of(counter ^ key), turn = hash_of((counter + 1u) ^ key);
    float uniform = ((float)(int)(first >> 8) + 0.5f) * (1.0f / 16777216.0f);
    float radius = std * root_of(-1.38629436f * log2_of(uniform));
    int quadrant = (int)(turn + 0x20000000u) >> 30;
    float angle = (float)(int)(turn - ((u32)quadrant << 30)) * (6.283185307f / 4294967296.0f);
    float z = angle * angle;
    float sine = angle * (1.0f + z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f)));
    float cosine = 1.0f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
    quadrant += (int)(index >> 9 & 1) * 3;  // a sine is the cosine a quarter turn earlier
    float value = quadrant & 1 ? sine : cosine;
    return mean + radius * ((quadrant + 1) & 2 ? -value : value);
}
