"""Which operators the Edge TPU takes, by its documentation.

Source: "TensorFlow models on the Edge TPU", sections "Model requirements" and "Supported operations",
https://coral.ai/docs/edgetpu/models-intro/, as of runtime 14 and compiler 16. The names there are these: Conv2d is
CONV_2D, LSTM is UNIDIRECTIONAL_SEQUENCE_LSTM, ...

A rule maps an operator to the reason why it would not be taken, or to "" where the rule finds none.
"""

from __future__ import annotations

from collections.abc import Callable

import tflite

from compress.convert.graph import Operator, Tensor

Rule = Callable[[Operator], str]

_ACTIVATIONS = {value: name for name, value in vars(tflite.ActivationFunctionType).items() if isinstance(value, int)}
_EIGHT_BIT = ("INT8", "UINT8")
_SOFTMAX_ELEMENTS = 16_000
_WITH_PARAMETERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def reason(operator: Operator) -> str:
    """Return why the Edge TPU would not take the operator, as it stands alone; "" where it would."""
    if operator.name not in SUPPORTED:
        return "the Edge TPU has no such operator"
    for rule in (*_REQUIREMENTS, *SUPPORTED[operator.name]):
        if found := rule(operator):
            return found
    return ""


def _sizes(operator: Operator) -> str:
    if any(not tensor.fixed for tensor in _tensors(operator)):
        return "a tensor's size is not constant"
    for tensor in _tensors(operator):
        # The batch is 1 then, too. Weights have an order of dimensions of their own.
        if not tensor.constant and any(size > 1 for size in tensor.shape[:-3]):
            return f"a tensor of {_shape(tensor)}: only the 3 innermost dimensions may be larger than 1"
    return ""


def _types(operator: Operator) -> str:
    for tensor in _tensors(operator):
        if tensor.constant and tensor.type == "INT32":
            continue  # biases, axes, shapes
        if tensor.type not in _EIGHT_BIT:
            return f"a tensor of {tensor.type.lower()}: expected 8-bit integers"
        if not tensor.quantized:
            return f"a tensor of {tensor.type.lower()} without quantization"
    return ""


def _parameters(operator: Operator) -> str:
    if operator.name not in _WITH_PARAMETERS:
        return ""
    # The first input is what passes through; a transposed convolution has the output's shape there, and then weights.
    parameters = [operator.inputs[1], *operator.inputs[3 if operator.name == "TRANSPOSE_CONV" else 2 :]]
    if any(tensor is not None and not tensor.constant for tensor in parameters):
        return "weights or biases that are computed: expected constants"
    return ""


def _no_activation(operator: Operator) -> str:
    fused = operator.options.get("FusedActivationFunction", 0)
    return f"a fused activation function ({_ACTIVATIONS.get(fused, fused)})" if fused else ""


def _zeros_beside_one(operator: Operator) -> str:
    constants = [tensor for tensor in operator.inputs if tensor is not None and tensor.constant]
    if not constants:
        return ""
    if len(operator.inputs) != 2:
        return f"a constant among {len(operator.inputs)} inputs: expected 2 inputs beside a constant"
    return "a constant input that is not all zeros" if any(any(tensor.content) for tensor in constants) else ""


def _same_dilation(operator: Operator) -> str:
    x, y = (operator.options.get(f"Dilation{side}Factor", 1) for side in "WH")
    return "" if x == y else f"dilation {x} in x and {y} in y: expected the same"


def _one_dimensional_output(operator: Operator) -> str:
    output = operator.outputs[0]
    return "" if _is_flat(output) else f"an output of {_shape(output)}: expected one dimension"


def _default_weights(operator: Operator) -> str:
    return "weights in another than the default format" if operator.options.get("WeightsFormat", 0) else ""


def _flat_softmax(operator: Operator) -> str:
    data = operator.inputs[0]
    assert data is not None
    if not _is_flat(data):
        return f"an input of {_shape(data)}: expected one dimension"
    if data.elements > _SOFTMAX_ELEMENTS:
        return f"an input of {data.elements:,} elements: expected at most {_SOFTMAX_ELEMENTS:,}"
    return ""


def _not_the_batch(operator: Operator) -> str:
    axes = _axes(operator.inputs[1], len(_data(operator).shape))
    if axes is None:
        return "axes that are computed: expected constants"
    return "it reduces the batch dimension" if 0 in axes else ""


def _depth_of_four(operator: Operator) -> str:
    data = _data(operator)
    axes = _axes(operator.inputs[1], len(data.shape)) or ()
    if len(data.shape) - 1 in axes and data.shape[-1] % 4:
        return f"it reduces {data.shape[-1]} channels: expected a multiple of 4"
    return ""


def _pad(operator: Operator) -> str:
    paddings = operator.inputs[1]
    if paddings is None or not paddings.constant:
        return "paddings that are computed: expected constants"
    return "it pads the batch dimension" if any(paddings.values()[:2]) else ""


def _pack(operator: Operator) -> str:
    axis = operator.options.get("Axis", 0) % len(operator.outputs[0].shape)
    return "it packs in the batch dimension" if axis == 0 else ""


def _split(operator: Operator) -> str:
    data = operator.inputs[1]
    axes = _axes(operator.inputs[0], len(data.shape)) if data is not None else None
    if axes is None:
        return "an axis that is computed: expected a constant"
    return "it splits the batch dimension" if 0 in axes else ""


def _channel_alpha(operator: Operator) -> str:
    alpha = operator.inputs[1]
    return "" if alpha is not None and _is_flat(alpha) else "an alpha with more than one dimension"


def _strided_slice(operator: Operator) -> str:
    strides = operator.inputs[3]
    if strides is None or not strides.constant or any(stride != 1 for stride in strides.values()):
        return "strides that are not all 1"
    if operator.options.get("EllipsisMask", 0) or operator.options.get("NewAxisMask", 0):
        return "an ellipsis mask or a new axis mask"
    return ""


def _data(operator: Operator) -> Tensor:
    data = operator.inputs[0]
    assert data is not None
    return data


def _axes(tensor: Tensor | None, rank: int) -> tuple[int, ...] | None:
    """Return the axes in a constant, counted from the first; None where they are computed."""
    if tensor is None or not tensor.constant:
        return None
    return tuple(axis % max(rank, 1) for axis in tensor.values())


def _tensors(operator: Operator) -> list[Tensor]:
    return [tensor for tensor in (*operator.inputs, *operator.outputs) if tensor is not None]


def _is_flat(tensor: Tensor) -> bool:
    return all(size == 1 for size in tensor.shape[:-1])


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))


_REQUIREMENTS: tuple[Rule, ...] = (_sizes, _types, _parameters)

SUPPORTED: dict[str, tuple[Rule, ...]] = {
    "ADD": (),
    "AVERAGE_POOL_2D": (_no_activation,),
    "CONCATENATION": (_no_activation, _zeros_beside_one),
    "CONV_2D": (_same_dilation,),
    "DEPTHWISE_CONV_2D": (_same_dilation,),
    "EXPAND_DIMS": (),
    "FULLY_CONNECTED": (_default_weights, _one_dimensional_output),
    "L2_NORMALIZATION": (),
    "LOGISTIC": (),
    "MAXIMUM": (),
    "MAX_POOL_2D": (_no_activation,),
    "MEAN": (_not_the_batch, _depth_of_four),
    "MINIMUM": (),
    "MUL": (),
    "PACK": (_pack,),
    "PAD": (_pad,),
    "PRELU": (_channel_alpha,),
    "QUANTIZE": (),
    "REDUCE_MAX": (_not_the_batch,),
    "REDUCE_MIN": (_not_the_batch,),
    "RELU": (),
    "RELU6": (),
    "RELU_N1_TO_1": (),
    "RESHAPE": (),
    "RESIZE_BILINEAR": (),
    "RESIZE_NEAREST_NEIGHBOR": (),
    "RSQRT": (),
    "SLICE": (),
    "SOFTMAX": (_flat_softmax,),
    "SPACE_TO_DEPTH": (),
    "SPLIT": (_split,),
    "SQUARED_DIFFERENCE": (),
    "SQUEEZE": (),
    "STRIDED_SLICE": (_strided_slice,),
    "SUB": (),
    "SUM": (_not_the_batch,),
    "TANH": (),
    "TRANSPOSE": (),
    "TRANSPOSE_CONV": (),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (),
}

# Of these the documentation says that large ones might not be taken, and not how large.
DOUBTFUL = {
    "RESHAPE": "might not be mapped where tensors are large",
    "RESIZE_BILINEAR": "might not be mapped, depending on its sizes, to avoid a loss of precision",
    "RESIZE_NEAREST_NEIGHBOR": "might not be mapped, depending on its sizes, to avoid a loss of precision",
}
