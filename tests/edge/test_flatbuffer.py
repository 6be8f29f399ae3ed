"""The flatbuffer is held before a runtime sees it: what would end the process is a sentence."""

from __future__ import annotations

import random
import re
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge
from edge import flatbuffer as reader
from edge.errors import EdgeError
from edge.model import read, shipped
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.flatbuffers import Editor

TINY = (HERE / "data/tiny.tflite").read_bytes()
MASK = (HERE / "data/tiny-mask.tflite").read_bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(EdgeError) as caught:
        reader.read(data, "m.tflite")
    assert caught.value.code == "model.network"
    return str(caught.value)


def test_a_network_is_read():
    network = reader.read(TINY, "m.tflite")
    (given_to,), (output,) = network.inputs, network.outputs
    assert (given_to.shape, given_to.type, given_to.is_open) == ((1, 24, 24, 3), "INT8", (False,) * 4)
    assert (output.shape, output.type, output.axis) == ((1, 2), "INT8", 0)
    assert given_to.scales == pytest.approx([0.0156764295]) and given_to.zero_points == (0,)
    graph = network.graphs[0]
    assert [operator.name for operator in graph.operators] == ["CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    first = graph.operators[0]
    assert (first.options_name, first.options["stride_w"], first.options["dilation_h_factor"]) == (
        "Conv2DOptions",
        2,
        1,
    )
    weights = graph.tensors[first.inputs[1]]
    assert weights.bytes == 8 * 3 * 3 * 3 and len(weights.scales) == 8
    assert len(TINY[weights.begin : weights.begin + weights.bytes]) == weights.bytes


@pytest.mark.parametrize("path", [*sorted((HERE / "data").glob("*.tflite")), *shipped()], ids=lambda path: path.stem)
def test_networks_that_run_are_taken_and_their_end_is_known(path):
    data = path.read_bytes() if path.parent.name == "data" else read(path).flatbuffer
    assert reader.read(data, "m.tflite").end == len(data)
    # What other tools append is no part of it.
    assert reader.read(data + b"PK\3\4 and more", "m.tflite").end == len(data)
    assert reader.read(memoryview(data), "m.tflite").end == len(data)


DAMAGE = {
    "identifier": (lambda e: e.put("I", 4, 0), "does not begin"),
    "root": (lambda e: e.put("I", 0, 2**31), "leads nowhere"),
    "root not aligned": (lambda e: e.put("I", 0, 33), "leads nowhere"),
    "schema version": (lambda e: e.put("I", e.field(e.model, e.MODEL_VERSION), 4), "of schema version 4.*upgrade"),
    "list of fields": (lambda e: e.put("i", e.graph, -(2**30)), "without a list of its fields"),
    "list's length": (lambda e: e.put("H", e.graph - e.get("i", e.graph), 7), "no right length"),
    "field's place": (lambda e: e.put("H", e.graph - e.get("i", e.graph) + 4, 3), "not in its place"),
    "fields in one place": (
        lambda e: e.put("H", e.graph - e.get("i", e.graph) + 4, e.get("H", e.graph - e.get("i", e.graph) + 6)),
        "not in its place",
    ),
    "vector's length": (lambda e: e.put("I", e.follow(e.field(e.graph, e.TENSORS)), 2**31), "behind its end|tables"),
    "newer operator": (lambda e: e.put("i", e.field(e.code(0), 3), 260), "with operator 260.*upgrade"),
    "operator's version": (lambda e: e.put("i", e.field(e.code(0), 2), 0), "version less than 1"),
    "operator code": (lambda e: e.put("I", e.field(e.operator(2), e.CODE), 99), "names operator code 99"),
    "options' kind": (lambda e: e.put("B", e.field(e.operator(0), e.OPTIONS_TYPE), 255), "has options 255.*upgrade"),
    "other options": (
        lambda e: e.put("B", e.field(e.operator(0), e.OPTIONS_TYPE), 11),
        "has AddOptions: expected Conv2D",
    ),
    "options of no kind": (lambda e: e.put("B", e.field(e.operator(0), e.OPTIONS_TYPE), 0), "options of no kind"),
    "tensor's type": (lambda e: e.put("b", e.field(e.tensor(0), e.TYPE), 99), "type = 99.*upgrade"),
    "type that no runtime takes": (lambda e: e.put("b", e.field(e.tensor(0), e.TYPE), 18), "is of BFLOAT16"),
    "tensor's buffer": (lambda e: e.put("I", e.field(e.tensor(1), e.BUFFER), 2**32 - 1), "names buffer"),
    "no UTF-8": (lambda e: e.put("B", e.values(e.tensor(0), e.NAME), 0xFF), "not UTF-8"),
    "name without an end": (
        lambda e: e.put("B", e.values(e.tensor(0), e.NAME) + e.get("I", e.follow(e.field(e.tensor(0), e.NAME))), 65),
        "does not end",
    ),
    "negative size": (lambda e: e.put("i", e.values(e.tensor(0), e.SHAPE), -1), "negative size"),
    "huge size": (lambda e: e.put("i", e.values(e.tensor(0), e.SHAPE), 2**31 - 1), "bytes: expected at most"),
    "constant's size": (lambda e: e.put("i", e.values(e.tensor(1), e.SHAPE), 3), "is said to have"),
    "input of an operator": (lambda e: e.put("i", e.values(e.operator(1), e.READS), 127), "names tensor 127"),
    "negative input": (lambda e: e.put("i", e.values(e.operator(1), e.READS), -2), "names tensor -2"),
    "no input": (lambda e: e.put("i", e.values(e.operator(1), e.READS), -1), "lacks an input"),
    "read before it is given": (lambda e: e.put("i", e.values(e.operator(0), e.READS), 9), "nothing before it gives"),
    "given twice": (lambda e: e.put("i", e.values(e.operator(0), e.GIVES), 0), "there already"),
    "output that is not given": (lambda e: e.put("i", e.values(e.operator(3), e.GIVES), 99), "names tensor 99"),
    "graph's output": (lambda e: e.put("i", e.values(e.graph, e.OUTPUTS), -1), "names tensor -1"),
    "graph's input": (
        lambda e: e.put("i", e.values(e.graph, e.INPUTS), 1),
        "an input twice, or an input and a constant",
    ),
    "negative scale": (lambda e: e.put("f", e.values(e.quantization(0), e.SCALE), -1.0), "negative or not finite"),
    "scale that is none": (lambda e: e.put("f", e.values(e.quantization(0), e.SCALE), float("nan")), "not finite"),
    "infinite scale": (lambda e: e.put("f", e.values(e.quantization(0), e.SCALE), float("inf")), "not finite"),
    "scale of 0": (lambda e: e.put("f", e.values(e.quantization(0), e.SCALE), 0.0), "step of 0"),
    "subnormal scale": (lambda e: e.put("f", e.values(e.quantization(7), e.SCALE), 1e-45), "step of 0, or next to it"),
    "zero point": (lambda e: e.put("q", e.values(e.quantization(0), e.ZERO_POINT), 200), "zero point"),
    "number of scales": (
        lambda e: e.put("I", e.follow(e.field(e.quantization(0), e.SCALE)), 0),
        "0 scales and 1 zero points",
    ),
    "stride of 0": (lambda e: e.put("i", e.field(e.options(0), 1), 0), "stride of 0"),
    "stride": (lambda e: e.put("i", e.field(e.options(0), 1), 7), "does not follow"),
    "activation": (lambda e: e.put("b", e.field(e.options(0), 3), 77), "fused_activation_function = 77"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_refused_in_one_sentence(what):
    damage, words = DAMAGE[what]
    editor = Editor(TINY)
    damage(editor)
    message = refusal(bytes(editor.data))
    assert message.startswith("m.tflite has a network ") and "\n" not in message
    assert re.search(words, message), message


@settings(max_examples=30)
@given(st.data())
def test_whatever_is_damaged_nothing_but_a_sentence_comes_of_it(data):
    damaged = bytearray(data.draw(st.sampled_from([TINY, MASK])))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(damaged))))
    try:
        reader.read(bytes(damaged[:cut]), "m.tflite")
    except EdgeError as error:
        assert error.code == "model.network"


def test_a_file_that_is_cut_anywhere_is_refused():
    for end in range(0, len(TINY), 29):
        refusal(TINY[:end])


def test_one_vector_named_by_many_tables_takes_no_long_time():
    """A small file of very many names for one long vector; without a limit it would be read for hours."""
    codes = 60_000
    # model: version, operator codes; each code is the same table, whose name is one long string
    head = struct.pack("<I4sHHHHHH", 20, b"TFL3", 8, 12, 4, 8, 0, 0)  # a list of two fields for the model
    table = struct.pack("<iII", 12, 3, 4)
    vector = struct.pack("<I", codes)
    code = 8 + 12 + 12 + 4 + 4 * codes
    offsets = b"".join(struct.pack("<I", code - (8 + 12 + 12 + 4 + 4 * i) + 8) for i in range(codes))
    rest = struct.pack("<HHHH", 8, 8, 0, 4) + struct.pack("<iI", 8, 4) + struct.pack("<I", 50_000) + b"a" * 50_000
    begun = time.perf_counter()
    refusal(head + table + vector + offsets + rest + b"\0" * 4)
    assert time.perf_counter() - begun < 5


def test_the_engine_looks_before_the_runtime_does(tmp_path):
    editor = Editor(TINY)
    editor.put("i", editor.values(editor.operator(1), editor.READS), 127)
    damaged = bytes(editor.data)
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(damaged, packing.manifest(damaged)))
    with pytest.raises(
        EdgeError, match=r"m\.tflite has a network that is damaged \(operator 1 names tensor 127"
    ) as caught:
        edge.load(path)
    assert caught.value.code == "model.network"


def test_a_name_that_is_no_text_is_a_sentence(tmp_path):
    """LiteRT for Python would raise a UnicodeDecodeError."""
    editor = Editor(TINY)
    editor.put("B", editor.values(editor.tensor(0), editor.NAME), 0xFF)
    damaged = bytes(editor.data)
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(damaged, packing.manifest(damaged)))
    with pytest.raises(EdgeError, match="not UTF-8"):
        edge.load(path)


def test_random_damage_of_seed_7_is_told_apart_from_what_runs():
    """About a fifth of single changes leave a network that runs: weights, names, descriptions."""
    generator, taken = random.Random(7), 0
    for _ in range(80):
        damaged = bytearray(TINY)
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        try:
            reader.read(bytes(damaged), "m.tflite")
            taken += 1
        except EdgeError:
            pass
    assert 15 < taken < 75
