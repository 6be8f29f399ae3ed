from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compress.convert.golden import COUNT, golden, installed
from compress.convert.model_file import write
from compress.convert.verify import check_alive, check_conversion, edge_logits, latency, open_engine
from compress.data.folder import Split
from compress.tasks.classification import Classification
from compress.tasks.metrics import centred, centred_cosine, cosine
from edge.check import BIT_EXACT, check
from edge.engine import Engine
from edge.errors import EdgeError
from edge.manifest import parse
from edge.model import read
from edge.preprocess import int8_table
from edge.runtime import open_runtime
from tests.edge import packing
from tests.edge.conftest import RUNTIMES

DATA = Path(__file__).parents[2] / "edge/data"
FLATBUFFER = (DATA / "tiny.tflite").read_bytes()


def test_latency_times_every_model() -> None:
    times = latency({"int8": FLATBUFFER, "float32": (DATA / "tiny-float.tflite").read_bytes()}, rounds=3)
    assert list(times) == ["int8", "float32"]
    assert all(0 < value < 1000 for value in times.values())


def model_file(folder: Path) -> Path:
    """A model file with golden vectors, as a run makes it."""
    spec = parse(packing.manifest(FLATBUFFER), "test").inputs[0]
    runtimes = [open_runtime(FLATBUFFER, name) for name in installed()]
    entry = runtimes[0].inputs[0]
    entries, members = golden(spec, int8_table(spec, entry.scale, entry.zero_point), Classification().golden, runtimes)
    assert parse(packing.manifest(FLATBUFFER, golden=entries), "test").golden
    write(folder / "tiny.tflite", FLATBUFFER, packing.manifest(FLATBUFFER, golden=entries), members)
    return folder / "tiny.tflite"


def test_golden_vectors_pass_the_devices_check(tmp_path: Path) -> None:
    file = read(model_file(tmp_path))
    assert len(file.manifest.golden) == COUNT
    for name in RUNTIMES:
        runtime = open_runtime(file.data, name, 1)
        assert all(runtime.kernel_path in vector.outputs for vector in file.manifest.golden)
        verdicts = check(Engine(file, runtime))
        assert [verdict.verdict for verdict in verdicts] == [BIT_EXACT] * COUNT


def test_golden_pictures_are_of_different_inputs(tmp_path: Path) -> None:
    vectors = read(model_file(tmp_path)).manifest.golden
    assert len({vector.inputs for vector in vectors}) == COUNT


def test_logits_are_the_engines(tmp_path: Path) -> None:
    engine = open_engine(model_file(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (51, 24, 24, 1), np.uint8)
    said: list[str] = []
    found = edge_logits(engine, Split(pixels, np.zeros(51, np.int64), ("x",) * 51), said.append)
    assert said == ["running the model file on image 50/51"]
    assert found.shape == (51, 2)
    np.testing.assert_array_equal(found[3], engine.outputs(pixels[3])[0])
    assert np.ptp(found) > 0


def maps(seed: int = 0, share: float = 0.01) -> np.ndarray:
    """Logits of 8 images as a trained segmenter gives them: deep under zero, but where the thing is, on few pixels."""
    random = np.random.default_rng(seed)
    logits = random.normal(-5, 0.5, (8, 40, 40, 1))
    side = round(40 * share**0.5)
    for image in logits:
        top, left = random.integers(0, 40 - side, 2)
        image[top : top + side, left : left + side] = random.normal(3, 0.5, (side, side, 1))
    return logits.astype(np.float32)


def classes(seed: int = 0, count: int = 3) -> np.ndarray:
    """Logits of 30 images as a trained classifier gives them."""
    random = np.random.default_rng(seed)
    truth = np.arange(30) % count
    return (random.normal(0, 1, (30, count)) + 4 * np.eye(count)[truth]).astype(np.float32)


def quantized(logits: np.ndarray, steps: int = 255) -> np.ndarray:
    """As int8 would say them."""
    step = np.ptp(logits) / steps
    return (np.round(logits / step) * step).astype(np.float32)


@pytest.mark.parametrize("logits", [maps(), classes(), classes(count=2)], ids=["maps", "classes", "two"])
def test_quantization_alone_is_no_damage(logits: np.ndarray) -> None:
    check_conversion(logits, quantized(logits))
    check_conversion(logits, logits)
    check_conversion(100 * logits, 100 * quantized(logits))
    assert centred_cosine(logits, quantized(logits)) > 0.99


@pytest.mark.parametrize("share", [0.0025, 0.01, 0.04])
@pytest.mark.parametrize("answer", [-5.0, -4.9, 1.0])
def test_a_segmenter_that_answers_one_number_everywhere_is_dead(share: float, answer: float) -> None:
    trained = maps(share=share)
    constant = np.full_like(trained, answer)
    if answer < 0 and share < 0.02:
        assert cosine(trained, constant) > 0.95  # which is why this is not enough
    with pytest.raises(EdgeError, match=r"the int8 model gives every image the same logits .*quantizes badly"):
        check_conversion(trained, constant)
    with pytest.raises(EdgeError, match="the float network gives every image the same logits"):
        check_conversion(constant, quantized(trained))


def test_a_segmenter_that_answers_nearly_one_number_everywhere_is_dead() -> None:
    trained = maps()
    noise = np.random.default_rng(1).choice([0, 0.09], trained.shape)  # a step of int8 here and there
    with pytest.raises(EdgeError, match=r"the int8 model's logits around their means have cosine 0\.0"):
        check_conversion(trained, (-5 + noise).astype(np.float32))


def test_a_segmenter_that_draws_the_same_map_for_every_image_is_dead() -> None:
    trained = maps()
    same = np.repeat(trained[:1], 8, 0)
    with pytest.raises(EdgeError, match="the int8 model gives every image the same logits"):
        check_conversion(trained, same)
    with pytest.raises(EdgeError, match="the float network gives every image the same logits"):
        check_alive("the float network", same)


def test_one_map_is_judged_by_its_pixels() -> None:
    check_alive("the network", maps()[:1])
    with pytest.raises(EdgeError, match="same logits"):
        check_alive("the network", np.full((1, 8, 8, 1), -3, np.float32))


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_classifier_that_answers_the_same_always_is_dead(count: int) -> None:
    trained = classes(count=count)
    same = np.repeat(np.linspace(1, 3, count, dtype=np.float32)[None], 30, 0)
    brightness = np.random.default_rng(2).normal(0, 3, (30, 1)).astype(np.float32)  # which no score depends on
    for dead in (same, same + brightness, np.zeros_like(same)):
        with pytest.raises(EdgeError, match="the int8 model gives every image the same logits"):
            check_conversion(trained, dead)
        with pytest.raises(EdgeError, match="the float network gives every image the same logits"):
            check_alive("the float network", dead)


def test_a_classifier_that_always_answers_one_class_more_than_the_others_is_judged_without_it() -> None:
    """Its plain cosine is that of the favourite class; what it says of the images is noise."""
    favourite = np.array([20, 0, 0], np.float32)
    trained, noise = classes() + favourite, classes(seed=5)[::-1] / 4 + favourite
    assert cosine(trained, noise) > 0.95
    with pytest.raises(EdgeError, match="around their means have cosine") as error:
        check_conversion(trained, noise)
    assert error.value.code == "model.output"


def test_logits_that_moved_away_together_are_refused() -> None:
    with pytest.raises(EdgeError, match="the int8 model's logits have cosine"):
        check_conversion(maps(), maps() + 10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    broken = classes()
    broken[3, 1] = value
    for pair in ((classes(), broken), (broken, classes())):
        with pytest.raises(EdgeError, match="gives logits that are not finite"):
            check_conversion(*pair)


def test_means_are_taken_where_they_say_nothing() -> None:
    assert np.allclose(centred(classes()).mean(0), 0) and np.allclose(centred(classes()).mean(1), 0)
    assert centred(maps()).mean() == pytest.approx(0, abs=1e-9)
    assert centred(maps())[0].mean() != pytest.approx(0, abs=1e-3)
    two = np.concatenate([maps(), 7 + maps(1)], 3)
    assert np.allclose(centred(two).mean((0, 1, 2)), 0)
