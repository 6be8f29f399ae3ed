"""Make the networks of the tests, each full int8 and float32:

tiny.tflite, a classifier of 24x24x3, two labels, random but fixed weights;
tiny-mask.tflite, a segmentation of 24x24x3 to 12x12 logits, which finds what is brighter than middle grey;
tiny-scores.tflite and tiny-mask-scores.tflite, the same with a softmax and a sigmoid at the end, as public models have;
tiny-uint8.tflite, the classifier as Coral's older models are, from uint8 to uint8.

And tiny-edgetpu.tflite, in the form that the Edge TPU's compiler gives a network: the int8 classifier with one custom
operator in the place of all but the last one. What a real compiler puts into that operator is not there.

Needs tensorflow, which the tests themselves do not. Run from the repository's root:

    python tests/edge/data/make_tiny.py
"""

from __future__ import annotations

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

HERE = Path(__file__).parent


def main() -> None:
    random = np.random.default_rng(7)

    def weights(*shape: int) -> tf.Tensor:
        return tf.constant(random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape).astype(np.float32))

    first, second, last = weights(3, 3, 3, 8), weights(3, 3, 8, 8), weights(8, 2) * 4

    @tf.function(input_signature=[tf.TensorSpec([1, 24, 24, 3], tf.float32)])
    def classifier(x: tf.Tensor) -> tf.Tensor:
        x = tf.nn.relu6(tf.nn.conv2d(x, first, 2, "SAME"))
        x = tf.nn.relu6(tf.nn.conv2d(x, second, 2, "SAME"))
        return tf.matmul(tf.reduce_mean(x, [1, 2]), last)

    @tf.function(input_signature=[tf.TensorSpec([1, 24, 24, 3], tf.float32)])
    def segmentation(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, tf.fill([2, 2, 3, 1], 3 / 12), 2, "VALID")  # 3 times the mean, from -6 to 6

    @tf.function(input_signature=[tf.TensorSpec([1, 24, 24, 3], tf.float32)])
    def classifier_scores(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(classifier(x))

    @tf.function(input_signature=[tf.TensorSpec([1, 24, 24, 3], tf.float32)])
    def segmentation_scores(x: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(segmentation(x))

    def calibration():
        for brightness in np.linspace(0.1, 1, 32):
            plane = random.random((1, 24, 24, 1)) * brightness
            yield [np.repeat((plane - 0.5) / 0.25, 3, axis=3).astype(np.float32)]

    def ends():
        for brightness in (0, 1):
            yield [np.full((1, 24, 24, 3), (brightness - 0.5) / 0.25, np.float32)]

    module = tf.Module()
    networks = (
        ("tiny", classifier, calibration),
        ("tiny-mask", segmentation, ends),
        ("tiny-scores", classifier_scores, calibration),
        ("tiny-mask-scores", segmentation_scores, ends),
        ("tiny-uint8", classifier, calibration),
    )
    module.networks = [network for _, network, _ in networks]
    for name, network, examples in networks:
        for ending in ("",) if name == "tiny-uint8" else ("", "-float"):
            converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], module)
            if not ending:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = examples
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                kind = tf.uint8 if name == "tiny-uint8" else tf.int8
                converter.inference_input_type = converter.inference_output_type = kind
            flatbuffer = converter.convert()
            (HERE / f"{name}{ending}.tflite").write_bytes(flatbuffer)
            print(f"{name}{ending}.tflite: {len(flatbuffer)} bytes")
    (HERE / "tiny-edgetpu.tflite").write_bytes(compiled((HERE / "tiny.tflite").read_bytes()))


def compiled(flatbuffer: bytes) -> bytes:
    """Return the network with an operator "edgetpu-custom-op" from the image to what the last operator reads."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    graph = model.subgraphs[0]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = "edgetpu-custom-op", 1
    operator.opcodeIndex = len(model.operatorCodes)
    operator.inputs, operator.outputs = graph.inputs, graph.operators[-2].outputs
    model.operatorCodes.append(code)
    graph.operators = [operator, graph.operators[-1]]
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    main()
