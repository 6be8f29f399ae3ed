"""What LiteRT's kernels take for granted of single operators, and would end the process for.

Where a kernel looks itself and refuses, there is no rule here. The native program's operator_rules.c has the same
rules, and its tables are made from these (make_schema.py).
"""

from __future__ import annotations

from functools import cache
from math import prod
from struct import unpack_from
from typing import Any, NamedTuple

from edge.network import Operator, Tensor
from edge.tflite_schema import ARGUMENTS

MAX_RANK = 8
MAX_MULTIPLIER = 256.0  # from what is weighed to what comes out
MAX_WINDOW = 4096  # pixels of a stride, or of a filter with its gaps
LEAST_STEP, MOST_STEP = 2.0**-60, 2.0**30  # of the quantization of what is computed with

_SPECS = {line.split(" ", 1)[0]: line for line in ARGUMENTS.strip().split("\n")}
_ANY = 2**31


class _Every:
    """All that could be asked for."""

    def __contains__(self, name: object) -> bool:
        return True


@cache
def _spec(name: str) -> tuple[Any, range, range, int]:
    """Return which options it may have, how many inputs and outputs, and how many of the first inputs it needs."""
    _, options, inputs, outputs = _SPECS[name].split(" ")
    inputs, _, optional = inputs.partition("@")
    counts = []
    for wanted in (inputs, outputs):
        least, _, most = wanted.rstrip("+").partition("-")
        counts.append(range(int(least), _ANY if wanted[-1] == "+" else int(most or least) + 1))
    taken = _Every() if options == "-" else (options[:-1], "") if options[-1] == "?" else (options,)
    return taken, counts[0], counts[1], int(optional) if optional else _ANY


def fault(operator: Operator, tensors: tuple[Tensor, ...], data: bytes | memoryview) -> str:
    """Return what is wrong with the operator, "" where nothing is. `tensors` are its graph's, `data` the whole file."""
    if operator.name not in _SPECS:
        return "is none that a runtime has"
    options, inputs, outputs, needed = _spec(operator.name)
    if operator.options_name not in options:
        return f"has {operator.options_name or 'no options'}: expected {options[0]}"
    if len(operator.inputs) not in inputs:
        return f"has {len(operator.inputs)} inputs"
    if len(operator.outputs) not in outputs:
        return f"has {len(operator.outputs)} outputs"
    if -1 in operator.inputs[:needed]:
        return "lacks an input"
    rule = _RULES.get(operator.name)
    if rule is None:
        return ""
    reads = [tensors[index] if index >= 0 else None for index in operator.inputs]
    gives = [tensors[index] for index in operator.outputs]
    return rule(_Facts(operator.name, operator.options, reads, gives, data))


class _Facts(NamedTuple):
    """What a rule looks at. `reads` holds None for an optional input that is left out."""

    name: str
    options: dict[str, Any]
    reads: list[Any]
    gives: list[Any]
    data: bytes | memoryview


def _integers(tensor: Tensor | None, data: bytes | memoryview) -> tuple[int, ...] | None:
    """Return the values of a constant of whole numbers; None of any other tensor."""
    letter = {"INT32": "i", "INT64": "q"}.get(tensor.type) if tensor is not None and tensor.bytes else None
    if tensor is None or letter is None:
        return None
    return unpack_from(f"<{prod(tensor.shape)}{letter}", data, tensor.begin)


def _differs(tensor: Tensor, sizes: tuple[int | None, ...]) -> bool:
    """Whether the tensor's sizes are others; None and what the converter left open fit all."""
    return len(tensor.shape) != len(sizes) or any(
        wanted is not None and not is_open and size != wanted
        for size, is_open, wanted in zip(tensor.shape, tensor.is_open, sizes, strict=True)
    )


def _known(tensor: Tensor, index: int) -> int | None:
    return None if tensor.is_open[index] else tensor.shape[index]


def _windows(facts: _Facts, sizes: tuple[int, ...]) -> tuple[str, tuple[int | None, ...]]:
    """Hold strides, filter and gaps over the dimensions between batch and channels.

    Return what is wrong, and the sizes that come out.
    """
    options, image, out = facts.options, facts.reads[0], []
    for index, end, size in zip(range(1, len(sizes) + 1), "dhw"[-len(sizes) :], sizes, strict=True):
        stride, dilation = options[f"stride_{end}"], options.get(f"dilation_{end}_factor", 1)
        window = (size - 1) * dilation + 1
        if not (1 <= stride <= MAX_WINDOW and size >= 1 and dilation >= 1 and window <= MAX_WINDOW):
            return (
                f"has a stride of {stride}, a filter of {size}, a dilation of {dilation}: expected 1 to {MAX_WINDOW}",
                (),
            )
        over = _known(image, index)
        if over is not None and options["padding"] == _VALID:
            over -= window - 1
            if over < 1:
                return "has a filter that is larger than its input", ()
        out.append(None if over is None else -(-over // stride))
    return "", tuple(out)


def _weights(facts: _Facts, axis: int, of: Tensor, place: int = 2) -> str:
    """Hold types and quantization of what is weighed, the weights, their bias (at `place`) and what comes out."""
    weights, bias, output = facts.reads[1], facts.reads[place] if len(facts.reads) > place else None, facts.gives[0]
    known = _WEIGHTS.get(of.type)
    if known is None or weights.type not in known[0] or output.type != of.type:
        return f"is of {of.type}, {weights.type} and {output.type}, which do not go together"
    if bias is not None:
        if bias.type not in known[1]:
            return f"has a bias of {bias.type}"
        if prod(bias.shape) != weights.shape[axis]:
            return f"has a bias of another size than {weights.shape[axis]}"
    if weights.type in ("INT8", "UINT8", "INT4", "INT2") and len(weights.scales) > 1 and weights.axis != axis:
        return "has weights with scales along another dimension"
    if of.type == "FLOAT32":
        return ""
    if not weights.scales or not all(tensor.scales and min(tensor.scales) > 0 for tensor in (of, output)):
        return "has a tensor without a quantization step"
    # XNNPACK refuses such an operator, and LiteRT frees some memory twice then.
    if not of.scales[0] * max(weights.scales) < MAX_MULTIPLIER * output.scales[0]:
        return "has quantization steps too far from each other"
    return ""


def _convolution(facts: _Facts) -> str:
    image, weights, output = facts.reads[0], facts.reads[1], facts.gives[0]
    if len(image.shape) != 4 or len(weights.shape) != 4:
        return "reads tensors of other than 4 dimensions"
    wrong, size = _windows(facts, weights.shape[1:3])
    if wrong:
        return wrong
    if facts.name == "DEPTHWISE_CONV_2D":
        axis, into, outof = 3, image.shape[3], weights.shape[3]
        fits = weights.shape[0] == 1 and into > 0 and outof > 0 and outof % into == 0
        fits = fits and facts.options["depth_multiplier"] in (0, outof // into)
    else:
        axis, into, outof = 0, weights.shape[3], weights.shape[0]
        fits = into > 0 and outof > 0 and image.shape[3] % into == 0 and image.shape[3] >= into
        fits = fits and outof % (image.shape[3] // into) == 0
    if not fits:
        return f"has weights of {weights.shape} for an input of {image.shape}"
    if _differs(output, (_known(image, 0), *size, outof)):
        return f"gives {output.shape}, which does not follow from its input of {image.shape}"
    return _weights(facts, axis, image)


def _volume(facts: _Facts) -> str:
    image, weights, output = facts.reads[0], facts.reads[1], facts.gives[0]
    if len(image.shape) != 5 or len(weights.shape) != 5:
        return "reads tensors of other than 5 dimensions"
    if any(facts.options[f"dilation_{end}_factor"] != 1 for end in "dhw"):  # it reads behind its input then
        return "has a dilation: expected 1"
    wrong, size = _windows(facts, weights.shape[:3])
    if wrong:
        return wrong
    if min(weights.shape) < 1 or image.shape[4] != weights.shape[3]:
        return f"has weights of {weights.shape} for an input of {image.shape}"
    if _differs(output, (_known(image, 0), *size, weights.shape[4])):
        return f"gives {output.shape}, which does not follow from its input of {image.shape}"
    return _weights(facts, 4, image)


def _transposed(facts: _Facts) -> str:
    shape, weights, image, output = *facts.reads[:3], facts.gives[0]
    options = facts.options
    if len(image.shape) != 4 or len(weights.shape) != 4 or len(output.shape) != 4:
        return "reads tensors of other than 4 dimensions"
    if not all(1 <= options[name] <= MAX_WINDOW for name in ("stride_h", "stride_w")):
        return f"has a stride of {options['stride_h']}x{options['stride_w']}: expected 1 to {MAX_WINDOW}"
    if shape.type != "INT32" or _differs(shape, (4,)):
        return "has a shape that is not 4 whole numbers"
    said = _integers(shape, facts.data)
    if said is not None and (min(said) < 1 or _differs(output, said)):
        return f"is to give {said}, and gives {output.shape}"
    if (
        image.shape[3] != weights.shape[3]
        or min(weights.shape) < 1
        or _differs(output, (None, None, None, weights.shape[0]))
    ):
        return f"has weights of {weights.shape} for an input of {image.shape}"
    for index, name in ((1, "stride_h"), (2, "stride_w")):
        # As many as a convolution of that stride over the output would give.
        over, size, window = _known(image, index), _known(output, index), weights.shape[index]
        if over is None or size is None:
            continue
        window = size - window + 1 if options["padding"] == _VALID else size
        if window < 1 or -(-window // options[name]) != over:
            return f"gives {output.shape}, which does not follow from its input of {image.shape}"
    return _weights(facts, 0, image, 3)


def _pool(facts: _Facts) -> str:
    image, output, options = facts.reads[0], facts.gives[0], facts.options
    if len(image.shape) != 4:
        return "reads a tensor of other than 4 dimensions"
    wrong, size = _windows(facts, (options["filter_height"], options["filter_width"]))
    if not wrong:
        wrong = _same_type(facts)
    if not wrong and _differs(output, (_known(image, 0), *size, _known(image, 3))):
        wrong = f"gives {output.shape}, which does not follow from its input of {image.shape}"
    return wrong


def _dense(facts: _Facts) -> str:
    vector, weights, output = facts.reads[0], facts.reads[1], facts.gives[0]
    if len(weights.shape) != 2 or min(weights.shape) < 1:
        return f"has weights of {weights.shape}: expected 2 dimensions"
    if not any(vector.is_open) and not any(output.is_open):
        rows, left = divmod(prod(vector.shape), weights.shape[1])
        if left or prod(output.shape) != rows * weights.shape[0]:
            return f"gives {output.shape}, which does not follow from {vector.shape} and weights of {weights.shape}"
    return _weights(facts, 0, vector)


def _same_type(facts: _Facts) -> str:
    """Hold that what comes out is of the type that goes in: the kernel writes it so, whatever the file says."""
    types = facts.reads[0].type, facts.gives[0].type
    if types[0] == types[1] or (facts.name == "SOFTMAX" and types == ("INT8", "INT16")):
        return ""
    return f"makes {types[1]} of {types[0]}"


def _gives(facts: _Facts, count: int | None) -> str:
    """Hold how many elements come out, where no size is open: the runtime writes as many, whatever the file says."""
    tensors = [*filter(None, facts.reads), *facts.gives]
    if count is None or any(any(tensor.is_open) for tensor in tensors) or prod(facts.gives[0].shape) == count:
        return ""
    return f"gives {facts.gives[0].shape}, which does not follow from its input of {facts.reads[0].shape}"


def _broadcast(facts: _Facts) -> int | None:
    """Return how many elements two inputs make of one another; None where their sizes do not go together."""
    one, other = (tensor.shape[::-1] for tensor in facts.reads[:2])
    count = 1
    for index in range(max(len(one), len(other))):
        sizes = {shape[index] for shape in (one, other) if index < len(shape)} - {1}
        if len(sizes) > 1:
            return None
        count *= sizes.pop() if sizes else 1
    return count


def _moved(facts: _Facts) -> str:
    return _gives(facts, prod(facts.reads[0].shape))


def _joined(facts: _Facts) -> str:
    return _gives(facts, sum(prod(tensor.shape) for tensor in facts.reads))


def _vector(facts: _Facts) -> str:
    """Hold the lengths of lists of sizes, dimensions and the like: kernels copy them into places of fixed size."""
    most = MAX_RANK * (2 if "PAD" in facts.name else 1)
    for tensor in facts.reads[1:]:
        if tensor is not None and prod(tensor.shape) > most:
            return f"reads {prod(tensor.shape)} sizes or dimensions: expected at most {most}"
    count = None
    if facts.name in ("EXPAND_DIMS", "RESHAPE", "REVERSE_V2", "TRANSPOSE"):
        count = prod(facts.reads[0].shape)
    elif facts.name.startswith("RESIZE"):
        sizes, image = _integers(facts.reads[1], facts.data), facts.reads[0].shape
        if len(image) != 4 or (sizes is not None and (len(sizes) != 2 or min(sizes) < 1)):
            return "resizes what is no image, or to no size"
        count = None if sizes is None else image[0] * prod(sizes) * image[3]
    elif "PAD" in facts.name:
        margins, shape = _integers(facts.reads[1], facts.data), facts.reads[0].shape
        if margins is not None:
            if len(margins) != 2 * len(shape) or min(margins, default=0) < 0:
                return "has other margins than two from 0 on for each dimension"
            count = prod(size + sum(margins[2 * index : 2 * index + 2]) for index, size in enumerate(shape))
    return _same_type(facts) or _gives(facts, count)


def _slice(facts: _Facts) -> str:
    """Hold a part against its input: the kernel reads what lies behind it, too."""
    image = facts.reads[0]
    begins, sizes = (_integers(tensor, facts.data) for tensor in facts.reads[1:3])
    if begins is not None and sizes is not None:
        if len(begins) != len(image.shape) or len(sizes) != len(image.shape):
            return "takes a part with other dimensions than its input's"
        for index, (begin, size) in enumerate(zip(begins, sizes, strict=True)):
            most = _known(image, index)
            if begin < 0 or size < -1 or (most is not None and begin + max(size, 0) > most):  # -1: all that is left
                return "takes a part that reaches beyond its input"
    return _vector(facts)


def _slices(facts: _Facts) -> str:
    """Hold the number of dimensions that come out: what reads them next was written for those of the file."""
    ellipsis, new, shrink = (facts.options.get(f"{name}_mask", 0) for name in ("ellipsis", "new_axis", "shrink_axis"))
    rank = len(facts.reads[0].shape)
    for index in range(min(prod(facts.reads[1].shape), MAX_RANK)):
        if not ellipsis >> index & 1:
            rank += 1 if new >> index & 1 else -(shrink >> index & 1)
    shape = facts.gives[0].shape
    if shape and len(shape) != rank:  # none: the converter did not know it
        return f"gives {len(shape)} dimensions, and its options say {rank}"
    return _vector(facts)


def _parts(facts: _Facts) -> str:
    name, count = _PARTS[facts.name], len(facts.reads if facts.name == "PACK" else facts.gives)
    if facts.options[name] != count:
        return f"has {name} = {facts.options[name]}, and {count} of them"
    return ""


def _steps(facts: _Facts) -> str:
    """Return what is wrong with quantization steps: kernels make fixed point numbers of them and of their quotients."""
    steps: list[list[float]] = []
    for tensors in (facts.reads, facts.gives):
        steps.append([])
        for tensor in tensors:
            if tensor is None or tensor.type not in ("INT8", "UINT8", "INT16"):
                continue
            if not tensor.scales:
                return f"has a tensor of {tensor.type} without a quantization step"
            if len(tensor.scales) == 1:
                steps[-1] += tensor.scales
            elif facts.name != "BATCH_MATMUL" or not tensor.bytes:  # weights may have one for each channel
                return f"has a tensor of {tensor.type} with {len(tensor.scales)} quantization steps: expected 1"
    taken, given = steps
    if any(not LEAST_STEP <= step <= MOST_STEP for step in (*taken, *given)):
        return "has a quantization step that is no network's"
    # These kernels want multipliers below 1.
    shift = 15 if facts.reads[0].type == "INT16" else 20
    if facts.name in ("ADD", "SUB") and given and taken and not 2 * max(taken) < given[0] * 2.0**shift:
        return "has quantization steps too far from each other"
    if facts.name == "SQUARED_DIFFERENCE" and given and taken and not 4 * max(taken) ** 2 < given[0] * 2.0**14:
        return "has quantization steps too far from each other"
    return ""


def _arithmetic(facts: _Facts) -> str:
    count = _broadcast(facts) if len(facts.reads) == 2 else prod(facts.reads[0].shape)
    return _steps(facts) or _same_type(facts) or _gives(facts, None if facts.name == "BATCH_MATMUL" else count)


def _comparison(facts: _Facts) -> str:
    types = facts.reads[0].type, facts.reads[1].type, facts.gives[0].type
    if types[0] != types[1] or types[2] != "BOOL":
        return f"makes {types[2]} of {types[0]} and {types[1]}"
    if any(step >= 1 for tensor in facts.reads for step in tensor.scales):
        return "compares numbers with a quantization step of 1 or more"
    return _steps(facts) or _gives(facts, _broadcast(facts))


def _reduction(facts: _Facts) -> str:
    rank, axes = len(facts.reads[0].shape), _integers(facts.reads[1], facts.data)
    if prod(facts.reads[1].shape) > max(rank, 1) or (
        axes is not None and not all(-rank <= axis < rank for axis in axes)
    ):
        return f"is over dimensions that its input of {rank} does not have"
    kept = None
    if axes is not None:
        gone = {axis % rank for axis in axes} if rank else set()
        kept = prod(size for index, size in enumerate(facts.reads[0].shape) if index not in gone)
    return _same_type(facts) or _gives(facts, kept)


_VALID = 1
_PARTS = {"PACK": "values_count", "SPLIT": "num_splits", "SPLIT_V": "num_splits", "UNPACK": "num"}
# What is weighed: the types that weights and bias may have.
_WEIGHTS = {
    "FLOAT32": (("FLOAT32", "INT8", "UINT8", "INT4", "INT2"), ("FLOAT32",)),
    "INT8": (("INT8", "INT4", "INT2"), ("INT32",)),
    "UINT8": (("UINT8", "INT8"), ("INT32",)),
    "INT16": (("INT8", "INT4"), ("INT64", "INT32")),
}
_BY_NAME = (
    (_convolution, "CONV_2D DEPTHWISE_CONV_2D"),
    (_volume, "CONV_3D"),
    (_dense, "FULLY_CONNECTED"),
    (_transposed, "TRANSPOSE_CONV"),
    (_pool, "AVERAGE_POOL_2D L2_POOL_2D MAX_POOL_2D"),
    (_reduction, "MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM"),
    (_parts, "PACK SPLIT SPLIT_V UNPACK"),
    (_joined, "CONCATENATION"),
    (_moved, "CAST CEIL DEQUANTIZE FLOOR QUANTIZE ROUND SQUEEZE"),
    (
        _vector,
        "BATCH_TO_SPACE_ND BROADCAST_TO EXPAND_DIMS MIRROR_PAD PAD PADV2 RESHAPE RESIZE_BILINEAR "
        "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SPACE_TO_BATCH_ND TILE TRANSPOSE",
    ),
    (_slice, "SLICE"),
    (_slices, "STRIDED_SLICE"),
    (_comparison, "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"),
    (
        _arithmetic,
        "ABS ADD ADD_N BATCH_MATMUL DIV ELU EXP GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX "
        "MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX SQRT SQUARED_DIFFERENCE "
        "SUB TANH",
    ),
)
_RULES = {name: rule for rule, names in _BY_NAME for name in names.split()}
