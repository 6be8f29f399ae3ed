"""What a network's outputs are, by the end of its graph."""

from __future__ import annotations

import pytest

from edge.activation import LOGARITHMS, LOGITS, SCORES, UNKNOWN, check_activation, check_activations, ending
from edge.errors import EdgeError
from edge.flatbuffer import read
from edge.model import read as read_file
from edge.model import shipped
from edge.network import Graph, Network, Operator, Tensor
from tests.edge.conftest import HERE


def tensor(size: int = 0) -> Tensor:
    """A computed tensor, or a constant of so many bytes."""
    return Tensor("t", (1, 2), (False, False), "INT8", (), (), 0, 100, size, False)


def network(*operators: tuple[str, list[int], list[int]], constants: tuple[int, ...] = (), output: int = 9) -> Network:
    """A graph of 10 tensors: number 0 is the input, `output` the output."""
    tensors = tuple(tensor(4 * (number in constants)) for number in range(10))
    steps = tuple(
        Operator(name.partition(" ")[0], name.partition(" ")[2], 1, tuple(reads), tuple(gives), {}, "")
        for name, reads, gives in operators
    )
    return Network((Graph(tensors, (0,), (output,), steps),), 0)


def chain(*names: str) -> Network:
    """Operators one after the other; of each the second input is a constant."""
    last = len(names)
    steps = [(name, [number, 8], [number + 1]) for number, name in enumerate(names)]
    return network(*steps, constants=(8,), output=last)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["CONV_2D", "SOFTMAX"], (SCORES, "SOFTMAX")),
        (["FULLY_CONNECTED", "LOGISTIC"], (SCORES, "LOGISTIC")),
        (["FULLY_CONNECTED", "SOFTMAX", "RESHAPE", "QUANTIZE", "CAST"], (SCORES, "SOFTMAX")),
        (["CONV_2D", "LOGISTIC", "RESIZE_BILINEAR", "DEQUANTIZE"], (SCORES, "LOGISTIC")),
        (["CONV_2D", "LOG_SOFTMAX", "RESHAPE"], (LOGARITHMS, "LOG_SOFTMAX")),
        (["SOFTMAX", "FULLY_CONNECTED"], (LOGITS, "FULLY_CONNECTED")),
        (["LOGISTIC", "CONV_2D", "MEAN", "RESHAPE"], (LOGITS, "CONV_2D")),
        (["LOGISTIC", "MUL"], (UNKNOWN, "MUL")),
        (["CONV_2D", "CUSTOM my-softmax", "RESHAPE"], (UNKNOWN, "my-softmax")),
        (["RESHAPE"], (UNKNOWN, "")),
    ],
)
def test_the_end_of_a_chain(names: list[str], expected: tuple[str, str]) -> None:
    assert ending(chain(*names)) == expected


def test_both_classes_of_one_sigmoid() -> None:
    both = network(("LOGISTIC", [0], [1]), ("SUB", [8, 1], [2]), ("CONCATENATION", [2, 1], [9]), constants=(8,))
    assert ending(both) == (SCORES, "LOGISTIC")
    other = network(("LOGISTIC", [0], [1]), ("SUB", [1, 8], [2]), ("CONCATENATION", [2, 1], [9]), constants=(8,))
    assert ending(other)[0] == UNKNOWN


def test_parts_of_a_split() -> None:
    split = network(("SOFTMAX", [0], [1]), ("SPLIT", [8, 1], [2, 3]), ("CONCATENATION", [3, 2], [9]), constants=(8,))
    assert ending(split) == (SCORES, "SOFTMAX")


def test_ends_of_two_kinds_are_not_known() -> None:
    mixed = network(("SOFTMAX", [0], [1]), ("FULLY_CONNECTED", [0, 8], [2]), ("PACK", [1, 2], [9]), constants=(8,))
    assert ending(mixed)[0] == UNKNOWN


def test_a_circle_ends() -> None:
    assert ending(network(("RESHAPE", [9], [9]))) == (UNKNOWN, "")


@pytest.mark.parametrize(
    ("name", "activation", "wanted"),
    [
        ("SOFTMAX", "softmax", "none"),
        ("LOGISTIC", "softmax", "none"),
        ("LOGISTIC", "sigmoid", "none"),
        ("LOG_SOFTMAX", "none", "softmax"),
        ("LOG_SOFTMAX", "sigmoid", "softmax"),
    ],
)
def test_scores_are_not_made_twice(name: str, activation: str, wanted: str) -> None:
    with pytest.raises(EdgeError, match=f'ends in {name}, so .* is "{activation}": expected "{wanted}"') as error:
        check_activation(activation, chain("CONV_2D", name, "RESHAPE"), "x.tflite")
    assert error.value.code == "model.tensors"


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("SOFTMAX", "none"),
        ("LOGISTIC", "none"),
        ("LOG_SOFTMAX", "softmax"),
        ("FULLY_CONNECTED", "softmax"),
        ("FULLY_CONNECTED", "none"),  # values beside 0..1 are refused when they come
        ("DIV", "softmax"),
        ("CONV_2D", "sigmoid"),
    ],
)
def test_what_fits_or_can_not_be_known_passes(name: str, activation: str) -> None:
    check_activation(activation, chain("CONV_2D", name), "x.tflite")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tiny", LOGITS), ("tiny-float", LOGITS), ("tiny-mask", LOGITS)]
    + [(name, SCORES) for name in ("tiny-scores", "tiny-scores-float", "tiny-mask-scores", "tiny-mask-scores-float")],
)
def test_real_networks(name: str, kind: str) -> None:
    assert ending(read((HERE / f"data/{name}.tflite").read_bytes(), name))[0] == kind


def test_what_ships_ends_in_logits() -> None:
    for path in shipped():
        file = read_file(path)
        found = read(file.flatbuffer, str(path))
        assert ending(found)[0] in (LOGITS, UNKNOWN)
        check_activations(file.manifest.outputs, found, str(path))
