"""From a network to a TFLite flatbuffer: ONNX, then a TensorFlow SavedModel, then one TFLite converter.

The TensorFlow half runs in a process of its own: it takes gigabytes that come back only when a process ends, and it
talks a lot; what it says goes to a log that an error quotes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from edge.errors import EdgeError
from edge.scratch import scratch

ONNX2TF_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def to_tflite(network: nn.Module, calibration: np.ndarray, quantize: bool) -> bytes:
    """Return a TFLite flatbuffer, batch 1, NHWC in, logits out.

    Args:
        network: maps float32 (1, channels, height, width) to logits; it is converted as it is in evaluation mode.
        calibration: float32 (N, height, width, channels), inputs as the network reads them; their ranges, and those of
            every activation they cause, become the quantization steps.
        quantize: full-integer int8, input and output included; else float32.

    Raises EdgeError with the end of the converter's log where an operator can't be converted.
    """
    with scratch("convert") as work:
        export_onnx(network, calibration.shape[1:], work / "network.onnx")
        np.save(work / "calibration.npy", calibration.astype(np.float32))
        command = [sys.executable, "-m", "compress.convert.tflite", str(work), "int8" if quantize else "float32"]
        root = str(Path(__file__).resolve().parents[2])
        path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # onnx2tf calls onnxsim as a command
        environment = os.environ | {
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        with open(work / "log", "w+") as log:
            done = subprocess.run(command, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT)
            if done.returncode or not (work / "network.tflite").exists():
                log.seek(0)
                raise EdgeError(
                    f"the network could not be converted to TFLite (exit status {done.returncode}): "
                    f"{_last_error(log.read())}; see which operators TFLite has, and write the layer with those"
                )
        return (work / "network.tflite").read_bytes()


def export_onnx(network: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Write the network to `path`, for inputs of `shape` (height, width, channels).

    Raises EdgeError where it does what ONNX has no operator for.
    """
    height, width, channels = shape
    network = network.cpu().eval()
    example = torch.zeros(1, channels, height, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes of the exporter to its own authors
        try:
            torch.onnx.export(
                network,
                (example,),
                str(path),
                input_names=["image"],
                output_names=["logits"],
                opset_version=17,
                dynamo=False,
            )
        except OSError:  # no space, say: nothing that another layer would help against
            raise
        except Exception as error:  # of many kinds, and a user's own code is run
            raise EdgeError(
                f"the network can't be written as ONNX, on the way to TFLite ({' '.join(str(error).split())[:200]}): "
                "expected operators that ONNX has; write the layer with those"
            ) from None
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    _scale_by_depth(model.graph)
    onnx.save(model, str(path))


def _scale_by_depth(graph: onnx.GraphProto) -> None:
    """Make depthwise 1x1 convolutions of the normalizations that stand alone: no convolution can take them in.

    TFLite would have a multiplication and an addition, each with one quantization step for all channels and each a pass
    over the tensor; this is one operator that takes in the activation behind it, too, with a step for each channel.
    """
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # equal tensors are stored once
            values[node.output[0]] = values[node.input[0]]
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


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    marked = [line for line in lines if "rror" in line]
    return (marked or lines or ["no message"])[-1][:300]


def _convert(work: Path, kind: str) -> None:
    """The TensorFlow half, in the folder `work`, which is also the working directory."""
    threading.Thread(target=_end_with, args=(os.getppid(), work), daemon=True).start()
    import onnx2tf
    import tensorflow as tf

    # onnx2tf wants to fetch this file for any RGB input, to compare outputs that are not used here.
    np.save(work / ONNX2TF_SAMPLE, np.zeros((20, 128, 128, 3), np.float32))
    onnx2tf.convert(
        input_onnx_file_path=str(work / "network.onnx"),
        output_folder_path=str(work / "saved"),
        output_signaturedefs=True,
        copy_onnx_input_output_names_to_tflite=True,
        non_verbose=True,
    )
    converter = tf.lite.TFLiteConverter.from_saved_model(str(work / "saved"))
    if kind == "int8":
        samples = np.load(work / "calibration.npy")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    beside = work / "network.tflite.part"
    beside.write_bytes(_with_shared_vectors(converter.convert()))
    beside.rename(work / "network.tflite")


def _with_shared_vectors(flatbuffer: bytes) -> bytes:
    """Return the same model with vectors of equal content stored once.

    Quantization by channel gives every convolution a zero point for each channel, 8 bytes that are always 0: without
    this they are a twelfth of a ghost network's file.
    """
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    class Builder(flatbuffers.Builder):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self.made: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: np.ndarray) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in self.made:
                if x.dtype == np.uint8:  # weights: the schema wants them aligned to 16 bytes
                    self.StartVector(1, x.size, 16)
                    self.head -= x.size
                    self.Bytes[self.head : self.head + x.size] = key[1]
                    self.made[key] = self.EndVector()
                else:
                    self.made[key] = super().CreateNumpyVector(x)
            return self.made[key]

    builder = Builder(len(flatbuffer))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _end_with(parent: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as the one that wanted it is gone (killed, say)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), sys.argv[2])
