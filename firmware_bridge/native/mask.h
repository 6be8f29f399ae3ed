#ifndef EDGE_MASK_H
#define EDGE_MASK_H

#include "segmentation.h"
#include "text.h"

/* A PNG of the mask, 8-bit grey in the picture's own size: 255 where it is true and 0 elsewhere. */
bool mask_png(const struct outline *outline, struct text *png, struct failure *failure);

#endif
