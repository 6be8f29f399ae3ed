"""What a network's outputs are, by the operators that its graph ends in: scores, logarithms of scores, or logits."""

from __future__ import annotations

from edge.errors import EdgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.manifest import Output
    from edge.network import Graph, Network, Operator

SCORES, LOGARITHMS, LOGITS, UNKNOWN = "scores", "logarithms of scores", "logits", ""

# Lists of words are split when they are needed; the native program's activation.c has the same ones.
_SCORES = "SOFTMAX LOGISTIC"
_LINEAR = "FULLY_CONNECTED CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV BATCH_MATMUL"
# What keeps scores what they are: of their first input, and of all of their inputs.
_KEEPS_FIRST = (
    "RESHAPE SQUEEZE EXPAND_DIMS QUANTIZE DEQUANTIZE CAST TRANSPOSE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SLICE "
    "STRIDED_SLICE MEAN AVERAGE_POOL_2D MAX_POOL_2D REDUCE_MAX REDUCE_MIN GATHER TILE BROADCAST_TO DEPTH_TO_SPACE "
    "SPACE_TO_DEPTH REVERSE_V2 PAD SPLIT_V UNPACK"
)
_KEEPS_ALL = "CONCATENATION PACK MAXIMUM MINIMUM"


def ending(network: Network, output: int = 0) -> tuple[str, str]:
    """Return what an output of the network is (SCORES, LOGARITHMS, LOGITS or UNKNOWN) and the operator behind that.

    Followed back from the output through operators that keep scores what they are: QUANTIZE behind a SOFTMAX, say.
    Where they lead to several operators, all of them must be of one kind, and the first one is named.
    """
    graph = network.graphs[0]
    makers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    waiting, seen, names = list(graph.outputs[output : output + 1]), set[int](), []
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        operator = makers.get(tensor)
        if operator is None:
            return UNKNOWN, ""  # the network's input, or a constant
        sources = _sources(operator, graph)
        waiting += sources
        if not sources:
            names.append(operator.custom or operator.name)
    kinds = {_kind(name) for name in names}
    return (kinds.pop() if len(kinds) == 1 else UNKNOWN), names[0] if names else ""


def check_activations(outputs: Sequence[Output], network: Network, where: str) -> None:
    """Raise EdgeError ("model.tensors") where the manifest would make scores of an output that has scores already.

    What is not known is believed: the operators cannot tell everything. Neither can an output of a task of its own.
    """
    for number, output in enumerate(outputs):
        if output.activation:
            check_activation(output.activation, network, where, number)


def check_activation(activation: str, network: Network, where: str, output: int = 0) -> None:
    """Raise EdgeError as `check_activations`, for one output."""
    kind, name = ending(network, output)
    if (kind, activation) == (LOGARITHMS, "softmax"):  # softmax(log(softmax(z))) = softmax(z)
        return
    if kind == LOGARITHMS or (kind == SCORES and activation != "none"):
        wanted = "none" if kind == SCORES else "softmax"
        raise EdgeError(
            f"{where} has a network that ends in {name}, so its outputs are {kind}, and a manifest whose activation is "
            f'"{activation}": expected "{wanted}"; correct the manifest and build the model file again with '
            "edge-compress",
            "model.tensors",
        )


def _kind(name: str) -> str:
    if name in _SCORES.split():
        return SCORES
    if name == "LOG_SOFTMAX":
        return LOGARITHMS
    return LOGITS if name in _LINEAR.split() else UNKNOWN


def _sources(operator: Operator, graph: Graph) -> list[int]:
    """Return the tensors whose scores the operator hands on; none where it hands on none."""
    computed = [number for number in operator.inputs if number >= 0 and not graph.tensors[number].bytes]
    if operator.name in _KEEPS_FIRST.split():
        return list(operator.inputs[:1])
    if operator.name == "SPLIT":  # its first input is the axis
        return list(operator.inputs[1:2])
    if operator.name in _KEEPS_ALL.split():
        return computed
    # 1 - p, the score of the other class
    return computed if operator.name == "SUB" and computed == list(operator.inputs[1:]) else []
