#ifndef EDGE_MEMORY_H
#define EDGE_MEMORY_H

#include <stddef.h>

/* End the process with the sentence for that and exit status 2. */
_Noreturn void memory_full(void);

/* Small things: where there is no memory for them, the process ends. */
void *need(size_t bytes);
void *need_more(void *old, size_t bytes);
char *need_copy(const char *text);
__attribute__((format(printf, 1, 2))) char *need_print(const char *format, ...);

#endif
