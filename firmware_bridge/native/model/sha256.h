#ifndef EDGE_SHA256_H
#define EDGE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
};

void sha256_begin(struct sha256 *digest);
void sha256_add(struct sha256 *digest, const void *bytes, size_t count);
/* Write the 64 lower-case hexadecimal digits and a zero; `digest` can be added to afterwards. */
void sha256_hex(const struct sha256 *digest, char hex[65]);

#endif
