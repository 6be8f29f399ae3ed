#ifndef EDGE_MODEL_H
#define EDGE_MODEL_H

#include "archive.h"
#include "manifest.h"
#include "network.h"

/* A model file that passed every check: a flatbuffer, a zip behind it, a digest at the end (docs/model-file.md). */
struct model {
    char *path;
    struct bytes data; /* the whole file, mapped */
    struct archive archive;
    struct manifest manifest;
};

bool model_read(struct model *model, const char *path, struct failure *failure);
/* Check that the bytes in `data` are a model file, and read what they say. */
bool model_check(struct model *model, struct failure *failure);
/* Check the flatbuffer before a runtime sees it (network.h), and the outputs' activations against it (activation.h). */
bool model_network(const struct model *model, struct network *network, struct failure *failure);
/* Give the memory of the file's bytes back; what is read of them later comes from the file again. */
void model_rest(const struct model *model);
void model_close(struct model *model);
/* Return a member's bytes, which the caller frees. */
bool model_member(const struct model *model, const char *name, struct bytes *content, struct failure *failure);

/* The model files that came with the program, sorted by name; ends in NULL, the caller frees all. */
char **model_shipped(void);
/* Return the file of a shipped model's name, or the path that `name` is; for NULL, that of pneumonia or of the only one
   there is. NULL and a failure for a bare word that is neither. */
char *model_find(const char *name, struct failure *failure);
/* Return the path of what is installed at `place` beside the running program's folder, or what the environment's
   `variable` (or NULL) says instead; the caller frees it. */
char *installed(const char *variable, const char *place);

#endif
