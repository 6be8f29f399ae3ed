"""From a network to ONNX, the first half of the way to TFLite."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from compress.convert.layout import names
from compress.inputs import Inputs, as_inputs, outputs, run
from edge.errors import EdgeError

OPSET = 20  # the first with an operator for GELU


def export(network: nn.Module, inputs: Tensor | Inputs, path: Path) -> None:
    """Write `network`, in evaluation mode, to the file `path`.

    A single input is called `image` and a single output `logits`; of several, the first is `image_00` or `logits_00`.

    Args:
        inputs: example inputs, one tensor or several, which say shapes (with the batch) and types.

    Raises EdgeError where the network does what ONNX has no operator for.
    """
    network = network.cpu().eval()
    examples = tuple(torch.zeros_like(x, device="cpu") for x in as_inputs(inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes of the exporter to its own authors
        try:
            with torch.no_grad():
                found = outputs(run(network, examples))
            torch.onnx.export(
                network,
                examples,
                str(path),
                input_names=names("image", len(examples)),
                output_names=names("logits", len(found)),
                opset_version=OPSET,
                dynamo=False,
            )
        except OSError:  # no space, say: nothing that another layer would help against
            raise
        except Exception as error:  # of many kinds, and a user's own code is run
            raise EdgeError(
                f"ONNX export failed ({' '.join(str(error).split())[:200]}): expected operations that ONNX opset "
                f"{OPSET} supports; write the layer with those",
                "conversion.operator",
            ) from None
    model, before = onnx.load(str(path)), -1
    while len(model.graph.node) != before:  # a shape that has become constant gives others
        before = len(model.graph.node)
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        _fold_constants(model)
    _scale_by_depth(model.graph)
    onnx.save(model, str(path))


def _fold_constants(model: onnx.ModelProto) -> None:
    """Compute what does not depend on an input, and store it as a constant: shapes and paddings above all."""
    graph = model.graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    returned = {value.name for value in graph.output}
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input)
    }
    for node in list(graph.node):
        read = [name for name in node.input if name]
        given = {name: values[name] for name in read if name in values}
        if node.op_type == "Shape" and all(shapes.get(read[0], [0])):  # 0: not known
            given[read[0]] = np.broadcast_to(np.float32(0), shapes[read[0]])
        if len(given) < len(set(read)) or returned & set(node.output):
            continue
        begin, end = ([onnx.ValueInfoProto(name=name) for name in side] for side in (read, node.output))
        alone = onnx.helper.make_graph([node], "constant", begin, end)
        evaluator = ReferenceEvaluator(onnx.helper.make_model(alone, opset_imports=model.opset_import))
        made = evaluator.run(None, given)
        for name, value in zip(node.output, made, strict=True):
            values[name] = np.asarray(value)
            graph.initializer.append(onnx.numpy_helper.from_array(values[name], name))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input} | returned
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _scale_by_depth(graph: onnx.GraphProto) -> None:
    """Make depthwise 1x1 convolutions of the normalizations that stand alone: no convolution can take them in.

    TFLite would have a multiplication and an addition, each with one quantization step for all channels and each a pass
    over the tensor; this is one operator that takes in the activation behind it, too, with a step for each channel.
    """
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    convolved = {node.output[0] for node in graph.node if node.op_type.startswith("Conv")}
    images = {value.name for value in graph.value_info if len(value.type.tensor_type.shape.dim) == 4}
    for node in (node for node in graph.node if node.op_type == "BatchNormalization"):
        source, *tensors = node.input
        if not all(name in values for name in tensors):  # without a scale of its own
            continue
        if source not in images or (source in convolved and readers[source] == 1):
            continue
        gamma, beta, mean, variance = (values[name] for name in tensors)
        scale = gamma / np.sqrt(variance + onnx.helper.get_node_attr_value(node, "epsilon"))
        weight, bias = f"{node.output[0]}.weight", f"{node.output[0]}.bias"
        graph.initializer.append(onnx.numpy_helper.from_array(scale.reshape(-1, 1, 1, 1), weight))
        graph.initializer.append(onnx.numpy_helper.from_array(beta - mean * scale, bias))
        attributes: dict[str, Any] = {"group": len(scale), "kernel_shape": [1, 1]}
        node.CopyFrom(onnx.helper.make_node("Conv", [source, weight, bias], node.output, **attributes))
