#ifndef EDGE_FRAMES_H
#define EDGE_FRAMES_H

#include <stdint.h>

#include "file.h"

/* How many images a PNG or JPEG holds, at least 1; as the readers of edge count them. */
int64_t count_images(const struct bytes *file);

#endif
