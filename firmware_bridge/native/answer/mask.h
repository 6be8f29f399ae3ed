#ifndef EDGE_MASK_H
#define EDGE_MASK_H

#include "outline.h"
#include "text.h"

/* A byte for each pixel of the image, row by row: 255 where the mask is true and 0 elsewhere. The caller frees it;
   NULL where the memory is full. */
unsigned char *mask_pixels(const struct outline *outline);
/* A PNG of the mask, 8-bit grey in the image's own size: 255 where it is true and 0 elsewhere. */
bool mask_png(const struct outline *outline, struct text *png, struct failure *failure);

#endif
