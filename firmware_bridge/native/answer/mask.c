#include "mask.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static void on_error(png_struct *png, const char *message)
{
    (void)message;
    longjmp(*(jmp_buf *)png_get_error_ptr(png), 1);
}

static void on_bytes(png_struct *png, png_byte *bytes, size_t count)
{
    text_add(png_get_io_ptr(png), bytes, count);
}

unsigned char *mask_pixels(const struct outline *outline)
{
    unsigned char *pixels = calloc((size_t)outline->height, (size_t)outline->width);
    for (size_t run = 0; pixels && run < outline->run_count; run++)
        for (int64_t at = outline->starts[run]; at < outline->stops[run]; at++)
            pixels[at % outline->height * outline->width + at / outline->height] = 255;
    return pixels;
}

bool mask_png(const struct outline *outline, struct text *text, struct failure *failure)
{
    jmp_buf jump;
    unsigned char *volatile pixels = mask_pixels(outline);
    png_struct *png = pixels ? png_create_write_struct(PNG_LIBPNG_VER_STRING, &jump, on_error, NULL) : NULL;
    png_info *info = png ? png_create_info_struct(png) : NULL;
    volatile bool done = false;
    if (info && setjmp(jump) == 0) {
        png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
        png_set_write_fn(png, text, on_bytes, NULL);
        png_set_compression_level(png, 1);
        png_set_filter(png, 0, PNG_FILTER_NONE);
        png_set_IHDR(png, info, (png_uint_32)outline->width, (png_uint_32)outline->height, 8, PNG_COLOR_TYPE_GRAY,
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (int64_t row = 0; row < outline->height; row++)
            png_write_row(png, pixels + row * outline->width);
        png_write_end(png, info);
        done = true;
    }
    png_destroy_write_struct(&png, &info);
    free(pixels);
    return done || fail_as(failure, "image.memory", "the memory is full: use smaller images or a smaller model");
}
