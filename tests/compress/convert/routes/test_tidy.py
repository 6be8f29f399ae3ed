"""What a converter's file is like when it leaves a route: names, order, shapes of biases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.layout import names
from compress.convert.quantize import model
from compress.convert.routes.tidy import tidied
from tests.compress.convert.quantize.graphs import Net, run


def end(name: str, tensor: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, tensor
    return made


def signed(net: Net, inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, int]]) -> bytes:
    """The network with a signature, its ends in the order in which a converter happened to write them."""
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [end(*one) for one in inputs]
    signature.outputs = [end(*one) for one in outputs]
    net.model.signatureDefs = [signature]
    return net.flatbuffer(*(tensor for _, tensor in outputs))


def test_ends_have_the_users_order_whatever_the_file_had() -> None:
    """Numbers count as numbers: 10 is behind 2."""
    net = Net()
    inputs = [net.input(1, 4, 4, channels) for channels in range(1, 12)]
    outputs = [net.one("RELU", x) for x in inputs[:2]]
    ends = [(f"args_{number}", x) for number, x in enumerate(inputs)]
    flatbuffer = signed(net, ends[::-1], [("output_1", outputs[1]), ("output_0", outputs[0])])
    made = model.read(tidied(flatbuffer, "network"), "network")
    assert [(made.name(x), made.shape(x)) for x in made.inputs] == [
        (f"image_{number:02}", (1, 4, 4, number + 1)) for number in range(11)
    ]
    assert [(made.name(y), made.shape(y)[-1]) for y in made.outputs] == [("logits_00", 1), ("logits_01", 2)]
    (signature,) = made.raw.signatureDefs
    assert [one.name.decode() for one in signature.inputs] == names("image", 11)
    assert [int(one.tensorIndex) for one in signature.outputs] == made.outputs


def test_an_input_that_is_given_back_stays_the_input() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    y = net.one("RELU", x)
    made = model.read(tidied(signed(net, [("args_0", x)], [("output_0", x), ("output_1", y)]), "network"), "network")
    assert [made.name(one) for one in (*made.inputs, *made.outputs)] == ["image", "image", "logits_01"]


def test_a_bias_of_another_shape_is_a_vector_and_long_names_go() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    y = net.transposed(x, 5)
    net.graph.tensors[y].name = "a stack of calls;" * 1000
    plain = signed(net, [("args_0", x)], [("output_0", y)])
    (bias,) = [tensor for tensor in net.graph.tensors if list(tensor.shape) == [5]]
    bias.shape = np.array([1, 1, 1, 5], np.int32)
    made = tidied(signed(net, [("args_0", x)], [("output_0", y)]), "network")
    assert len(made) < len(plain) - 10_000
    read = model.read(made, "network")
    assert read.shape(read.operators[0].inputs[3]) == (5,)
    image = np.random.default_rng(0).standard_normal((1, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(made, [image])[0], run(plain, [image])[0])
