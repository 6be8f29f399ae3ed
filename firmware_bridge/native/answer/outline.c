/* From a segmentation network's logits to a mask and its regions: edge/mask.py, step by step. Between two rows
   of logits, bilinear interpolation is linear along a column of the image, so a column of the mask is a few runs. */
#include "outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "resample.h"

/* One axis of the image, as far as the network saw it. */
struct axis {
    int64_t first; /* pixel that is seen */
    double *at;    /* where the centres of the pixels from there on lie among those of the cells of the logits */
    int64_t count;
    bool is_crowded;  /* more than one cell lies under a pixel: `part` of the cells is averaged to one a pixel first */
    double part[2];
};

/* One run of mask pixels down a column. */
struct run {
    int64_t column, start, stop;
    double score;
    size_t owner;
};

struct runs {
    struct run *at;
    size_t count, room;
};

double bound(const struct rule *rule)
{
    double threshold = rule->threshold;
    if (rule->are_scores)
        return threshold;
    return threshold > 0 && threshold < 1 ? log(threshold / (1 - threshold)) : threshold > 0 ? INFINITY : -INFINITY;
}

static struct axis make_axis(double begin, double end, int64_t inner_begin, int64_t inner_end, int64_t input,
                             int64_t cells)
{
    int64_t first = (int64_t)ceil(begin - 0.5), stop = (int64_t)floor(end - 0.5) + 1; /* centres inside */
    struct axis axis = {.first = first, .count = stop > first ? stop - first : 0};
    double scale = (double)(inner_end - inner_begin) / (end - begin) * (double)cells / (double)input;
    double edge = (double)(inner_begin * cells) / (double)input + ((double)first - begin) * scale;
    axis.at = need((size_t)axis.count * sizeof *axis.at);
    axis.is_crowded = scale > 1;
    if (axis.is_crowded) {
        double far_end = edge + (double)axis.count * scale;
        axis.part[0] = edge > 0 ? edge : 0;
        axis.part[1] = far_end < (double)cells ? far_end : (double)cells;
    }
    for (int64_t index = 0; index < axis.count; index++) {
        axis.at[index] = (double)index;
        if (axis.is_crowded)
            continue;
        /* Rounded, so that a pixel whose centre is a cell's is not beside it by a binary fraction. */
        double at = rint((edge + ((double)index + 0.5) * scale - 0.5) * 1e9) / 1e9;
        at = at > 0 ? at : 0;
        axis.at[index] = at < (double)(cells - 1) ? at : (double)(cells - 1);
    }
    return axis;
}

/* The first index whose place is at least `value`, or more than it if `after`. */
static int64_t search(const struct axis *axis, double value, bool after)
{
    int64_t low = 0, high = axis->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (after ? axis->at[middle] <= value : axis->at[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_run(struct runs *runs, struct run run)
{
    if (runs->count == runs->room) {
        runs->room = runs->room ? runs->room * 2 : 256;
        runs->at = need_more(runs->at, runs->room * sizeof *runs->at);
    }
    runs->at[runs->count++] = run;
}

/* Where between the centres of two rows the line meets the limit. */
static double crossing(const float *values, int64_t row, int64_t rows, double limit)
{
    if (row == 0)
        return 0;
    if (row == rows)
        return (double)(rows - 1);
    double before = (double)values[row - 1], after = (double)values[row];
    return (double)(row - 1) + (limit - before) / (after - before);
}

static float score_of(float output, bool are_scores)
{
    return are_scores ? output : 1 / (1 + (float)exp(-(double)output));
}

/* The mean score of the rows `first` to before `stop`, by trapezoids between their centres and the run's ends. */
static double mean_score(const float *values, int64_t first, int64_t stop, double begin, double end,
                         const struct rule *rule)
{
    bool are_scores = rule->are_scores;
    float of_first = score_of(values[first], are_scores), of_last = score_of(values[stop - 1], are_scores);
    float threshold = (float)rule->threshold;
    double area = 0;
    for (int64_t row = first; row < stop; row++)
        area += (double)score_of(values[row], are_scores);
    area -= (double)((of_first + of_last) / 2);
    area += ((double)first - begin) * (double)(threshold + of_first) / 2 +
            (end - (double)(stop - 1)) * (double)(threshold + of_last) / 2;
    double length = end - begin;
    return length > 0 ? area / length : (double)of_first;
}

/* The part of the logits that can reach the limit, and the pixels under it. */
struct window {
    int64_t low, high;   /* rows of cells, both included */
    int64_t begin, end;  /* pixels across */
};

static bool find_window(struct window *window, const float *logits, int64_t rows, int64_t columns, float limit,
                        const struct axis *x, const struct axis *y)
{
    int64_t top = rows, bottom = -1, left = columns, right = -1;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++)
            if (logits[row * columns + column] >= limit) {
                top = row < top ? row : top;
                bottom = row;
                left = column < left ? column : left;
                right = column > right ? column : right;
            }
    if (bottom < 0)
        return false;
    int64_t seen_top = (int64_t)floor(y->at[0]), seen_bottom = (int64_t)ceil(y->at[y->count - 1]);
    window->low = top - 1 > seen_top ? top - 1 : seen_top;
    window->high = bottom + 1 < seen_bottom ? bottom + 1 : seen_bottom;
    window->begin = search(x, (double)(left - 1), true);
    window->end = search(x, (double)(right + 1), false);
    return window->low <= window->high && window->begin < window->end;
}

static void find_runs(struct runs *runs, const float *logits, int64_t columns, const struct window *window,
                      const struct axis *x, const struct axis *y, const struct rule *rule)
{
    double limit = bound(rule);
    int64_t rows = window->high - window->low + 1, last = columns - 2 > 0 ? columns - 2 : 0;
    float *values = need((size_t)rows * sizeof *values);
    for (int64_t pixel = window->begin; pixel < window->end; pixel++) {
        int64_t near = (int64_t)x->at[pixel] < last ? (int64_t)x->at[pixel] : last;
        float part = (float)(x->at[pixel] - (double)near);
        for (int64_t row = 0; row < rows; row++) {
            const float *cell = logits + (window->low + row) * columns + near;
            values[row] = columns > 1 ? cell[0] + (cell[1] - cell[0]) * part : cell[0];
        }
        for (int64_t row = 0; row < rows;) {
            if (!(values[row] >= (float)limit)) {
                row++;
                continue;
            }
            int64_t first = row;
            while (row < rows && values[row] >= (float)limit)
                row++;
            double begin = crossing(values, first, rows, limit), end = crossing(values, row, rows, limit);
            int64_t start = first == 0 ? 0 : search(y, (double)window->low + begin, false);
            int64_t stop = row == rows ? y->count : search(y, (double)window->low + end, true); /* at least the limit */
            if (start < stop) /* a peak between the centres of two pixels is in no mask */
                add_run(runs, (struct run){x->first + pixel, y->first + start, y->first + stop,
                                           mean_score(values, first, row, begin, end, rule), 0});
        }
    }
    free(values);
}

static size_t root_of(size_t *roots, size_t run)
{
    while (roots[run] != run)
        run = roots[run] = roots[roots[run]];
    return run;
}

static void join(size_t *roots, size_t one, size_t other)
{
    size_t a = root_of(roots, one), b = root_of(roots, other);
    if (a < b)
        roots[b] = a;
    else
        roots[a] = b;
}

/* Give each run the number of its component, counted in the order of their first runs; return how many there are. */
static size_t find_components(struct runs *runs)
{
    size_t *roots = need(runs->count * sizeof *roots), components = 0;
    for (size_t index = 0; index < runs->count; index++)
        roots[index] = index;
    size_t before = 0; /* the first run of the column before that can touch */
    for (size_t index = 0; index < runs->count; index++) {
        const struct run *run = &runs->at[index];
        if (index > 0 && run[-1].column == run->column && run[-1].stop == run->start)
            join(roots, index - 1, index);
        while (before < index && (runs->at[before].column < run->column - 1 ||
                                  (runs->at[before].column == run->column - 1 && runs->at[before].stop < run->start)))
            before++;
        for (size_t left = before; left < index && runs->at[left].column == run->column - 1 &&
                                   runs->at[left].start <= run->stop; left++)
            join(roots, left, index);
    }
    for (size_t index = 0; index < runs->count; index++) {
        size_t root = root_of(roots, index);
        runs->at[index].owner = root == index ? components++ : runs->at[root].owner;
    }
    free(roots);
    return components;
}

/* Regions of one size keep their order, which qsort alone does not. */
struct numbered {
    struct region region;
    size_t number;
};

static int by_pixels(const void *one, const void *other)
{
    const struct numbered *a = one, *b = other;
    if (a->region.pixels != b->region.pixels)
        return a->region.pixels > b->region.pixels ? -1 : 1;
    return a->number > b->number ? 1 : -1;
}

static void find_regions(struct outline *outline, const struct runs *runs, size_t components, double minimum_area)
{
    struct numbered *all = need(components * sizeof *all);
    int64_t *bottoms = need(components * sizeof *bottoms);
    bool *kept = need(components * sizeof *kept);
    for (size_t index = 0; index < runs->count; index++) {
        const struct run *run = &runs->at[index];
        struct region *region = &all[run->owner].region;
        int64_t length = run->stop - run->start;
        if (region->pixels == 0) {
            *region = (struct region){.box = {run->column, run->start, 0, 0}};
            bottoms[run->owner] = run->stop;
        }
        region->pixels += length;
        region->score += run->score * (double)length;
        region->box[2] = run->column + 1 - region->box[0];
        region->box[1] = run->start < region->box[1] ? run->start : region->box[1];
        bottoms[run->owner] = run->stop > bottoms[run->owner] ? run->stop : bottoms[run->owner];
    }
    double least = minimum_area * (double)(outline->width * outline->height);
    size_t count = 0;
    for (size_t number = 0; number < components; number++) {
        kept[number] = (double)all[number].region.pixels >= least;
        all[number].region.score /= (double)all[number].region.pixels;
        all[number].region.box[3] = bottoms[number] - all[number].region.box[1];
        all[number].number = number;
        if (kept[number])
            all[count++] = all[number];
    }
    if (count)
        qsort(all, count, sizeof *all, by_pixels);
    outline->regions = need(count * sizeof *outline->regions);
    outline->region_count = count;
    for (size_t number = 0; number < count; number++)
        outline->regions[number] = all[number].region;
    outline->starts = need(runs->count * sizeof *outline->starts);
    outline->stops = need(runs->count * sizeof *outline->stops);
    for (size_t index = 0; index < runs->count; index++) {
        const struct run *run = &runs->at[index];
        int64_t column = run->column * outline->height;
        size_t last = outline->run_count;
        if (!kept[run->owner])
            continue;
        if (last && outline->stops[last - 1] == column + run->start) { /* goes on where the next column begins with one */
            outline->stops[last - 1] = column + run->stop;
            continue;
        }
        outline->starts[last] = column + run->start;
        outline->stops[last] = column + run->stop;
        outline->run_count++;
    }
    free(all);
    free(bottoms);
    free(kept);
}

/* `logits` with no more than one cell a pixel; the caller frees what is not `logits`. */
static const float *thin(const float *logits, int64_t *rows, int64_t *columns, const struct axis *x,
                         const struct axis *y)
{
    if (!x->is_crowded && !y->is_crowded)
        return logits;
    double box[4] = {0, 0, (double)*columns, (double)*rows};
    int64_t across = *columns, down = *rows;
    if (x->is_crowded) {
        box[0] = x->part[0];
        box[2] = x->part[1];
        across = x->count;
    }
    if (y->is_crowded) {
        box[1] = y->part[0];
        box[3] = y->part[1];
        down = y->count;
    }
    float *thinned = resample_floats(logits, *columns, *rows, box, across, down);
    *columns = across;
    *rows = down;
    if (!thinned)
        memory_full();
    return thinned;
}

void segment(struct outline *outline, const float *logits, int64_t rows, int64_t columns, int64_t width, int64_t height,
             const struct rule *rule, const struct preprocessing *how)
{
    *outline = (struct outline){.width = width, .height = height, .window = how->window};
    struct placement placed = place(width, height, how);
    struct axis x = make_axis(placed.box[0], placed.box[2], placed.inner[0], placed.inner[2], how->width, columns);
    struct axis y = make_axis(placed.box[1], placed.box[3], placed.inner[1], placed.inner[3], how->height, rows);
    struct runs runs = {0};
    struct window window;
    if (x.count && y.count) { /* else all that was seen lies within one pixel, beside its centre */
        const float *thinned = thin(logits, &rows, &columns, &x, &y);
        if (find_window(&window, thinned, rows, columns, (float)bound(rule), &x, &y))
            find_runs(&runs, thinned, columns, &window, &x, &y, rule);
        if (thinned != logits)
            free((void *)thinned);
    }
    find_regions(outline, &runs, find_components(&runs), rule->minimum_area);
    free(runs.at);
    free(x.at);
    free(y.at);
}

void outline_free(struct outline *outline)
{
    free(outline->regions);
    free(outline->starts);
    free(outline->stops);
    *outline = (struct outline){0};
}

double outline_share(const struct outline *outline, int64_t pixels)
{
    return (double)pixels / (double)(outline->width * outline->height);
}

double outline_area(const struct outline *outline)
{
    int64_t pixels = 0;
    for (size_t index = 0; index < outline->run_count; index++)
        pixels += outline->stops[index] - outline->starts[index];
    return outline_share(outline, pixels);
}
