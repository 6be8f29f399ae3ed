#ifndef EDGE_SEGMENTATION_H
#define EDGE_SEGMENTATION_H

#include "failure.h"
#include "manifest.h"

/* One connected part of a mask: edge/segmentation.py's Region. */
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

/* `logits` are rows x columns, all finite, over the whole of the network's input; scores, 0..1, if `are_scores`. */
void segment(struct outline *outline, const float *logits, int64_t rows, int64_t columns, int64_t width, int64_t height,
             const struct decision *decision, const struct preprocessing *how, bool are_scores);
void outline_free(struct outline *outline);
/* Share of the image. */
double outline_area(const struct outline *outline);
double outline_share(const struct outline *outline, int64_t pixels);
/* The network's output whose score is `threshold`: a logit, or the score itself. */
double bound(double threshold, bool are_scores);

#endif
