#ifndef EDGE_DECODER_H
#define EDGE_DECODER_H

#include "image.h"
#include "plausibility.h"

/* What a decoder is given, and what it says besides the pixels. */
struct decoding {
    const struct bytes *data;
    const char *name; /* of the image, for messages */
    const struct preprocessing *how;
    bool full_size; /* no JPEG decoded smaller */
    uint64_t max_pixels;
    int orientation; /* out: EXIF's, 1 to 8 where it means something */
    struct failure *failure;
    struct evidence *evidence;
    unsigned char shown[256]; /* what 8-bit values become in the network's window */
};

/* Fill the image with the pixels as they lie in the file; grey from the start where the network is. On failure the
   caller frees what there is of them. */
bool png_decode(struct decoding *decoding, struct image *image);
bool jpeg_decode(struct decoding *decoding, struct image *image);

bool damaged(const struct decoding *decoding, const char *reason);
/* Check the limit of pixels. */
bool check_size(const struct decoding *decoding, uint64_t width, uint64_t height);
/* Make room for rows x columns of the image's channels. */
bool make_canvas(const struct decoding *decoding, struct image *image);
/* How a JPEG of this upright size may be decoded smaller: 8, 4, 2 or 1. */
int reduction_for(int64_t width, int64_t height, const struct preprocessing *how);

static inline unsigned char grey_of(unsigned red, unsigned green, unsigned blue)
{
    return (unsigned char)((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16); /* Pillow's ITU-R 601 */
}

#endif
