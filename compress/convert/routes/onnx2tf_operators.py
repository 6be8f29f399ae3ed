"""Operators of ONNX for onnx2tf that know the order of their axes.

onnx2tf keeps images channels last and guesses for each operator, from shapes and from the values that other orders
give, which axis became which: wrong where two axes are equally long, and minutes of trying. Here each tensor carries
the order of its axes, so that nothing is guessed; a transposition costs nothing until an operator needs the axes in
another order. What works on images alone (convolution, pooling) is still onnx2tf's and gets them channels last.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

Order = tuple[int, ...]


class Value(NamedTuple):
    """A tensor, or a constant as a NumPy array, whose axis i is axis order[i] of the ONNX tensor."""

    tensor: Any
    order: Order

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the ONNX tensor's shape."""
        sizes = [int(size) for size in self.tensor.shape]
        return tuple(sizes[self.order.index(axis)] for axis in range(len(sizes)))

    def places(self, axes: Sequence[int]) -> list[int]:
        """Return where axes of the ONNX tensor, which may count from the end, lie."""
        return [self.order.index(axis % len(self.order)) for axis in axes]

    def constant(self) -> np.ndarray:
        """Return a constant's values. Raises ValueError where they depend on an image."""
        if isinstance(self.tensor, np.ndarray):
            return self.tensor.transpose(self.places(range(len(self.order))))
        raise ValueError("an operator's parameter depends on the image")


def install(onnx2tf: Any) -> None:
    """Let `onnx2tf`, the module with its loop over nodes, take operators from here."""
    onnx2tf.importlib = SimpleNamespace(import_module=_module)


def _module(name: str) -> Any:
    """Return what has a make_node as onnx2tf's module of that name has."""
    kind = name.rpartition(".")[2]
    if kind == "Input":
        return importlib.import_module(name)
    if kind in _OPERATORS:
        return SimpleNamespace(make_node=partial(_ours, _OPERATORS[kind]))
    return SimpleNamespace(make_node=partial(_theirs, importlib.import_module(name).make_node, kind in _ELEMENTWISE))


def _ours(operator: Callable[..., Any], graph_node: Any, tf_layers_dict: dict[str, Any], **others: Any) -> None:
    try:
        made = operator(graph_node, *(_read(given, tf_layers_dict) for given in graph_node.inputs))
    except Exception as error:
        place = graph_node.name.removeprefix("wa/")  # onnx2tf's, before a module's path
        raise ValueError(f"{graph_node.op} of {place}: {error}") from error
    values = [made] if isinstance(made, Value) else made
    for output, value in zip(graph_node.outputs, values, strict=True):
        _store(graph_node, output, value, tf_layers_dict, others["onnx_graph"])


def _theirs(make: Callable[..., Any], elementwise: bool, graph_node: Any, tf_layers_dict: dict, **others: Any) -> None:
    """Call onnx2tf's own operator, on images that lie channels last."""
    order = None
    for given in graph_node.inputs:
        if (value := _read(given, tf_layers_dict)) is None or not given.name or given.name not in tf_layers_dict:
            continue
        if elementwise:
            order = value.order
        else:
            tf_layers_dict[given.name] |= _entry(_aligned(value, _channels_last(len(value.order))))
    make(graph_node=graph_node, tf_layers_dict=tf_layers_dict, **others)
    for output in graph_node.outputs:
        tensor = tf_layers_dict[output.name]["tf_node"]
        value = Value(tensor, order or _channels_last(len(tensor.shape)))
        _store(graph_node, output, value, tf_layers_dict, others["onnx_graph"])


def _read(given: Any, known: dict[str, Any]) -> Value | None:
    """Return an input of a node; None where it is left out."""
    if hasattr(given, "values"):
        values = np.asarray(given.values)
        return Value(values, tuple(range(values.ndim)))
    if given.name not in known:
        return None
    entry = known[given.name]
    tensor = entry["tf_node"]
    if "order" not in entry:  # an input of the network
        images = len(tensor.shape) == 4
        entry["order"] = _channels_last(4) if images else tuple(range(len(tensor.shape)))
    return Value(tensor, entry["order"])


def _store(node: Any, output: Any, value: Value, known: dict[str, Any], graph: Any) -> None:
    """Keep what a node returns; the network's outputs lie in the order in which the file has them."""
    if output.name in {wanted.name for wanted in graph.graph.output}:
        rank = len(value.order)
        value = _aligned(value, _channels_last(4) if rank == 4 else tuple(range(rank)))
        value = value._replace(tensor=tf.identity(value.tensor))  # a layer of its own, which gets the output's name
    known[output.name] = {"optype": node.op, "shape": output.shape, "dtype": output.dtype, **_entry(value)}


def _entry(value: Value) -> dict[str, Any]:
    flags = {"nhwc": True, "before_op_output_shape_trans": True}
    return {"tf_node": value.tensor, "order": value.order, **flags}


def _channels_last(rank: int) -> Order:
    return (0, *range(2, rank), 1) if rank in (3, 4, 5) else tuple(range(rank))


def _aligned(value: Value, order: Sequence[int]) -> Value:
    """Return the same tensor with its axes in `order`."""
    if value.order == tuple(order):
        return value
    places = [value.order.index(axis) for axis in order]
    transpose = np.transpose if isinstance(value.tensor, np.ndarray) else tf.transpose
    return Value(transpose(value.tensor, places), tuple(order))


def _plain(value: Value) -> Any:
    """Return the tensor with its axes as ONNX has them."""
    return _aligned(value, tuple(range(len(value.order)))).tensor


# --- axes


def _transpose(node: Any, x: Value) -> Value:
    axes = list(node.attrs.get("perm", reversed(range(len(x.order)))))
    return Value(x.tensor, tuple(axes.index(axis) for axis in x.order))


def reshaped(x: Value, shape: Sequence[int]) -> Value:
    """Return `x` in another shape; its axes stay where they lie unless some that are merged lie apart."""
    shape = tuple(int(size) for size in shape)
    reshape = np.reshape if isinstance(x.tensor, np.ndarray) else tf.reshape
    old = x.shape
    if not old or not shape:
        return Value(reshape(x.tensor, shape), tuple(range(len(shape))))
    places = []
    for read, written in _groups(old, shape):
        long = [x.order.index(axis) for axis in read if old[axis] > 1]
        if long != list(range(long[0], long[0] + len(long)) if long else []) and not _only_short(x, long):
            return Value(reshape(_plain(x), shape), tuple(range(len(shape))))
        places.append((long[0] if long else x.order.index(read[0]), written))
    order = tuple(axis for _, written in sorted(places) for axis in written)
    return Value(reshape(x.tensor, [shape[axis] for axis in order]), order)


def _only_short(x: Value, places: Sequence[int]) -> bool:
    """Return whether places follow each other but for axes of size 1 in between."""
    between = set(range(places[0], places[-1] + 1)) - set(places)
    return list(places) == sorted(places) and all(int(x.tensor.shape[place]) == 1 for place in between)


def _groups(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the axes of `old` and those of `new` that are made of them, in the smallest groups."""
    i = j = 0
    while i < len(old) and j < len(new):
        read, written = [i], [j]
        m, n = old[i], new[j]
        i, j = i + 1, j + 1
        while m != n:
            if m < n:
                m, i = m * old[i], i + 1
                read.append(i - 1)
            else:
                n, j = n * new[j], j + 1
                written.append(j - 1)
        if i == len(old) or j == len(new):  # axes of size 1 at the end
            read += range(i, len(old))
            written += range(j, len(new))
            i, j = len(old), len(new)
        yield read, written


def _reshape(node: Any, x: Value, shape: Value) -> Value:
    sizes = [int(size) for size in shape.constant().reshape(-1)]
    if not node.attrs.get("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    if -1 in sizes:
        known = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = math.prod(x.shape) // known
    return reshaped(x, sizes)


def _flatten(node: Any, x: Value) -> Value:
    axis = node.attrs.get("axis", 1)
    axis += len(x.shape) if axis < 0 else 0
    return reshaped(x, [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


def _squeeze(node: Any, x: Value, *given: Value) -> Value:
    axes, rank = _axes(node, given), len(x.shape)
    gone = {axis % rank for axis in axes} if axes else {axis for axis in range(rank) if x.shape[axis] == 1}
    return reshaped(x, [size for axis, size in enumerate(x.shape) if axis not in gone])


def _unsqueeze(node: Any, x: Value, *given: Value) -> Value:
    axes = _axes(node, given)
    rank = len(x.shape) + len(axes)
    added, sizes = {axis % rank for axis in axes}, iter(x.shape)
    return reshaped(x, [1 if axis in added else next(sizes) for axis in range(rank)])


def _axes(node: Any, given: Sequence[Value | None]) -> list[int]:
    """Return the axes that a node names in an attribute or, from opset 13 or 18, in an input."""
    if "axes" in node.attrs:
        return [int(axis) for axis in node.attrs["axes"]]
    return [int(axis) for axis in given[0].constant().reshape(-1)] if given and given[0] is not None else []


def _expand(node: Any, x: Value, shape: Value) -> Value:
    wanted = [int(size) for size in shape.constant()]
    x = reshaped(x, [1] * (len(wanted) - len(x.shape)) + list(x.shape))
    wanted = list(np.broadcast_shapes(wanted, x.shape))
    return x._replace(tensor=tf.broadcast_to(x.tensor, [wanted[axis] for axis in x.order]))


def _concat(node: Any, *values: Value) -> Value:
    first = next((value for value in values if not isinstance(value.tensor, np.ndarray)), values[0])
    (axis,) = first.places([node.attrs["axis"]])
    return first._replace(tensor=tf.concat([_aligned(value, first.order).tensor for value in values], axis))


def _split(node: Any, x: Value, sizes: Value | None = None) -> list[Value]:
    (axis,) = x.places([node.attrs.get("axis", 0)])
    given = node.attrs.get("split") if sizes is None else sizes.constant().tolist()
    if given is None:
        step = -(-int(x.tensor.shape[axis]) // len(node.outputs))
        given = [step] * (len(node.outputs) - 1)
        given.append(int(x.tensor.shape[axis]) - sum(given))
    equal = len(set(given)) == 1
    return [x._replace(tensor=part) for part in tf.split(x.tensor, len(given) if equal else given, axis)]


def _slice(node: Any, x: Value, *given: Value | None) -> Value:
    names = ("starts", "ends", "axes", "steps")
    found: dict[str, list[int]] = {name: node.attrs[name] for name in names if name in node.attrs}
    found |= {name: value.constant().tolist() for name, value in zip(names, given, strict=False) if value is not None}
    starts, ends = found["starts"], found["ends"]
    axes, steps = found.get("axes", range(len(starts))), found.get("steps", [1] * len(starts))
    parts = [slice(None)] * len(x.order)
    for start, end, place, step in zip(starts, ends, x.places(axes), steps, strict=True):
        start, end, step = slice(start, end, step).indices(int(x.tensor.shape[place]))
        parts[place] = slice(start, end if end >= 0 else None, step)
    return x._replace(tensor=x.tensor[tuple(parts)])


def _gather(node: Any, x: Value, indices: Value) -> Value:
    (place,) = x.places([node.attrs.get("axis", 0)])
    chosen = indices.constant()
    axis = x.order[place]
    chosen = np.where(chosen < 0, chosen + x.shape[axis], chosen)
    if chosen.ndim == 1:
        return x._replace(tensor=_take(x.tensor, chosen, place))
    if chosen.ndim == 0:
        order = tuple(other - (other > axis) for other in x.order if other != axis)
        return Value(_take(x.tensor, chosen, place), order)
    return Value(_take(_plain(x), chosen, axis), tuple(range(len(x.order) + chosen.ndim - 1)))


def _take(tensor: Any, chosen: np.ndarray, axis: int) -> Any:
    if isinstance(tensor, np.ndarray):
        return np.take(tensor, chosen, axis)
    if chosen.ndim == 0:
        return tensor[(slice(None),) * axis + (int(chosen),)]
    return tf.gather(tensor, chosen.astype(np.int32), axis=axis)


def _identity(node: Any, x: Value) -> Value:
    return x


# --- arithmetic


def _together(function: Callable[..., Any], node: Any, *values: Value) -> Value:
    """Return an elementwise function of tensors that are broadcast."""
    rank = max(len(value.order) for value in values)
    whole = [reshaped(value, [1] * (rank - len(value.order)) + list(value.shape)) for value in values]
    computed = [value for value in whole if not isinstance(value.tensor, np.ndarray)]
    order = max(computed or whole, key=lambda value: math.prod(value.shape)).order
    tensors = [_aligned(value, order).tensor for value in whole]
    tensors = [x.reshape(()) if isinstance(x, np.ndarray) and x.size == 1 else x for x in tensors]
    made = tensors[0]
    for tensor in tensors[1:]:
        made = function(made, tensor)
    return Value(made, order)


def _power(x: Any, exponent: Any) -> Any:
    """Return a power; squares and roots have operators of their own, which are exact for all numbers."""
    if isinstance(exponent, np.ndarray) and exponent.size == 1:
        if float(exponent) == 2:
            return x * x
        if float(exponent) == 0.5:
            return tf.sqrt(x)
    return tf.pow(x, exponent)


def _reduce(function: Callable[..., Any], node: Any, x: Value, *given: Value) -> Value:
    axes = _axes(node, given) or list(range(len(x.order)))
    if node.attrs.get("keepdims", 1):
        return x._replace(tensor=function(x.tensor, axis=x.places(axes), keepdims=True))
    gone = {axis % len(x.order) for axis in axes}
    left = [axis for axis in x.order if axis not in gone]
    tensor = function(x.tensor, axis=x.places(axes))
    return Value(tensor, tuple(sorted(left).index(axis) for axis in left))


def _global(function: Callable[..., Any], node: Any, x: Value) -> Value:
    return x._replace(tensor=function(x.tensor, axis=x.places(range(2, len(x.order))), keepdims=True))


def _softmax(node: Any, x: Value) -> Value:
    axis = node.attrs.get("axis", -1) % len(x.order)
    x = _aligned(x, [*(other for other in x.order if other != axis), axis])
    return x._replace(tensor=tf.nn.softmax(x.tensor) if node.op == "Softmax" else tf.nn.log_softmax(x.tensor))


def _normalize(x: Value, axes: Sequence[int], epsilon: float, scale: Any, offset: Any) -> Value:
    """Return `x` with mean 0 and variance 1 along axes, then scaled and moved; Ba et al. 2016, equation 3.

    Args:
        scale, offset: constants that can be broadcast to the ONNX tensor's shape, or None.
    """
    places = x.places(axes)
    apart = x.tensor - tf.reduce_mean(x.tensor, axis=places, keepdims=True)
    variance = tf.reduce_mean(apart * apart, axis=places, keepdims=True)
    tensor = apart * tf.math.rsqrt(variance + epsilon)
    if scale is not None:
        tensor = tensor * _aligned(scale, x.order).tensor
    if offset is not None:
        tensor = tensor + _aligned(offset, x.order).tensor
    return x._replace(tensor=tensor)


def _layer_norm(node: Any, x: Value, scale: Value, offset: Value | None = None) -> Value:
    rank = len(x.order)
    axes = range(node.attrs.get("axis", -1) % rank, rank)
    parameters = [
        None if value is None else reshaped(value, [1] * axes.start + list(value.shape)) for value in (scale, offset)
    ]
    return _normalize(x, axes, node.attrs.get("epsilon", 1e-5), *parameters)


def _instance_norm(node: Any, x: Value, scale: Value, offset: Value) -> Value:
    rank = len(x.order)
    parameters = [reshaped(value, [1, value.shape[0], *[1] * (rank - 2)]) for value in (scale, offset)]
    return _normalize(x, range(2, rank), node.attrs.get("epsilon", 1e-5), *parameters)


def _matmul(node: Any, a: Value, b: Value) -> Value:
    rank = len(a.order)
    if isinstance(b.tensor, np.ndarray) and b.tensor.ndim == 2:  # a linear layer: the other axes lie as they like
        a = _aligned(a, [*(axis for axis in a.order if axis != rank - 1), rank - 1])
        return a._replace(tensor=tf.matmul(a.tensor, b.constant()))
    rank = max(rank, len(b.order))
    a, b = (reshaped(value, [1] * (rank - len(value.order)) + list(value.shape)) for value in (a, b))
    tensors, turned = [], []
    for value in (a, b):
        batch = tuple(range(rank - 2))
        turned.append(value.order == (*batch, rank - 1, rank - 2))
        tensors.append(value.tensor if turned[-1] else _plain(value))
    return Value(tf.matmul(*tensors, transpose_a=turned[0], transpose_b=turned[1]), tuple(range(rank)))


def _gemm(node: Any, a: Value, b: Value, c: Value | None = None) -> Value:
    turned = {"transpose_a": bool(node.attrs.get("transA")), "transpose_b": bool(node.attrs.get("transB"))}
    weights, alpha = _plain(b), np.float32(node.attrs.get("alpha", 1))
    if isinstance(weights, np.ndarray):  # folded and in TensorFlow's order
        weights, alpha = weights.T * alpha if turned.pop("transpose_b") else weights * alpha, np.float32(1)
    made = tf.matmul(_plain(a), weights, **turned)
    if alpha != 1:
        made = made * alpha
    if c is not None:
        made = made + _plain(c) * np.float32(node.attrs.get("beta", 1))
    return Value(made, (0, 1))


def _einsum(node: Any, a: Value, b: Value, *_: Value) -> Value:
    """Return a sum of products of two tensors as a product of matrices. Raises ValueError for other equations."""
    read, written = node.attrs["equation"].replace(" ", "").split("->")
    labels = read.split(",")
    if len(labels) != 2 or "." in read or any(len(set(one)) < len(one) for one in labels):
        raise ValueError(f"{read} can't be a product of matrices: use matmul")
    (a, first), (b, second) = _summed(a, labels[0], labels[1], written), _summed(b, labels[1], labels[0], written)
    sizes = dict(zip(first + second, a.shape + b.shape, strict=True))
    both = [one for one in first if one in second and one in written]
    summed = [one for one in first if one in second and one not in written]
    left, right = ([one for one in mine if one not in other] for mine, other in ((first, second), (second, first)))
    x = _relabelled(a, first, both + left + summed)
    y = _relabelled(b, second, both + summed + right)
    count = [math.prod(sizes[one] for one in group) for group in (both, left, summed, right)]
    made = _matmul(node, reshaped(x, count[:3]), reshaped(y, [count[0], *count[2:]]))
    made = reshaped(made, [sizes[one] for one in both + left + right])
    return _relabelled(made, both + left + right, written)


def _summed(value: Value, mine: str, other: str, written: str) -> tuple[Value, str]:
    """Sum over the axes that only this tensor has and the result has not; return it with the labels that are left."""
    left = "".join(one for one in mine if one in other or one in written)
    places = value.places([axis for axis, one in enumerate(mine) if one not in left])
    order = [mine[axis] for axis in value.order if mine[axis] in left]
    tensor = tf.reduce_sum(value.tensor, axis=places) if places else value.tensor
    return Value(tensor, tuple(left.index(one) for one in order)), left


def _relabelled(value: Value, mine: Sequence[str], wanted: Sequence[str]) -> Value:
    """Return the tensor whose axes are those of `value` in another order."""
    return Value(value.tensor, tuple(list(wanted).index(mine[axis]) for axis in value.order))


def _error_function(node: Any, x: Value) -> Value:
    """Return erf, which TFLite lacks, with an error below 1.5e-7: Abramowitz and Stegun 1964, equation 7.1.26."""
    size = tf.abs(x.tensor)
    t = 1 / (1 + 0.3275911 * size)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return x._replace(tensor=tf.sign(x.tensor) * (1 - polynomial * tf.exp(-size * size)))


def _gelu(node: Any, x: Value) -> Value:
    """Return what stands for GELU: TensorFlow's converter keeps a function that TFLite lacks, and would divide GELU."""
    exact = node.attrs.get("approximate", "none") == "none"
    return x._replace(tensor=tf.math.erf(x.tensor) if exact else tf.math.erfinv(x.tensor))


# --- images


def _pad(node: Any, x: Value, pads: Value, filler: Value | None = None, axes: Value | None = None) -> Value:
    rank = len(x.order)
    named = [int(axis) % rank for axis in axes.constant()] if axes is not None else list(range(rank))
    amounts = pads.constant().astype(int).reshape(2, -1).T
    widths = [[0, 0] for _ in range(rank)]
    for axis, (before, behind) in zip(named, amounts.tolist(), strict=True):
        widths[x.order.index(axis)] = [before, behind]
    mode = node.attrs.get("mode", "constant")
    if min(map(min, widths)) < 0:
        parts = [slice(max(0, -a), size - max(0, -b)) for (a, b), size in zip(widths, x.tensor.shape, strict=True)]
        x = x._replace(tensor=x.tensor[tuple(parts)])
        widths = [[max(0, a), max(0, b)] for a, b in widths]
    if mode == "edge":
        return x._replace(tensor=_with_edges(x.tensor, widths))
    value = float(filler.constant().reshape(-1)[0]) if filler is not None and mode == "constant" else 0.0
    if mode == "reflect" or not value:
        return x._replace(tensor=tf.pad(x.tensor, widths, mode))
    return x._replace(tensor=tf.pad(x.tensor, widths, constant_values=value))


def _with_edges(tensor: Any, widths: Sequence[Sequence[int]]) -> Any:
    for axis, (before, behind) in enumerate(widths):
        inner = (slice(None),) * axis
        first, last = tensor[(*inner, slice(0, 1))], tensor[(*inner, slice(-1, None))]
        if before or behind:
            tensor = tf.concat([first] * before + [tensor] + [last] * behind, axis)
    return tensor


def _depth_to_space(node: Any, x: Value) -> Value:
    x, size = _aligned(x, _channels_last(4)), node.attrs["blocksize"]
    tensor = x.tensor
    if node.attrs.get("mode", "DCR") == "CRD":  # (channels, rows, columns) of a block; TensorFlow wants channels last
        order = np.arange(x.shape[1]).reshape(-1, size * size).T.reshape(-1)
        tensor = tf.gather(tensor, order, axis=3)
    return x._replace(tensor=tf.nn.depth_to_space(tensor, size))


def _space_to_depth(node: Any, x: Value) -> Value:
    x = _aligned(x, _channels_last(4))
    return x._replace(tensor=tf.nn.space_to_depth(x.tensor, node.attrs["blocksize"]))


def _resize(node: Any, x: Value, *given: Value | None) -> Value:
    """Return an image resampled. Raises ValueError for what TFLite has no operator for."""
    x = _aligned(x, _channels_last(4))
    height, width = (int(size) for size in node.outputs[0].shape[2:])
    mode, where = node.attrs.get("mode", "nearest"), node.attrs.get("coordinate_transformation_mode", "half_pixel")
    rounding = node.attrs.get("nearest_mode", "round_prefer_floor")
    ways = {"align_corners": where == "align_corners", "half_pixel_centers": where.endswith("half_pixel")}
    if mode == "linear" and any(ways.values()):
        function = tf.raw_ops.ResizeBilinear
    elif mode == "nearest" and ((where, rounding) == ("asymmetric", "floor") or where == "half_pixel"):
        function = tf.raw_ops.ResizeNearestNeighbor
    else:
        raise ValueError(f"TFLite can't resample by {mode}, {where}, {rounding}")
    layer = tf_keras.layers.Lambda(lambda images: function(images=images, size=[height, width], **ways))
    return x._replace(tensor=layer(x.tensor))


def _transposed_convolution(node: Any, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """Return a transposed convolution; raises ValueError for what TFLite has no operator for.

    TensorFlow pads to as many pixels as there are in the input times the stride, or not at all: where the first does
    not fit, what is too much is cut off.
    """
    x = _aligned(x, _channels_last(4))
    kernel = weight.constant().transpose(2, 3, 1, 0)  # height, width, out, in
    strides = node.attrs.get("strides", [1, 1])
    pads = np.reshape(node.attrs.get("pads", [0, 0, 0, 0]), (2, 2)).T
    if node.attrs.get("group", 1) != 1 or any(rate != 1 for rate in node.attrs.get("dilations", [1, 1])):
        raise ValueError("TFLite can't transpose a convolution with groups or dilation: use Conv2d behind Upsample")
    wanted = [int(size) for size in node.outputs[0].shape[2:]]
    sizes, spread = x.tensor.shape[1:3], kernel.shape[:2]
    same = all(
        out == size * stride and begin == (k - stride) // 2 and k >= stride
        for out, size, stride, begin, k in zip(wanted, sizes, strides, pads[:, 0], spread, strict=True)
    )
    whole = [(size - 1) * stride + max(k, stride) for size, stride, k in zip(sizes, strides, spread, strict=True)]
    shape = [int(x.tensor.shape[0]), *(wanted if same else whole), kernel.shape[2]]
    made = tf.nn.conv2d_transpose(x.tensor, kernel, shape, strides, "SAME" if same else "VALID")
    if bias is not None:
        made = tf.nn.bias_add(made, bias.constant())
    if not same:
        (top, _), (left, _) = pads.tolist()
        made = made[:, top : top + wanted[0], left : left + wanted[1]]
    return x._replace(tensor=made)


_REDUCTIONS = {
    "ReduceMean": tf.reduce_mean,
    "ReduceSum": tf.reduce_sum,
    "ReduceMax": tf.reduce_max,
    "ReduceMin": tf.reduce_min,
    "ReduceProd": tf.reduce_prod,
}
_BINARY = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Pow": _power,
    "Max": tf.maximum,
    "Min": tf.minimum,
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    **{name: partial(_reduce, function) for name, function in _REDUCTIONS.items()},
    **{name: partial(_together, function) for name, function in _BINARY.items()},
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Concat": _concat,
    "ConvTranspose": _transposed_convolution,
    "DepthToSpace": _depth_to_space,
    "Einsum": _einsum,
    "Erf": _error_function,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "Gelu": _gelu,
    "GlobalAveragePool": partial(_global, tf.reduce_mean),
    "GlobalMaxPool": partial(_global, tf.reduce_max),
    "Identity": _identity,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
# onnx2tf's own, in whatever order the axes lie.
_ELEMENTWISE = frozenset(
    {
        *("Abs", "Cast", "Ceil", "Celu", "Clip", "Cos", "Elu", "Exp", "Floor", "HardSigmoid", "HardSwish"),
        *("LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin"),
        *("Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu"),
    }
)
