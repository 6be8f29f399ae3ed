#include "network.h"

char *operator_fault(const struct operator *operator, const struct graph_tensor *tensors)
{
    (void)operator;
    (void)tensors;
    return NULL;
}
