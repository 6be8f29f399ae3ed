/* The plain form of zip: one disk, no zip64, no encryption, stored or deflated members. */
#include "archive.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "memory.h"
#include "text.h"

enum { END = 22, ENTRY = 46, LOCAL = 30, ENCRYPTED = 1, STORED = 0, DEFLATED = 8 };

static uint32_t two(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t four(const unsigned char *at)
{
    return two(at) | two(at + 2) << 16;
}

static char *name_of(const unsigned char *at, size_t count)
{
    const char *from = (const char *)at, *end = from + count;
    while (from < end) {
        const char *before = from;
        uint32_t letter = next_letter(&from, end);
        if ((letter >= 0xdc80 && letter <= 0xdcff && from == before + 1) || letter == 0)
            return NULL;
    }
    char *name = need(count + 1);
    memcpy(name, at, count);
    return name;
}

const char *archive_open(struct archive *archive, const unsigned char *data, size_t bytes, size_t comment)
{
    *archive = (struct archive){.data = data, .bytes = bytes};
    if (bytes < comment + END)
        return "no end of a directory";
    size_t end = bytes - comment - END;
    const unsigned char *last = data + end;
    size_t count = two(last + 10), size = four(last + 12), offset = four(last + 16);
    if (memcmp(last, "PK\5\6", 4) != 0 || two(last + 20) != comment || two(last + 4) || two(last + 6) ||
        two(last + 8) != count)
        return "no end of a directory";
    /* Offsets count from the file's beginning, or from the zip's where it was written apart and appended. */
    if (size > end || offset > end - size)
        return "a directory outside the file";
    size_t at = end - size, shift = at - offset;
    archive->members = need(count * sizeof *archive->members);
    archive->start = end - size;
    for (size_t index = 0; index < count; index++) {
        if (end - at < ENTRY)
            return "a directory that ends early";
        const unsigned char *entry = data + at;
        size_t name_bytes = two(entry + 28), more = name_bytes + two(entry + 30) + two(entry + 32);
        struct member member = {.flags = two(entry + 8), .method = two(entry + 10), .crc = four(entry + 16),
                                .packed = four(entry + 20), .size = four(entry + 24),
                                .offset = (uint64_t)four(entry + 42) + shift};
        at += ENTRY;
        if (memcmp(entry, "PK\1\2", 4) != 0 || more > end - at || member.offset + member.packed > end)
            return "a damaged directory";
        member.name = name_of(data + at, name_bytes);
        if (member.name == NULL)
            return "a name that is not UTF-8";
        at += more;
        archive->members[archive->count++] = member;
        if (index == 0 || member.offset < archive->start)
            archive->start = member.offset;
    }
    return NULL;
}

void archive_close(struct archive *archive)
{
    for (size_t index = 0; index < archive->count; index++)
        free(archive->members[index].name);
    free(archive->members);
    *archive = (struct archive){0};
}

static const char *inflate_all(const unsigned char *from, size_t packed, struct bytes *content)
{
    z_stream stream = {0};
    if (inflateInit2(&stream, -15) != Z_OK)
        return "the memory is full";
    stream.next_in = (Bytef *)from;
    stream.avail_in = (uInt)packed;
    stream.next_out = content->at;
    stream.avail_out = (uInt)content->count + 1;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    bool whole = stream.total_out == content->count;
    inflateEnd(&stream);
    if (result < 0 && result != Z_BUF_ERROR)
        return "it can't be unpacked";
    return whole ? NULL : "its checksum is wrong";
}

const char *archive_read(const struct archive *archive, const struct member *member, struct bytes *content)
{
    if (member->flags & ENCRYPTED || (member->method != STORED && member->method != DEFLATED))
        return "encrypted, or packed in a way that is not known";
    if (member->offset + LOCAL > archive->bytes)
        return "outside the file";
    const unsigned char *local = archive->data + member->offset;
    uint64_t begin = member->offset + LOCAL + two(local + 26) + two(local + 28);
    if (memcmp(local, "PK\3\4", 4) != 0 || begin > archive->bytes || member->packed > archive->bytes - begin)
        return "damaged header";
    *content = (struct bytes){need((size_t)member->size + 1), member->size};
    const char *wrong = NULL;
    if (member->method == DEFLATED)
        wrong = inflate_all(archive->data + begin, member->packed, content);
    else if (member->packed != member->size)
        wrong = "its checksum is wrong";
    else
        memcpy(content->at, archive->data + begin, member->size);
    if (!wrong && crc32(crc32(0, NULL, 0), content->at, (uInt)content->count) != member->crc)
        wrong = "its checksum is wrong";
    if (wrong) {
        free(content->at);
        *content = (struct bytes){0};
    }
    return wrong;
}
