/* Reading an image file that nobody vouches for. */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "exif.h"
#include "memory.h"
#include "preprocess.h"
#include "shortage.h"

#define FORMATS "PNG, JPEG"

enum { OVERSIZE = 2 }; /* a JPEG is decoded at least so many times as large as the network's input */

static bool no_memory(const struct decoding *decoding)
{
    return fail_as(decoding->failure, "image.memory",
                   "%s does not fit into memory: make it smaller or set a lower --max-pixels", decoding->name);
}

bool damaged(const struct decoding *decoding, const char *reason)
{
    if (lacks_memory()) /* the decoders' libraries say so in words of their own */
        return no_memory(decoding);
    return fail_as(decoding->failure, "image.damaged", "%s is damaged or cut short (%s): expected a whole image; copy it again",
                   decoding->name, reason);
}

bool check_size(const struct decoding *decoding, uint64_t width, uint64_t height)
{
    uint64_t pixels = width * height; /* of 32 bits each */
    if (pixels > decoding->max_pixels)
        return fail_as(decoding->failure, "image.too-large",
                    "%s has %llux%llu pixels, more than the limit of %llu: make it smaller, or raise the limit with "
                    "--max-pixels %llu",
                    decoding->name, (unsigned long long)width, (unsigned long long)height,
                    (unsigned long long)decoding->max_pixels, (unsigned long long)pixels);
    return pixels > 0 || damaged(decoding, "no pixels");
}

bool make_canvas(const struct decoding *decoding, struct image *image)
{
    uint64_t pixels = (uint64_t)image->columns * (uint64_t)image->rows;
    if (pixels < SIZE_MAX / 4 && pixels < INT64_MAX / 4)
        image->pixels = malloc((size_t)pixels * (size_t)image->channels);
    return image->pixels || no_memory(decoding);
}

int reduction_for(int64_t width, int64_t height, const struct preprocessing *how)
{
    int64_t across = width / (OVERSIZE * how->width), down = height / (OVERSIZE * how->height);
    int64_t room = across < down ? across : down;
    return room >= 8 ? 8 : room >= 4 ? 4 : room >= 2 ? 2 : 1;
}

/* Turn and mirror the pixels until they are upright. */
static bool set_upright(const struct decoding *decoding, struct image *image)
{
    int way = decoding->orientation;
    if (way < 2 || way > 8)
        return true;
    struct image upright = *image;
    bool turned = way >= 5, from_right = way == 2 || way == 3 || way == 7 || way == 8;
    bool from_below = way == 3 || way == 4 || way == 6 || way == 7;
    if (turned) {
        upright.columns = image->rows;
        upright.rows = image->columns;
        upright.width = image->height;
        upright.height = image->width;
    }
    upright.pixels = NULL;
    if (!make_canvas(decoding, &upright))
        return false;
    int64_t width = image->columns, channels = image->channels;
    unsigned char *to = upright.pixels;
    for (int64_t row = 0; row < upright.rows; row++)
        for (int64_t column = 0; column < upright.columns; column++, to += channels) {
            int64_t x = turned ? row : column, y = turned ? column : row;
            x = from_right ? width - 1 - x : x;
            y = from_below ? image->rows - 1 - y : y;
            memcpy(to, image->pixels + (y * width + x) * channels, (size_t)channels);
        }
    free(image->pixels);
    *image = upright;
    return true;
}

bool image_decode(struct image *image, const struct bytes *data, const char *name,
                    const struct preprocessing *how, bool full_size, uint64_t max_pixels, struct failure *failure)
{
    struct decoding decoding = {data, name, how, full_size, max_pixels, 0, failure, NULL, {0}};
    *image = (struct image){.reduction = 1};
    if (data->count == 0)
        return fail_as(failure, "image.empty", "%s is empty: expected an image (" FORMATS "); copy the file again", name);
    decoding.evidence = need(sizeof *decoding.evidence);
    window_bytes(&how->window, false, decoding.shown);
    const char *format = image_format(data);
    bool done = false;
    if (format && strcmp(format, "PNG") == 0) {
        done = png_decode(&decoding, image);
    } else if (format && strcmp(format, "JPEG") == 0) {
        done = jpeg_decode(&decoding, image);
    } else if (format) {
        fail_as(failure, "image.unsupported", "%s is a %s image, which the native edge-infer does not read: expected " FORMATS
             "; convert it first", name, format);
    } else {
        fail_as(failure, "image.format", "%s does not begin like an image: expected " FORMATS "; convert it first", name);
    }
    if (decoding.orientation == UNREADABLE_ORIENTATION)
        warn(&image->warnings, "image.orientation", "the image's orientation can't be read from its EXIF data: it is "
             "taken as it lies; check which way up it is");
    done = done && set_upright(&decoding, image);
    if (done)
        doubts(decoding.evidence, data, how, image);
    else
        image_free(image);
    free(decoding.evidence);
    return done;
}

void image_free(struct image *image)
{
    warnings_free(&image->warnings);
    free(image->pixels);
    image->pixels = NULL;
}
