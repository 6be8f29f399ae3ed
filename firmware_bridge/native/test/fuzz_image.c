/* For libFuzzer: an image's way into a network, and into an overlay. The first four bytes of an input say how, the rest
   is the image's file. */
#include <stdlib.h>

#include "overlay.h"
#include "image.h"
#include "plausibility.h"
#include "preprocess.h"

enum { HOW = 4, PIXELS = 1 << 16, DRAWN = 1 << 12 };

/* Draw it with two runs, each of a region of its own: at the begin, and at the end. */
static void draw(const struct bytes *data, int64_t width, int64_t height)
{
    struct region regions[] = {{0.75, 1, {0, 0, 1, 1}}, {0.5, 1, {width - 1, height - 1, 1, 1}}};
    int64_t starts[] = {0, width * height - 1}, stops[] = {1, width * height};
    struct outline outline = {.width = width, .height = height, .regions = regions, .region_count = 2, .starts = starts,
                              .stops = stops, .run_count = width * height > 1 ? 2 : 1};
    const char *captions[] = {"polyp: \xc3\xbc", NULL};
    struct text jpeg = {0};
    struct failure failure = {0};
    overlay_jpeg(data, "the image", &outline, captions, &jpeg, &failure);
    text_free(&jpeg);
    free(failure.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    if (count < HOW)
        return 0;
    struct preprocessing how = {.height = 1 + input[0] % 64, .width = 1 + input[1] % 64, .is_grey = input[2] & 1,
                                .fit = (enum fit)(input[2] / 2 % 3), .std = {1, 1, 1}};
    if (input[3] & 8)
        how.window = (struct value_window){input[0], 257 + 255 * input[1]};
    how.channels = how.is_grey && input[3] & 1 ? 1 : 3;
    struct bytes data = {(unsigned char *)input + HOW, count - HOW};
    struct image image;
    struct failure failure = {0};
    if (image_decode(&image, &data, "the image", &how, input[3] & 2, PIXELS, &failure)) {
        int64_t width = image.width, height = image.height;
        unsigned char *pixels = preprocess_pixels(&image, &how);
        float floats[3][256];
        float_table(&how, floats);
        float *tensor = malloc((size_t)(how.height * how.width * how.channels) * sizeof *tensor);
        if (pixels)
            doubt_uniform(pixels, image.channels, width, height, &how, &image.warnings);
        if (pixels && tensor)
            look_up(pixels, image.channels, &how, floats, NULL, tensor);
        free(tensor);
        free(pixels);
        image_free(&image);
        if (input[3] & 4 && width * height <= DRAWN)
            draw(&data, width, height);
    }
    free(failure.text);
    return 0;
}
