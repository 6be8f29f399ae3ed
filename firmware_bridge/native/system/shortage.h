#ifndef EDGE_SHORTAGE_H
#define EDGE_SHORTAGE_H

#include <stddef.h>

#include "failure.h"

/* Whether there is no room for 64 MiB more. */
bool lacks_memory(void);
/* Put in place of a failure of the runtime, or of reading a model file, what lies behind it where that is too little
   memory or too few descriptors: a library that can't be mapped says many things. The same rules as edge/shortage.py. */
void explain_shortage(struct failure *failure);
/* False where there are too few to keep LiteRT from writing to standard error. */
bool check_descriptors(struct failure *failure);
/* False where LiteRT can't have so many threads beside a network of so many bytes; it would wait for ever for those that
   are missing. */
bool check_threads(int count, size_t network, struct failure *failure);

#endif
