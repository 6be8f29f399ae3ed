/* SHA-256 of FIPS 180-4. */
#include "sha256.h"

#include "sha256_hardware.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t word, int by)
{
    return word >> by | word << (32 - by);
}

/* One round; the caller names the state's words one place further each time, so that none has to move. `changed` is
   a ^ b, and b ^ c the round before's: the majority of a, b and c needs no more. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                                               \
    do {                                                                                                               \
        uint32_t one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (g ^ (e & (f ^ g))) + keyed[i];                  \
        uint32_t before = changed;                                                                                     \
        changed = a ^ b;                                                                                               \
        d += one;                                                                                                      \
        h = one + (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (b ^ (changed & before));                                 \
    } while (0)

static void mix_one(uint32_t state[8], const unsigned char block[64])
{
    uint32_t w[64], keyed[64], changed = state[1] ^ state[2];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i += 4) {
        /* All but the last term for four words at once, which compilers turn into vectors. */
        for (int k = i; k < i + 4; k++)
            w[k] = w[k - 16] + (turn(w[k - 15], 7) ^ turn(w[k - 15], 18) ^ w[k - 15] >> 3) + w[k - 7];
        for (int k = i; k < i + 4; k++)
            w[k] += turn(w[k - 2], 17) ^ turn(w[k - 2], 19) ^ w[k - 2] >> 10;
    }
    for (int i = 0; i < 64; i++)
        keyed[i] = w[i] + K[i];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i += 8) {
        ROUND(a, b, c, d, e, f, g, h, i);
        ROUND(h, a, b, c, d, e, f, g, i + 1);
        ROUND(g, h, a, b, c, d, e, f, i + 2);
        ROUND(f, g, h, a, b, c, d, e, i + 3);
        ROUND(e, f, g, h, a, b, c, d, i + 4);
        ROUND(d, e, f, g, h, a, b, c, i + 5);
        ROUND(c, d, e, f, g, h, a, b, i + 6);
        ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void mix(uint32_t state[8], const unsigned char *blocks, size_t count)
{
    static sha256_mix *hardware;
    static bool known;
    if (!known)
        hardware = sha256_hardware();
    known = true;
    if (hardware)
        hardware(state, blocks, count, K);
    for (; !hardware && count > 0; count--, blocks += 64)
        mix_one(state, blocks);
}

void sha256_begin(struct sha256 *digest)
{
    *digest = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                                        0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *digest, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    size_t filled = digest->bytes % 64;
    digest->bytes += count;
    if (filled) {
        size_t part = count < 64 - filled ? count : 64 - filled;
        memcpy(digest->block + filled, at, part);
        at += part;
        count -= part;
        if (filled + part < 64)
            return;
        mix(digest->state, digest->block, 1);
    }
    mix(digest->state, at, count / 64);
    if (count % 64)
        memcpy(digest->block, at + count / 64 * 64, count % 64);
}

void sha256_hex(const struct sha256 *digest, char hex[65])
{
    struct sha256 end = *digest;
    unsigned char tail[72] = {0x80};
    size_t filled = end.bytes % 64, count = (filled < 56 ? 56 : 120) - filled;
    uint64_t bits = end.bytes * 8;
    for (int i = 0; i < 8; i++)
        tail[count + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(&end, tail, count + 8);
    for (int i = 0; i < 8; i++)
        sprintf(hex + 8 * i, "%08x", (unsigned)end.state[i]);
}
