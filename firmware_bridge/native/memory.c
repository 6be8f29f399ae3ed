#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void memory_full(void)
{
    static const char said[] = "edge-infer: the memory is full: use smaller pictures or a smaller model\n";
    ssize_t written = write(2, said, sizeof said - 1);
    (void)written;
    _exit(2);
}

static void *or_end(void *memory)
{
    if (memory == NULL)
        memory_full();
    return memory;
}

void *need(size_t bytes)
{
    return or_end(calloc(1, bytes ? bytes : 1));
}

void *need_more(void *old, size_t bytes)
{
    return or_end(realloc(old, bytes ? bytes : 1));
}

char *need_copy(const char *text)
{
    return or_end(strdup(text));
}

char *need_print(const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    int count = vasprintf(&text, format, values);
    va_end(values);
    return or_end(count < 0 ? NULL : text);
}
