"""`edge-compress convert`: a float32 TFLite file of one's own and a folder of images, or what is wrong with them."""

from __future__ import annotations

import copy
import errno
import json
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edge
from compress import cli
from compress.report import tensors
from edge.check import BIT_EXACT, check
from edge.model import read
from tests.compress.convert.test_packing import LEAST, MASK, network
from tests.edge.networks import changed


def images(folder: Path, count: int = 12, first: int = 0) -> Path:
    """Coloured noise with a bright box, in `count` files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        pixels = random.integers(0, 160, (30, 32, 3), np.uint8)
        pixels[5 : 8 + number, 4 : 10 + number] += np.uint8(60 + 3 * (number % 10))
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


class User:
    """A folder of somebody's with a file, a manifest and images; `convert` runs the command there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.output = folder / "out/int8.tflite"
        self.data = folder / "images"

    def has(self, data: bytes, raw: dict[str, Any] = LEAST) -> None:
        (self.folder / "net.tflite").write_bytes(data)
        (self.folder / "net.manifest.json").write_text(json.dumps(raw))

    def convert(self, *options: object) -> tuple[int, str, str]:
        words = ["convert", self.folder / "net.tflite", "--data", self.data, "--output", self.output, *options]
        status = cli.main(list(map(str, words)))
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def refusal(self, *options: object) -> str:
        """What the command says where it refuses; it leaves nothing behind."""
        status, said, error = self.convert(*options)
        assert (status, said) == (2, "") and "Traceback" not in error
        assert not self.output.parent.exists(), "something was left behind"
        return error


@pytest.fixture
def user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> User:
    made = User(tmp_path, capsys)
    made.has(network("tiny-float"))
    return made


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of the classifier and twelve images."""
    folder = tmp_path_factory.mktemp("usual")
    (folder / "net.tflite").write_bytes(network("tiny-float"))
    (folder / "net.manifest.json").write_text(json.dumps(LEAST))
    words = ["convert", folder / "net.tflite", "--data", images(folder / "images"), "--output", folder / "int8.tflite"]
    assert cli.main(list(map(str, words))) == 0
    return folder / "int8.tflite"


@pytest.mark.parametrize(
    ("name", "raw"),
    [("tiny-float", LEAST), ("tiny-mask-float", MASK), ("tiny-mask-scores-float", MASK)],
)
def test_a_float_file_becomes_a_model_file_that_a_device_runs(user: User, name: str, raw: dict[str, Any]) -> None:
    images(user.data)
    user.has(network(name), raw | {"runtime": {"type": "float32"}, "measured": {"accuracy": 0.9, "macs": 52000}})
    status, said, error = user.convert()
    assert status == 0, error
    model = read(user.output)
    assert model.manifest.type == "int8"
    measured, provenance = model.manifest.raw["measured"], model.manifest.raw["provenance"]
    assert set(measured) == {"macs", "cosine"} and 0.95 < measured["cosine"] <= 1, "of this file nothing else is known"
    assert provenance["float32"]["file"] == "net.tflite"
    assert provenance["calibration"]["images"] == 9
    assert [verdict.verdict for verdict in check(edge.load(user.output, threads=1))] == [BIT_EXACT] * 4
    table = tensors.read(model)
    assert sum(row.operator == "CONV_2D" for row in table) == model.manifest.operators["CONV_2D"]
    assert said.splitlines()[: len(table) + 2] == list(tensors.lines(table))
    assert "calibrated on 9 images" in said and "compared on 3 other images" in said
    assert ("the same class is the highest for 3 of them" in said) == ("mask" not in name)
    assert Image.open(user.output.with_suffix(".tensors.png")).size[0] > 600


def test_the_same_input_gives_the_same_bytes(user: User, usual: Path) -> None:
    images(user.data)
    assert user.convert()[0] == 0
    assert user.output.read_bytes() == usual.read_bytes()
    chart = user.output.with_suffix(".tensors.png").read_bytes()
    assert chart == usual.with_suffix(".tensors.png").read_bytes()


def test_choices_reach_the_quantizer(user: User) -> None:
    images(user.data)
    options = ("--range", "min-max", "--no-equalize", "--no-correct-bias", "--full", "--calibration", 4)
    assert user.convert(*options)[0] == 0
    model = read(user.output)
    how = model.manifest.raw["provenance"]["conversion"]
    assert (how["range"], how["equalize"], how["correct_bias"], how["full"]) == ("min-max", False, False, True)
    assert model.manifest.raw["provenance"]["calibration"]["images"] == 4
    assert {row.range for row in tensors.read(model)} <= {"min-max", "shared", "fixed"}


def test_parts_that_stay_float(user: User, usual: Path) -> None:
    images(user.data)
    first = next(row for row in tensors.read(read(usual)) if row.operator == "CONV_2D")
    status, _, error = user.convert("--float32", first.name.replace("[", "[[]"))
    assert status == 0, error
    types = {row.name: row.type for row in tensors.read(read(user.output)) if row.operator == "CONV_2D"}
    assert types[first.name] == "float32" and "int8" in types.values()


def test_a_labelled_folder_has_its_own_images_to_compare_on(user: User) -> None:
    for part, first in (("train", 0), ("test", 8)):
        for number, label in enumerate(("no", "yes")):
            images(user.data / part / label, 4, first + 4 * number)
    status, said, error = user.convert()
    assert status == 0, error
    assert "calibrated on 8 images" in said and "compared on 8 other images" in said


def test_masks_are_no_images(user: User) -> None:
    images(user.data / "images", 8)
    images(user.data / "masks", 8)
    status, said, error = user.convert()
    assert status == 0, error
    assert "calibrated on 6 images" in said and "compared on 2 other images" in said


def far_weights(flatbuffer: bytes, beyond: int = 0) -> bytes:
    """The largest constant behind the flatbuffer, as converters put large ones; `beyond` bytes are missing there."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    raw = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    largest = max(raw.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    weights = bytes(bytearray(largest.data))
    largest.data, largest.offset, largest.size = None, 2**31, len(weights)  # placeholders of the same width
    builder = Builder(1024)
    builder.Finish(raw.Pack(builder), file_identifier=b"TFL3")
    packed = bytes(builder.Output())
    packed += bytes(-len(packed) % 16)
    assert packed.count(struct.pack("<Q", 2**31)) == 1
    packed = packed.replace(struct.pack("<Q", 2**31), struct.pack("<Q", len(packed)))
    return packed + weights[: len(weights) - beyond]


def test_weights_behind_the_flatbuffer_are_taken_in(user: User, usual: Path) -> None:
    images(user.data)
    user.has(far_weights(network("tiny-float")))
    status, _, error = user.convert()
    assert status == 0, error
    assert read(user.output).flatbuffer == read(usual).flatbuffer


def with_sparsity(raw: Any, graph: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    constant = next(t for t in graph.tensors if t.shape is not None and len(t.shape) == 4)
    constant.sparsity = schema.SparsityParametersT()


def with_two_inputs(raw: Any, graph: Any) -> None:
    graph.tensors.append(copy.copy(graph.tensors[graph.inputs[0]]))
    graph.inputs = [*graph.inputs, len(graph.tensors) - 1]
    raw.signatureDefs = None


def with_an_open_size(raw: Any, graph: Any) -> None:
    graph.tensors[graph.inputs[0]].shapeSignature = [1, -1, -1, 3]


def of_a_newer_schema(raw: Any, graph: Any) -> None:
    raw.version = 4


def with_a_new_operator(raw: Any, graph: Any) -> None:
    raw.operatorCodes[0].builtinCode, raw.operatorCodes[0].deprecatedBuiltinCode = 999, 127


def with_weights_that_are_not_finite(raw: Any, graph: Any) -> None:
    buffer = max(raw.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    buffer.data = np.frombuffer(np.full(len(buffer.data) // 4, np.nan, np.float32).tobytes(), np.uint8)


def with_weights_of_zero(raw: Any, graph: Any) -> None:
    for buffer in raw.buffers:
        if buffer.data is not None and len(buffer.data) > 64:
            buffer.data = np.zeros(len(buffer.data), np.uint8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_sparsity, "sparse"),
        (with_two_inputs, "2 inputs"),
        (with_an_open_size, "expected images of a fixed size"),
        (of_a_newer_schema, "upgrade"),
        (with_a_new_operator, "upgrade"),
        (with_weights_that_are_not_finite, "finite"),
        (with_weights_of_zero, "gives every image the same logits"),
    ],
)
def test_networks_that_are_refused(user: User, change: Callable[[Any, Any], None], said: str) -> None:
    images(user.data)
    user.has(changed("tiny-float", change))
    assert said in user.refusal()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (network("tiny"), "is int8 already: expected a float32 network"),
        (network("tiny-uint8"), "tensors of UINT8"),
        (b"", "no TFLite flatbuffer"),
        (b"PK\x03\x04 and so on", "no TFLite flatbuffer"),
        (network("tiny-float")[:700], "damaged"),
        (far_weights(network("tiny-float"), beyond=4), "damaged"),
    ],
)
def test_files_that_are_no_float_network(user: User, data: bytes, said: str) -> None:
    images(user.data)
    user.has(data)
    assert said in user.refusal()


def nothing(folder: Path) -> None:
    pass


def empty(folder: Path) -> None:
    folder.mkdir()


def no_images(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("none")


def one_image(folder: Path) -> None:
    images(folder, 1)


def one_apart(folder: Path) -> None:
    images(folder / "train/a", 5)
    images(folder / "test/a", 1)


def the_same_image(folder: Path) -> None:
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (30, 30), (90, 90, 90)).save(folder / f"{number}.png")


def a_damaged_image(folder: Path) -> None:
    images(folder)
    (folder / "03.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nothing, "does not exist"),
        (empty, "has no images"),
        (no_images, "has no images"),
        (one_image, "has 1 images: expected at least 3"),
        (one_apart, "has 6 images: expected at least 3"),
        (the_same_image, "are all the same to the network"),
        (a_damaged_image, "03.png"),
    ],
)
def test_folders_that_are_refused(user: User, make: Callable[[Path], None], said: str) -> None:
    make(user.data)
    assert said in user.refusal()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--calibration", 0], "--calibration is 0: expected 1 to 10000 images"),
        (["--range", "best"], "--range is 'best': expected 'min-max' or"),
        (["--float32", "nowhere"], "nowhere"),
        (["--manifest", "absent.json"], "absent.json does not exist: expected the manifest"),
    ],
)
def test_options_that_are_refused(user: User, options: Sequence[object], said: str) -> None:
    images(user.data)
    assert said in user.refusal(*options)


def test_a_model_file_has_the_manifest(user: User, usual: Path) -> None:
    images(user.data)
    (user.folder / "net.manifest.json").unlink()
    status, _, error = user.convert("--manifest", usual)
    assert status == 0, error
    assert user.output.read_bytes() == usual.read_bytes(), "and what it says of its own making is said again"


def test_a_manifest_of_another_network(user: User) -> None:
    images(user.data)
    user.has(network("tiny-float"), MASK)
    assert "its task is segmentation" in user.refusal()


def test_the_float_file_and_its_manifest_are_not_replaced(user: User) -> None:
    images(user.data)
    for name in ("net.tflite", "net.manifest.json"):
        before = (user.folder / name).read_bytes()
        user.output = user.folder / name
        status, _, error = user.convert()
        assert status == 2 and "would be replaced" in error
        assert (user.folder / name).read_bytes() == before


def test_an_output_that_can_not_be_one(user: User) -> None:
    images(user.data)
    user.output = user.folder / "folder"
    user.output.mkdir()
    status, _, error = user.convert()
    assert status == 2 and "is no ordinary file" in error


def test_an_earlier_file_stays_where_the_disk_is_full(user: User, usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(user.data)
    user.output.parent.mkdir()
    shutil.copy(usual, user.output)
    before = user.output.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    status, _, error = user.convert("--range", "min-max")
    assert status == 2 and "No space left on device" in error
    assert user.output.read_bytes() == before
    assert sorted(path.name for path in user.output.parent.iterdir()) == ["int8.tflite"]
