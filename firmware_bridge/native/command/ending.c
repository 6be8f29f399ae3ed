/* Where the process must end at once: no memory, or a signal that says so. */
#include "ending.h"

#include <string.h>
#include <unistd.h>

#include "results.h"

static bool tells_json;
static const char *const *images;
static size_t count;
static volatile size_t reached;

void ending_prepare(bool as_json, const char *const *names, size_t name_count)
{
    tells_json = as_json;
    images = names;
    count = name_count;
    reached = 0;
}

void ending_reached(size_t index)
{
    reached = index;
}

static void put(int stream, const char *words)
{
    ssize_t written = write(stream, words, strlen(words));
    (void)written;
}

static void put_record(const char *image, const char *code, const char *sentence)
{
    const char *const parts[] = {"{", image ? "\"image\": " : "", image ? image : "", image ? ", " : "",
                                 "\"error\": {\"code\": \"", code, "\", \"message\": \"", sentence, "\"}}\n"};
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
        put(1, parts[part]);
}

void end_at_once(const char *code, const char *sentence)
{
    drop_half_written();
    put(2, "edge-infer: ");
    put(2, sentence);
    put(2, "\n");
    if (tells_json && !count)
        put_record(NULL, code, sentence);
    for (size_t index = reached; tells_json && index < count; index++)
        put_record(images[index], code, sentence);
    _exit(2);
}
