#include "memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ending.h"

/* More in huge pages than an answer takes would be memory wasted. The threshold is the highest that glibc knows. */
enum { HUGE_PAGE = 2 << 20, IN_HUGE_PAGES = 6 * HUGE_PAGE, FIRST_GROWTH = 16 << 20, NO_MAPPINGS = 32 << 20 };

void memory_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, NO_MAPPINGS);
    mallopt(M_TOP_PAD, FIRST_GROWTH);
    if (sysconf(_SC_PAGESIZE) != 4096)
        return;
    uintptr_t end = (uintptr_t)sbrk(0), begin = (end + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (sbrk((intptr_t)(begin - end)) == (void *)-1)
        return;
    void *volatile first = malloc(1); /* volatile, or the compiler leaves it out */
    free(first);
    if (begin + IN_HUGE_PAGES <= (uintptr_t)sbrk(0))
        madvise((void *)begin, IN_HUGE_PAGES, MADV_HUGEPAGE);
}

void memory_full(void)
{
    end_at_once("memory", "the memory is full: use smaller images or a smaller model");
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
