/* SHA-256 by the processor's own instructions, where it has them: a model file's digest is a good part of a start. */
#include "sha256_hardware.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("sha,sse4.1"))) static void mix(uint32_t state[8], const unsigned char *blocks, size_t count,
                                                      const uint32_t constants[64])
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    /* The instructions want the words as (a, b, e, f) and (c, d, g, h). */
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
    for (; count > 0; count--, blocks += 64) {
        __m128i begin0 = abef, begin1 = cdgh, w[4];
/* Else the words go through memory, which takes three times as many instructions. */
#pragma GCC unroll 16
        for (int group = 0; group < 16; group++) {
            __m128i words;
            if (group < 4) {
                words = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * group)), swap);
            } else {
                __m128i sum = _mm_sha256msg1_epu32(w[group % 4], w[(group + 1) % 4]);
                sum = _mm_add_epi32(sum, _mm_alignr_epi8(w[(group + 3) % 4], w[(group + 2) % 4], 4));
                words = _mm_sha256msg2_epu32(sum, w[(group + 3) % 4]);
            }
            w[group % 4] = words;
            __m128i key = _mm_add_epi32(words, _mm_loadu_si128((const __m128i *)(constants + 4 * group)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, key);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(key, 0x0e));
        }
        abef = _mm_add_epi32(abef, begin0);
        cdgh = _mm_add_epi32(cdgh, begin1);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

sha256_mix *sha256_hardware(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_SHA))
        return NULL;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) ? mix : NULL;
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

enum { HAS_SHA2 = 1 << 6 }; /* HWCAP_SHA2 */

__attribute__((target("+crypto"))) static void mix(uint32_t state[8], const unsigned char *blocks, size_t count,
                                                   const uint32_t constants[64])
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    for (; count > 0; count--, blocks += 64) {
        uint32x4_t begin0 = abcd, begin1 = efgh, w[4];
#pragma GCC unroll 16 /* as above */
        for (int group = 0; group < 16; group++) {
            uint32x4_t words;
            if (group < 4)
                words = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(blocks + 16 * group)));
            else
                words = vsha256su1q_u32(vsha256su0q_u32(w[group % 4], w[(group + 1) % 4]), w[(group + 2) % 4],
                                        w[(group + 3) % 4]);
            w[group % 4] = words;
            uint32x4_t key = vaddq_u32(words, vld1q_u32(constants + 4 * group)), before = abcd;
            abcd = vsha256hq_u32(abcd, efgh, key);
            efgh = vsha256h2q_u32(efgh, before, key);
        }
        abcd = vaddq_u32(abcd, begin0);
        efgh = vaddq_u32(efgh, begin1);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

sha256_mix *sha256_hardware(void)
{
    return getauxval(AT_HWCAP) & HAS_SHA2 ? mix : NULL;
}

#else
sha256_mix *sha256_hardware(void)
{
    return NULL;
}
#endif
