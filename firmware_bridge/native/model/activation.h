#ifndef EDGE_ACTIVATION_H
#define EDGE_ACTIVATION_H

#include "network.h"

/* Note in the tensors that an operator gives which one made their values. Operators that keep scores what they are, a
   QUANTIZE behind a SOFTMAX say, hand on what made those of their inputs. The same as edge/activation.py. */
void activation_note(const struct operator *operator, struct graph_tensor *tensors);

/* Fail where the manifest's activation would make scores of what `origin` (NULL: not known) made scores already. */
bool activation_check(const char *activation, const char *origin, const char *path, struct failure *failure);

#endif
