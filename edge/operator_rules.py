"""What LiteRT's kernels take for granted of single operators, and would end the process for.

Where a kernel looks itself and refuses, there is no rule here. The native program's operator_rules.c has the same
rules, and its tables are made from these (make_schema.py).
"""

from __future__ import annotations

from functools import cache
from math import prod
from struct import unpack_from
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.flatbuffer import Operator, Tensor

MAX_RANK = 8
MAX_MULTIPLIER = 256.0  # from what is weighed to what comes out
MAX_WINDOW = 4096  # pixels of a stride, or of a filter with its gaps
LEAST_STEP, MOST_STEP = 2.0**-60, 2.0**30  # of the quantization of what is computed with

# Name, options, inputs, outputs. Options: "-" none are looked at; "X" must be X; "X?" may be missing. Inputs: "2",
# "2-3", "2+" and, where the last ones may be left out by -1, "@" and the first of those.
OPERATORS = """
ABS AbsOptions? 1 1
ADD AddOptions? 2 1
ADD_N AddNOptions? 1+ 1
ARG_MAX ArgMaxOptions? 2 1
ARG_MIN ArgMinOptions? 2 1
ASSIGN_VARIABLE AssignVariableOptions? 2 0
ATAN2 ATan2Options? 2 1
AVERAGE_POOL_2D Pool2DOptions 1 1
BATCH_MATMUL BatchMatMulOptions? 2 1
BATCH_TO_SPACE_ND BatchToSpaceNDOptions? 3 1
BIDIRECTIONAL_SEQUENCE_LSTM BidirectionalSequenceLSTMOptions 48@1 1-2
BIDIRECTIONAL_SEQUENCE_RNN BidirectionalSequenceRNNOptions 12@1 1-2
BITCAST BitcastOptions? 1 1
BITWISE_XOR BitwiseXorOptions? 2 1
BROADCAST_ARGS - 2 1
BROADCAST_TO BroadcastToOptions? 2 1
BUCKETIZE BucketizeOptions 1 1
CALL_ONCE CallOnceOptions 0 0
CAST CastOptions? 1 1
CEIL - 1 1
COMPLEX_ABS - 1 1
CONCATENATION ConcatenationOptions 1+ 1
CONV_2D Conv2DOptions 2-3@2 1
CONV_3D Conv3DOptions 2-3@2 1
CONV_3D_TRANSPOSE Conv3DOptions 3-4@3 1
COS CosOptions? 1 1
CUMSUM CumsumOptions? 2 1
CUSTOM - 0+@0 0+
DENSIFY DensifyOptions? 1 1
DEPTHWISE_CONV_2D DepthwiseConv2DOptions 2-3@2 1
DEPTH_TO_SPACE DepthToSpaceOptions 1 1
DEQUANTIZE DequantizeOptions? 1 1
DILATE DilateOptions? 3 1
DIV DivOptions? 2 1
DYNAMIC_UPDATE_SLICE DynamicUpdateSliceOptions? 3 1
ELU - 1 1
EMBEDDING_LOOKUP - 2 1
EMBEDDING_LOOKUP_SPARSE EmbeddingLookupSparseOptions 5 1
EQUAL EqualOptions? 2 1
EXP ExpOptions? 1 1
EXPAND_DIMS ExpandDimsOptions? 2 1
FAKE_QUANT FakeQuantOptions 1 1
FILL FillOptions? 2 1
FLOOR - 1 1
FLOOR_DIV FloorDivOptions? 2 1
FLOOR_MOD FloorModOptions? 2 1
FULLY_CONNECTED FullyConnectedOptions 2-3@2 1-2
GATHER GatherOptions? 2 1
GATHER_ND GatherNdOptions? 2 1
GELU GeluOptions? 1 1
GREATER GreaterOptions? 2 1
GREATER_EQUAL GreaterEqualOptions? 2 1
HARD_SWISH HardSwishOptions? 1 1
HASHTABLE HashtableOptions 0 1
HASHTABLE_FIND HashtableFindOptions? 3 1
HASHTABLE_IMPORT HashtableImportOptions? 3 0
HASHTABLE_LOOKUP - 3 2
HASHTABLE_SIZE HashtableSizeOptions? 1 1
IF IfOptions 1+ 0+
IMAG - 1 1
L2_NORMALIZATION L2NormOptions? 1 1
L2_POOL_2D Pool2DOptions 1 1
LEAKY_RELU LeakyReluOptions? 1 1
LESS LessOptions? 2 1
LESS_EQUAL LessEqualOptions? 2 1
LOCAL_RESPONSE_NORMALIZATION LocalResponseNormalizationOptions 1 1
LOG - 1 1
LOGICAL_AND LogicalAndOptions? 2 1
LOGICAL_NOT LogicalNotOptions? 1 1
LOGICAL_OR LogicalOrOptions? 2 1
LOGISTIC - 1 1
LOG_SOFTMAX LogSoftmaxOptions? 1 1
LSH_PROJECTION LSHProjectionOptions 2-3 1
LSTM LSTMOptions 5-24@1 1-4
MATRIX_DIAG MatrixDiagOptions? 1 1
MATRIX_SET_DIAG MatrixSetDiagOptions? 2 1
MAXIMUM MaximumMinimumOptions? 2 1
MAX_POOL_2D Pool2DOptions 1 1
MEAN ReducerOptions? 2 1
MINIMUM MaximumMinimumOptions? 2 1
MIRROR_PAD MirrorPadOptions? 2 1
MUL MulOptions? 2 1
MULTINOMIAL RandomOptions? 2 1
NEG NegOptions? 1 1
NON_MAX_SUPPRESSION_V4 NonMaxSuppressionV4Options? 5 2
NON_MAX_SUPPRESSION_V5 NonMaxSuppressionV5Options? 6 3
NOT_EQUAL NotEqualOptions? 2 1
ONE_HOT OneHotOptions? 4 1
PACK PackOptions 1+ 1
PAD PadOptions? 2 1
PADV2 PadV2Options? 3 1
POW PowOptions? 2 1
PRELU - 2 1
QUANTIZE QuantizeOptions? 1 1
RANDOM_STANDARD_NORMAL RandomOptions? 1 1
RANDOM_UNIFORM RandomOptions? 1 1
RANGE RangeOptions? 3 1
RANK RankOptions? 1 1
READ_VARIABLE ReadVariableOptions? 1 1
REAL - 1 1
REDUCE_ALL ReducerOptions? 2 1
REDUCE_ANY ReducerOptions? 2 1
REDUCE_MAX ReducerOptions? 2 1
REDUCE_MIN ReducerOptions? 2 1
REDUCE_PROD ReducerOptions? 2 1
REDUCE_WINDOW ReduceWindowOptions 5 1
RELU - 1 1
RELU6 - 1 1
RELU_0_TO_1 - 1 1
RELU_N1_TO_1 - 1 1
RESHAPE ReshapeOptions? 1-2 1
RESIZE_BILINEAR ResizeBilinearOptions? 2 1
RESIZE_NEAREST_NEIGHBOR ResizeNearestNeighborOptions? 2 1
REVERSE_SEQUENCE ReverseSequenceOptions 2 1
REVERSE_V2 ReverseV2Options? 2 1
RFFT2D Rfft2dOptions? 2 1
RIGHT_SHIFT RightShiftOptions? 2 1
RNN RNNOptions 5 1
ROUND - 1 1
RSQRT - 1 1
SCATTER_ND ScatterNdOptions? 3 1
SEGMENT_SUM SegmentSumOptions? 2 1
SELECT SelectOptions? 3 1
SELECT_V2 SelectV2Options? 3 1
SHAPE ShapeOptions? 1 1
SIGN SignOptions? 1 1
SIN - 1 1
SKIP_GRAM SkipGramOptions 1 1
SLICE SliceOptions? 3 1
SOFTMAX SoftmaxOptions 1 1
SPACE_TO_BATCH_ND SpaceToBatchNDOptions? 3 1
SPACE_TO_DEPTH SpaceToDepthOptions 1 1
SPARSE_TO_DENSE SparseToDenseOptions? 4 1
SPLIT SplitOptions 2 1+
SPLIT_V SplitVOptions 3 1+
SQRT - 1 1
SQUARE SquareOptions? 1 1
SQUARED_DIFFERENCE SquaredDifferenceOptions? 2 1
SQUEEZE SqueezeOptions? 1 1
STRIDED_SLICE StridedSliceOptions? 4 1
SUB SubOptions? 2 1
SUM ReducerOptions? 2 1
SVDF SVDFOptions 5@3 1
TANH - 1 1
TILE TileOptions? 2 1
TOPK_V2 TopKV2Options? 2 2
TRANSPOSE TransposeOptions? 2 1
TRANSPOSE_CONV TransposeConvOptions 3-4@3 1
UNIDIRECTIONAL_SEQUENCE_LSTM UnidirectionalSequenceLSTMOptions 20-24@1 1
UNIDIRECTIONAL_SEQUENCE_RNN SequenceRNNOptions 5 1
UNIQUE UniqueOptions? 1 2
UNPACK UnpackOptions 1 1+
UNSORTED_SEGMENT_MAX UnsortedSegmentMaxOptions? 3 1
UNSORTED_SEGMENT_MIN UnsortedSegmentMinOptions? 3 1
UNSORTED_SEGMENT_PROD UnsortedSegmentProdOptions? 3 1
UNSORTED_SEGMENT_SUM UnsortedSegmentSumOptions? 3 1
VAR_HANDLE VarHandleOptions 0 1
WHERE WhereOptions? 1 1
WHILE WhileOptions 1+ 1+
ZEROS_LIKE ZerosLikeOptions? 1 1
STABLEHLO_ABS - 1 1
STABLEHLO_ADD - 2 1
STABLEHLO_AND - 2 1
STABLEHLO_BROADCAST_IN_DIM StablehloBroadcastInDimOptions 1 1
STABLEHLO_CASE StablehloCaseOptions 1+ 0+
STABLEHLO_CBRT - 1 1
STABLEHLO_CLAMP - 3 1
STABLEHLO_COMPARE StablehloCompareOptions 2 1
STABLEHLO_COMPOSITE StableHLOCompositeOptions 0+ 1+
STABLEHLO_CONCATENATE StablehloConcatenateOptions 1+ 1
STABLEHLO_CONVERT - 1 1
STABLEHLO_CONVOLUTION StablehloConvolutionOptions 2 1
STABLEHLO_COSINE - 1 1
STABLEHLO_CUSTOM_CALL StablehloCustomCallOptions 0+ 0+
STABLEHLO_DIVIDE - 2 1
STABLEHLO_DOT_GENERAL StablehloDotGeneralOptions 2 1
STABLEHLO_DYNAMIC_SLICE StablehloDynamicSliceOptions 1+ 1
STABLEHLO_DYNAMIC_UPDATE_SLICE - 2+ 1
STABLEHLO_EXPONENTIAL - 1 1
STABLEHLO_FLOOR - 1 1
STABLEHLO_GATHER StablehloGatherOptions 2 1
STABLEHLO_IOTA StablehloIotaOptions 0 1
STABLEHLO_LOG - 1 1
STABLEHLO_LOGISTIC - 1 1
STABLEHLO_MAXIMUM - 2 1
STABLEHLO_MINIMUM - 2 1
STABLEHLO_MULTIPLY - 2 1
STABLEHLO_NEGATE - 1 1
STABLEHLO_OR - 2 1
STABLEHLO_PAD StablehloPadOptions 2 1
STABLEHLO_POWER - 2 1
STABLEHLO_REDUCE StablehloReduceOptions 2+ 1+
STABLEHLO_REDUCE_WINDOW StablehloReduceWindowOptions 2 1
STABLEHLO_REMAINDER - 2 1
STABLEHLO_RESHAPE - 1 1
STABLEHLO_RNG_BIT_GENERATOR StablehloRngBitGeneratorOptions 1 2
STABLEHLO_RSQRT - 1 1
STABLEHLO_SCATTER StablehloScatterOptions 3 1
STABLEHLO_SELECT - 3 1
STABLEHLO_SHIFT_LEFT - 2 1
STABLEHLO_SLICE StablehloSliceOptions 1 1
STABLEHLO_SORT StablehloSortOptions 1+ 1+
STABLEHLO_SUBTRACT - 2 1
STABLEHLO_TANH - 1 1
STABLEHLO_TRANSPOSE StablehloTransposeOptions 1 1
STABLEHLO_WHILE StablehloWhileOptions 1+ 1+
"""

_SPECS = {line.split(" ", 1)[0]: line for line in OPERATORS.strip().split("\n")}
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


def _vector(facts: _Facts) -> str:
    """Hold the lengths of lists of sizes, dimensions and the like: kernels copy them into places of fixed size."""
    most = MAX_RANK * (2 if "PAD" in facts.name else 1)
    for tensor in facts.reads[1:]:
        if tensor is not None and prod(tensor.shape) > most:
            return f"reads {prod(tensor.shape)} sizes or dimensions: expected at most {most}"
    return _same_type(facts)


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
    return _steps(facts) or _same_type(facts)


def _comparison(facts: _Facts) -> str:
    types = facts.reads[0].type, facts.reads[1].type, facts.gives[0].type
    if types[0] != types[1] or types[2] != "BOOL":
        return f"makes {types[2]} of {types[0]} and {types[1]}"
    if any(step >= 1 for tensor in facts.reads for step in tensor.scales):
        return "compares numbers with a quantization step of 1 or more"
    return _steps(facts)


def _reduction(facts: _Facts) -> str:
    rank, axes = len(facts.reads[0].shape), _integers(facts.reads[1], facts.data)
    if prod(facts.reads[1].shape) > max(rank, 1) or (
        axes is not None and not all(-rank <= axis < rank for axis in axes)
    ):
        return f"is over dimensions that its input of {rank} does not have"
    return _same_type(facts)


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
    (
        _vector,
        "BATCH_TO_SPACE_ND BROADCAST_TO EXPAND_DIMS MIRROR_PAD PAD RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
        "REVERSE_V2 SLICE SPACE_TO_BATCH_ND STRIDED_SLICE TILE TRANSPOSE",
    ),
    (_comparison, "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"),
    (
        _arithmetic,
        "ABS ADD ADD_N BATCH_MATMUL DIV ELU EXP GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX "
        "MAXIMUM MINIMUM MUL NEG POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SOFTMAX SQRT SQUARED_DIFFERENCE "
        "SUB TANH",
    ),
)
_RULES = {name: rule for rule, names in _BY_NAME for name in names.split()}
