#ifndef EDGE_EXIF_H
#define EDGE_EXIF_H

#include <stddef.h>

enum { NO_ORIENTATION = 0, UNREADABLE_ORIENTATION = -1 };

/* Which way up an image with this metadata lies (NULL where there is none): EXIF's orientation, else XMP's; 1 to 8, of
   which 5 to 8 turn width to height. The same rules as edge/readers/exif.py. */
int orientation_of(const unsigned char *exif, size_t exif_count, const unsigned char *xmp, size_t xmp_count);

#endif
