#ifndef EDGE_ACTIVATION_H
#define EDGE_ACTIVATION_H

#include "network.h"

/* Note in the tensors that an operator gives which one made their values. Operators that keep scores what they are, a
   QUANTIZE behind a SOFTMAX say, hand on what made those of their inputs. The same as edge/activation.py. */
void activation_note(const struct operator *operator, struct graph_tensor *tensors);

/* Fail where the manifest's activation would make scores of what `origin` (NULL: not known) made scores already.
   `are_scores`: the activation is "none"; else it is the sigmoid of a segmentation, or softmax. */
bool activation_check(bool are_scores, bool is_segmentation, const char *origin, const char *path,
                      struct failure *failure);

#endif
