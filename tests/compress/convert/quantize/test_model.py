"""Flatbuffers as models that can be changed: what is read, what is refused, and the bytes that are written."""

from __future__ import annotations

from collections.abc import Callable

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.convert.quantize.model import quantization, read, write
from edge.errors import EdgeError
from tests.compress.convert.quantize.graphs import Net, images, run


def small() -> tuple[Net, int]:
    net = Net()
    return net, net.conv(net.conv(net.input(1, 6, 6, 3), 4), 4)


def changed(change: Callable[[schema.ModelT], None]) -> bytes:
    net, output = small()
    change(net.model)
    return net.flatbuffer(output)


def with_far_weights(net: Net, output: int, beyond: int = 0) -> bytes:
    """Return the network with its weights behind the flatbuffer, `beyond` bytes further than they are."""
    weights = [bytes(buffer.data) for buffer in net.model.buffers if buffer.data is not None]
    far = [buffer for buffer in net.model.buffers if buffer.data is not None]
    for buffer in far:
        buffer.data, buffer.offset, buffer.size = None, 2, 2  # fields of other values than the default are written
    start = -(-len(net.flatbuffer(output)) // 16) * 16
    at = start
    for buffer, content in zip(far, weights, strict=True):
        buffer.offset, buffer.size = at + beyond, len(content)
        at += -(-len(content) // 16) * 16
    flatbuffer = net.flatbuffer(output)
    behind = b"".join(content.ljust(-(-len(content) // 16) * 16, b"\0") for content in weights)
    return flatbuffer.ljust(start, b"\0") + behind


def test_written_network_is_the_network_that_was_read() -> None:
    net, output = small()
    flatbuffer = net.flatbuffer(output)

    written = write(read(flatbuffer, "it"), "it")

    assert np.array_equal(run(flatbuffer, images(net))[0], run(written, images(net))[0])
    assert write(read(written, "it"), "it") == written


def test_weights_behind_the_flatbuffer_are_taken_in() -> None:
    net, output = small()
    near = net.flatbuffer(output)

    far = with_far_weights(net, output)

    assert len(far) > len(near)
    assert write(read(far, "it"), "it") == write(read(near, "it"), "it")


def test_weights_beyond_the_file_are_refused() -> None:
    with pytest.raises(EdgeError) as error:
        read(with_far_weights(*small(), beyond=2**20), "it")

    assert error.value.code == "model.network"


def _sparse(model: schema.ModelT) -> None:
    weights = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].inputs[1]]
    weights.sparsity = schema.SparsityParametersT()
    weights.sparsity.traversalOrder, weights.sparsity.blockMap = [0, 1, 2, 3], []
    weights.sparsity.dimMetadata = [schema.DimensionMetadataT() for _ in range(4)]


def _external(model: schema.ModelT) -> None:
    group, buffer = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
    group.name, buffer.id, buffer.group, buffer.length = "weights.bin", 1, 0, 4
    model.externalBufferGroups, model.externalBuffers = [group], [buffer]


def _newer(model: schema.ModelT) -> None:
    model.version = 4


def _unknown(model: schema.ModelT) -> None:
    model.operatorCodes[0].builtinCode = 999


def _graphs(model: schema.ModelT) -> None:
    model.subgraphs.append(model.subgraphs[0])


@pytest.mark.parametrize(
    "change, code, said",
    [
        (_sparse, "model.network", "spars"),
        (_external, "model.network", ""),
        (_newer, "model.network", "4"),
        (_unknown, "model.network", ""),
        (_graphs, "conversion.graphs", "2 graphs"),
    ],
)
def test_network_that_is_not_plain_is_refused(change: Callable[[schema.ModelT], None], code: str, said: str) -> None:
    with pytest.raises(EdgeError) as error:
        read(changed(change), "mine.tflite")

    assert error.value.code == code
    assert "mine.tflite" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize("length", [0, 3, 100, 900])
def test_cut_off_file_is_refused(length: int) -> None:
    net, output = small()

    with pytest.raises(EdgeError) as error:
        read(net.flatbuffer(output)[:length], "mine.tflite")

    assert error.value.code == "model.network"


def test_equal_vectors_are_stored_once() -> None:
    net, output = small()
    model = read(net.flatbuffer(output), "it")
    scales, same = np.linspace(1, 2, 4, dtype=np.float32), np.full((4, 3, 3, 3), 0.75, np.float32)
    for operator in model.operators:
        weights = operator.inputs[1]
        model.tensors[weights].quantization = quantization(scales, np.arange(4))
    copied = model.add_tensor(model.operators[0].inputs[1])
    model.set_values(copied, same)
    model.set_values(model.operators[0].inputs[1], same)
    model.operators[0].inputs[2] = model.operators[1].inputs[2]

    written = write(model, "it")

    assert written.count(scales.tobytes()) == written.count(np.arange(4).tobytes()) == 1
    assert written.count(same.tobytes()) == 1


def test_what_nothing_reads_is_left_out() -> None:
    net, output = small()
    net.random(1000)
    spare = net.conv(net.graph.inputs[0], 8)
    with_spare = net.flatbuffer(output)
    model = read(with_spare, "it")
    model.operators.pop()

    assert spare > output
    written = write(model, "it")

    assert len(written) < len(with_spare) - 4000
    assert flatbuffers.util.GetBufferIdentifier(written, 0) == b"TFL3"
    assert len(read(written, "it").tensors) == 7


def test_weights_are_aligned() -> None:
    net, output = small()

    written = write(read(net.flatbuffer(output), "it"), "it")

    for buffer in schema.ModelT.InitFromPackedBuf(written, 0).buffers:
        if buffer.data is not None:
            assert written.index(buffer.data.tobytes()) % 16 == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_file_is_refused_or_written_again(changes: list[tuple[int, int]]) -> None:
    net, output = small()
    flatbuffer = bytearray(net.flatbuffer(output))
    for at, value in changes:
        flatbuffer[at % len(flatbuffer)] = value

    try:
        model = read(bytes(flatbuffer), "mine.tflite")
    except EdgeError as error:
        assert "mine.tflite" in str(error)
    else:
        written = write(model, "mine.tflite")
        assert write(read(written, "mine.tflite"), "mine.tflite") == written
