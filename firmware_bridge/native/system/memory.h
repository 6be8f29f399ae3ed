#ifndef EDGE_MEMORY_H
#define EDGE_MEMORY_H

#include <stddef.h>

/* End the process with the sentence for that and exit status 2. */
_Noreturn void memory_full(void);

/* Once, before all else: let the heap be one piece and its beginning in huge pages, where the kernel gives them on
   request. New pages of 4 KiB, most of them for XNNPACK's weights and tensors, took a tenth of an answer's time. */
void memory_prepare(void);

/* Small things: where there is no memory for them, the process ends. */
void *need(size_t bytes);
void *need_more(void *old, size_t bytes);
char *need_copy(const char *text);
__attribute__((format(printf, 1, 2))) char *need_print(const char *format, ...);

#endif
