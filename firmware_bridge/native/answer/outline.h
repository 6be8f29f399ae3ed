#ifndef EDGE_OUTLINE_H
#define EDGE_OUTLINE_H

#include "preprocess.h"

/* One connected part of a mask: edge/mask.py's Region. */
struct region {
    double score;
    int64_t pixels;
    int64_t box[4]; /* left, top, width, height */
};

/* A mask as runs of pixels down the columns of the image, one column after the other. */
struct outline {
    int64_t width, height; /* of the image */
    struct value_window window;  /* in which the network saw it */
    struct region *regions; /* the largest first */
    size_t region_count;
    int64_t *starts, *stops;
    size_t run_count;
};

/* Which pixels are in a mask, and which regions are dropped. */
struct rule {
    bool are_scores;  /* the network's outputs are scores already, not logits */
    double threshold; /* of a pixel's score, 0..1: at least */
    double minimum_area; /* share of the image */
};

/* `logits` are rows x columns, all finite, over the whole of the network's input; scores, 0..1, if the rule says so. */
void segment(struct outline *outline, const float *logits, int64_t rows, int64_t columns, int64_t width, int64_t height,
             const struct rule *rule, const struct preprocessing *how);
void outline_free(struct outline *outline);
/* Share of the image. */
double outline_area(const struct outline *outline);
double outline_share(const struct outline *outline, int64_t pixels);
/* The network's output whose score is the threshold: a logit, or the score itself. */
double bound(const struct rule *rule);

#endif
