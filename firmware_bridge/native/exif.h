#ifndef EDGE_EXIF_H
#define EDGE_EXIF_H

#include <stdbool.h>
#include <stddef.h>

enum { UPRIGHT = 1 }; /* 5 to 8 turn width to height */

/* Read the orientation from EXIF data, "Exif\0\0" in front or not. Return false where it is none: Pillow then refuses
   some pictures. `*orientation` is -1 where there is no such entry, 0 where its value means nothing. */
bool exif_orientation(const unsigned char *data, size_t count, int *orientation);
/* The orientation that XMP data gives, -1 where it gives none. */
int xmp_orientation(const unsigned char *data, size_t count);

#endif
