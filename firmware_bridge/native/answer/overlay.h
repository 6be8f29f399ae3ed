#ifndef EDGE_OVERLAY_H
#define EDGE_OVERLAY_H

#include "file.h"
#include "outline.h"
#include "text.h"

/* A JPEG of the image in a file's bytes with its mask tinted and outlined, for people: edge/overlay.py. The largest
   regions bear their number and score; `captions`, which end in NULL, are lines below the image. */
bool overlay_jpeg(const struct bytes *data, const char *name, const struct outline *outline,
                  const char *const *captions, struct text *jpeg, struct failure *failure);

#endif
