#ifndef EDGE_SHA256_HARDWARE_H
#define EDGE_SHA256_HARDWARE_H

#include <stddef.h>
#include <stdint.h>

/* Mix so many blocks of 64 bytes into the state. */
typedef void sha256_mix(uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]);

/* The way to mix by this processor's own instructions; NULL where it has none. */
sha256_mix *sha256_hardware(void);

#endif
