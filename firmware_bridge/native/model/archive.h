#ifndef EDGE_ARCHIVE_H
#define EDGE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"

/* One member as the zip's directory describes it: `packed` and `size` are its bytes in the file and unpacked. */
struct member {
    char *name; /* UTF-8 */
    unsigned flags, method;
    uint32_t crc, packed, size;
    uint64_t offset;
};

/* The directory of the zip behind a flatbuffer. It does not own the file's bytes. */
struct archive {
    const unsigned char *data;
    size_t bytes;
    struct member *members; /* in the directory's order */
    size_t count;
    size_t start; /* where the zip begins, so how long the part before it is */
};

/* Read the directory of a zip that ends in a comment of `comment` bytes; nothing is unpacked. NULL, or what is wrong. */
const char *archive_open(struct archive *archive, const unsigned char *data, size_t bytes, size_t comment);
void archive_close(struct archive *archive);
/* Return a member's bytes, which the caller frees; never more than its `size`. NULL, or what is wrong. */
const char *archive_read(const struct archive *archive, const struct member *member, struct bytes *content);

#endif
