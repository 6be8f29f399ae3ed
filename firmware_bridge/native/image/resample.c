/* Two passes, along the rows and down the columns, each a weighted sum over the pixels under a triangle as wide as
   two pixels of the result (or of the image, where that is larger). For bytes the weights are integers of
   PRECISION_BITS fractional bits, and what lies between the passes is rounded to bytes. The steps of every
   calculation, single precision of the box included, are Pillow's (src/libImaging/Resample.c), and so are the results. */
#include "resample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION_BITS = 32 - 8 - 2, LANES = 4 };

/* For each pixel of the result the first pixel that it is made of, and how many, with their weights. */
struct weights {
    int64_t count, widest;
    int64_t *first, *number;
    double *weight; /* count x widest */
    int32_t *fixed; /* the same as integers */
};

static void drop(struct weights *weights)
{
    free(weights->first);
    free(weights->number);
    free(weights->weight);
    free(weights->fixed);
    *weights = (struct weights){0};
}

static bool make_weights(struct weights *weights, int64_t size, float begin, float end, int64_t count, bool fixed)
{
    double scale = (double)(end - begin) / (double)count, width = scale < 1 ? 1 : scale, inverse = 1 / width;
    *weights = (struct weights){.count = count, .widest = (int64_t)ceil(width) * 2 + 1};
    size_t cells = (size_t)count * (size_t)weights->widest;
    weights->first = malloc((size_t)count * sizeof *weights->first);
    weights->number = malloc((size_t)count * sizeof *weights->number);
    weights->weight = calloc(cells, sizeof *weights->weight);
    weights->fixed = fixed ? malloc(cells * sizeof *weights->fixed) : NULL;
    if (!weights->first || !weights->number || !weights->weight || (fixed && !weights->fixed)) {
        drop(weights);
        return false;
    }
    for (int64_t index = 0; index < count; index++) {
        double centre = (double)begin + ((double)index + 0.5) * scale, sum = 0;
        int64_t first = (int64_t)(centre - width + 0.5), last = (int64_t)(centre + width + 0.5);
        first = first < 0 ? 0 : first;
        last = last > size ? size : last;
        double *weight = weights->weight + index * weights->widest;
        for (int64_t at = first; at < last; at++) {
            double distance = fabs(((double)at - centre + 0.5) * inverse);
            weight[at - first] = distance < 1 ? 1 - distance : 0;
            sum += weight[at - first];
        }
        for (int64_t at = first; at < last && sum != 0; at++)
            weight[at - first] /= sum;
        weights->first[index] = first;
        weights->number[index] = last > first ? last - first : 0;
    }
    for (size_t cell = 0; fixed && cell < cells; cell++) /* bilinear weights are never negative */
        weights->fixed[cell] = (int32_t)(0.5 + weights->weight[cell] * (1 << PRECISION_BITS));
    return true;
}

static unsigned char to_byte(int32_t sum)
{
    sum >>= PRECISION_BITS;
    return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One pixel of the result in each of `lanes` lanes, which are channels, or rows below each other: the weights are the same.
   A lane's pixels lie `step` bytes apart; the lanes lie so far apart in the image and in the result. */
static inline void weigh(const unsigned char *from, int64_t step, int64_t apart, int lanes, const int32_t *weight,
                         int64_t number, unsigned char *to, int64_t to_apart)
{
    int32_t sums[LANES];
    for (int lane = 0; lane < lanes; lane++)
        sums[lane] = 1 << (PRECISION_BITS - 1);
    for (int64_t index = 0; index < number; index++)
        for (int lane = 0; lane < lanes; lane++)
            sums[lane] += from[index * step + lane * apart] * weight[index];
    for (int lane = 0; lane < lanes; lane++)
        to[lane * to_apart] = to_byte(sums[lane]);
}

/* Rows `top` to before `top + rows` of the image, each resampled to `weights->count` columns. */
static void across(const unsigned char *from, int64_t width, int channels, int64_t top, int64_t rows,
                   const struct weights *weights, unsigned char *to)
{
    int64_t columns = weights->count, together;
    for (int64_t row = 0; row < rows; row += together, to += together * columns * channels) {
        const unsigned char *line = from + (top + row) * width * channels;
        together = channels == 1 && rows - row >= LANES ? LANES : 1;
        for (int64_t column = 0; column < columns; column++) {
            const int32_t *weight = weights->fixed + column * weights->widest;
            const unsigned char *pixel = line + weights->first[column] * channels;
            int64_t number = weights->number[column];
            if (channels == 3)
                weigh(pixel, 3, 1, 3, weight, number, to + 3 * column, 1);
            else if (together == LANES)
                weigh(pixel, 1, width, LANES, weight, number, to + column, columns);
            else
                weigh(pixel, 1, 0, 1, weight, number, to + column, 0);
        }
    }
}

/* Columns of `bytes` bytes a row; row 0 of `from` is the image's row `top`. */
static void down(const unsigned char *from, size_t bytes, int64_t top, const struct weights *weights, int32_t *sums,
                 unsigned char *to)
{
    for (int64_t row = 0; row < weights->count; row++, to += bytes) {
        for (size_t at = 0; at < bytes; at++)
            sums[at] = 1 << (PRECISION_BITS - 1);
        for (int64_t index = 0; index < weights->number[row]; index++) {
            const unsigned char *line = from + (size_t)(weights->first[row] - top + index) * bytes;
            int32_t weight = weights->fixed[row * weights->widest + index];
            for (size_t at = 0; at < bytes; at++)
                sums[at] += line[at] * weight;
        }
        for (size_t at = 0; at < bytes; at++)
            to[at] = to_byte(sums[at]);
    }
}

/* Which passes there are; the one along the rows comes first. */
struct plan {
    bool is_across, is_down;
    float left, top, right, bottom;
};

static struct plan make_plan(int64_t width, int64_t height, const double box[4], int64_t columns, int64_t rows)
{
    struct plan plan = {.left = (float)box[0], .top = (float)box[1], .right = (float)box[2], .bottom = (float)box[3]};
    plan.is_across = columns != width || plan.left != 0 || plan.right != (float)columns;
    plan.is_down = rows != height || plan.top != 0 || plan.bottom != (float)rows;
    return plan;
}

/* What the passes make of `from`; NULL where the memory is full. */
static unsigned char *run_plan(const struct plan *plan, const unsigned char *from, int64_t width, int channels,
                               const struct weights *horizontal, const struct weights *vertical)
{
    int64_t rows = vertical->count, columns = horizontal->count;
    size_t bytes = (size_t)columns * (size_t)channels;
    int64_t first = vertical->first[0], last = vertical->first[rows - 1] + vertical->number[rows - 1];
    bool two = plan->is_across && plan->is_down;
    int32_t *sums = malloc(bytes * sizeof *sums);
    unsigned char *between = two ? malloc((size_t)(last - first) * bytes) : NULL;
    unsigned char *result = malloc((size_t)rows * bytes);
    if (!sums || !result || (two && !between)) {
        free(result);
        result = NULL;
    } else if (two) {
        across(from, width, channels, first, last - first, horizontal, between);
        down(between, bytes, first, vertical, sums, result);
    } else if (plan->is_across) {
        across(from, width, channels, 0, rows, horizontal, result);
    } else if (plan->is_down) {
        down(from, bytes, 0, vertical, sums, result);
    } else {
        memcpy(result, from, (size_t)rows * bytes);
    }
    free(sums);
    free(between);
    return result;
}

unsigned char *resample_bytes(const unsigned char *pixels, int64_t width, int64_t height, int channels,
                              const double box[4], int64_t columns, int64_t rows)
{
    struct plan plan = make_plan(width, height, box, columns, rows);
    struct weights horizontal, vertical;
    unsigned char *result = NULL;
    if (!make_weights(&vertical, height, plan.top, plan.bottom, rows, true))
        return NULL;
    if (make_weights(&horizontal, width, plan.left, plan.right, columns, true)) {
        result = run_plan(&plan, pixels, width, channels, &horizontal, &vertical);
        drop(&horizontal);
    }
    drop(&vertical);
    return result;
}

/* One pass over floats, along each of so many lines; the values of a line lie `step` apart. */
static void pass_floats(const float *from, float *to, int64_t lines, int64_t from_line, int64_t to_line,
                        int64_t from_step, int64_t to_step, const struct weights *weights)
{
    for (int64_t line = 0; line < lines; line++)
        for (int64_t index = 0; index < weights->count; index++) {
            const float *value = from + line * from_line + weights->first[index] * from_step;
            const double *weight = weights->weight + index * weights->widest;
            double sum = 0;
            for (int64_t part = 0; part < weights->number[index]; part++)
                sum += (double)value[part * from_step] * weight[part];
            to[line * to_line + index * to_step] = (float)sum;
        }
}

float *resample_floats(const float *pixels, int64_t width, int64_t height, const double box[4], int64_t columns,
                       int64_t rows)
{
    struct plan plan = make_plan(width, height, box, columns, rows);
    struct weights horizontal = {0}, vertical = {0};
    size_t most = (size_t)(width > columns ? width : columns) * (size_t)(height > rows ? height : rows);
    float *one = malloc(most * sizeof *one), *other = malloc(most * sizeof *other);
    bool fine = one && other && make_weights(&vertical, height, plan.top, plan.bottom, rows, false) &&
                make_weights(&horizontal, width, plan.left, plan.right, columns, false);
    if (fine) {
        int64_t wide = width, high = height;
        memcpy(one, pixels, (size_t)(width * height) * sizeof *one);
        for (int turn = 0; turn < 2; turn++) {
            bool is_down = turn == 1;
            if (!(is_down ? plan.is_down : plan.is_across))
                continue;
            if (is_down)
                pass_floats(one, other, wide, 1, 1, wide, wide, &vertical);
            else
                pass_floats(one, other, high, wide, columns, 1, 1, &horizontal);
            wide = is_down ? wide : columns;
            high = is_down ? rows : high;
            float *swap = one;
            one = other;
            other = swap;
        }
    }
    drop(&vertical);
    drop(&horizontal);
    free(other);
    if (!fine) {
        free(one);
        one = NULL;
    }
    return one;
}
