#ifndef EDGE_INFERENCE_H
#define EDGE_INFERENCE_H

#include "arguments.h"
#include "engine.h"

/* Answer the images asked for, one after the other; return the exit status. */
int infer(struct engine *engine, const struct arguments *arguments);
/* Load the engine that is asked for. `once`: the network will run once, as far as is known. */
bool load(struct engine *engine, const struct arguments *arguments, bool once, struct failure *failure);

#endif
