"""CIFAR-10's files as the public archive holds them; drawn ones, and the real ones where they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data import cifar
from compress.data.cifar import FOLDER, NAMES, PARTS, load_cifar
from compress.data.independence import Allowed
from compress.recipe import Recipe
from compress.recipe_parser import parse
from compress.tasks.classification import Classification
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels

TASK = Classification()
HOW = Preprocessing(32, 32)
FEW = 100  # records in a drawn file


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files a hundredth as long as the real ones."""
    monkeypatch.setattr(cifar, "RECORDS", FEW)


def write(folder: Path) -> Path:
    """Write six files of noise, labels in turns, and the names of the classes."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    for file in PARTS["train"] + PARTS["test"]:
        records = random.integers(0, 256, (FEW, 3073), np.uint8)
        records[:, 0] = np.arange(FEW) % 10
        records.tofile(folder / file)
    (folder / NAMES).write_text("\n".join(f"class{n}" for n in range(10)) + "\n")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("cifar") / FOLDER)


@pytest.fixture
def drawn(files: Path, few: None) -> Path:
    return files


@pytest.fixture
def spoilt(drawn: Path, tmp_path: Path) -> Path:
    """A folder of links, so that a test can spoil some."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    for path in drawn.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def test_every_picture_is_where_its_name_says(drawn: Path) -> None:
    data = load_cifar(TASK, drawn, HOW)
    assert [len(split) for split in (data.train, data.val, data.test)] == [450, 50, 100]
    assert not set(data.train.names) & set(data.val.names)
    for split in (data.train, data.val, data.test):
        for place in (0, len(split) // 2, len(split) - 1):
            file, number = split.names[place].split("/")[1].rsplit("-", 1)
            record = np.fromfile(drawn / f"{file}.bin", np.uint8)[int(number) * 3073 :][:3073]
            assert split.truth[place] == record[0]
            red, green, blue = record[1:].reshape(3, 32, 32)
            assert (split.pixels[place] == np.dstack([red, green, blue])).all()


def test_each_class_gives_its_share_to_validation(drawn: Path) -> None:
    data = load_cifar(TASK, drawn, HOW, 0.04)
    assert data.summary["counts"] == {"train": [48] * 10, "val": [2] * 10, "test": [10] * 10}
    assert data.summary["validation"] == "0.04 of each class of train"
    assert load_cifar(TASK, drawn, HOW, 0.04).summary == data.summary


def test_a_network_with_another_input_reads_what_the_device_would(drawn: Path) -> None:
    spec = Preprocessing(24, 24, "grey", 1)
    data = load_cifar(TASK, drawn, spec)
    record = np.fromfile(drawn / PARTS["test"][0], np.uint8)[1:3073]
    picture = Image.fromarray(record.reshape(3, 32, 32).transpose(1, 2, 0).copy())
    assert (data.test.pixels[0] == pixels(picture, spec)).all()


def test_the_folder_is_found_from_within_and_from_above(drawn: Path, tmp_path: Path) -> None:
    assert cifar.found(drawn) == cifar.found(drawn.parent) == drawn
    assert cifar.found(tmp_path) is None
    assert cifar.found(tmp_path / "nowhere" / FOLDER) is None


def test_an_empty_folder_of_that_name_lacks_a_file(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    with pytest.raises(EdgeError, match=r"batches\.meta\.txt can't be read .*unpack the archive again"):
        TASK.load(tmp_path, recipe(), lambda text: None)


def test_a_group_is_refused(drawn: Path) -> None:
    with pytest.raises(EdgeError, match=r"recipe\.toml: data\.group is 'person'.*leave it out"):
        TASK.load(drawn.parent, recipe(group="person"), lambda text: None)


def recipe(**data: object) -> Recipe:
    raw = {"name": "own", "title": "A recipe", "network": "a:b", "input": {"height": 32, "width": 32}}
    return parse(raw | {"steps": [{"kind": "train", "epochs": 1}], "data": data}, "recipe.toml")


def test_a_recipe_reads_it(drawn: Path) -> None:
    data = TASK.load(drawn.parent, recipe(validation=0.04), lambda text: None)
    assert (len(data.val), TASK.metric(data)) == (20, "accuracy")
    guesses = np.eye(10, dtype=np.float32)[data.val.truth]
    guesses[:5] = 0  # the first class wins
    expected = (15 + (data.val.truth[:5] == 0).sum()) / 20
    assert TASK.evaluate(guesses, data) == pytest.approx(expected)


def refusal(folder: Path) -> str:
    with pytest.raises(EdgeError) as caught:
        load_cifar(TASK, folder, HOW)
    return str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 307_299, 307_301, 3073])
def test_a_file_of_another_size_is_named(spoilt: Path, size: int) -> None:
    path = spoilt / "data_batch_3.bin"
    content = (path.read_bytes() + b"\0")[:size]
    path.unlink()
    path.write_bytes(content)
    assert f"{path} has {size:,} bytes: expected 307,300, 100 records" in refusal(spoilt)


@pytest.mark.parametrize("file", [*PARTS["train"][1:3], *PARTS["test"], NAMES])
def test_a_missing_file_is_named(spoilt: Path, file: str) -> None:
    (spoilt / file).unlink()
    message = refusal(spoilt)
    assert f"{spoilt / file} can't be read" in message
    assert "unpack the archive again" in message


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_out_of_range_is_named(spoilt: Path, label: int) -> None:
    path = spoilt / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[3073 * 77] = label
    path.unlink()
    path.write_bytes(content)
    assert f"{path} has the label {label} at record 77: expected 0 to 9" in refusal(spoilt)


@pytest.mark.parametrize("names", ["", "a\nb\n", "\n".join("abcdefghia"), "\n".join("abcdefghijk")])
def test_other_than_ten_names_are_refused(spoilt: Path, names: str) -> None:
    (spoilt / NAMES).unlink()
    (spoilt / NAMES).write_text(names)
    assert f"{spoilt / NAMES} has {len(names.split())} names: expected 10 different ones" in refusal(spoilt)


@pytest.mark.data
@pytest.mark.timeout(300)
def test_the_real_one(cifar10: Path) -> None:
    data = load_cifar(TASK, cifar10, HOW, 0.02)
    assert (len(data.train), len(data.val), len(data.test)) == (49_000, 1_000, 10_000)
    assert data.labels[:4] == ("airplane", "automobile", "bird", "cat")
    assert data.summary["counts"] == {"train": [4900] * 10, "val": [100] * 10, "test": [1000] * 10}
    means = data.train.pixels.reshape(-1, 3).mean(0) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-3)
    assert len({hashlib.sha256(picture.tobytes()).digest() for picture in data.test.pixels}) == 10_000


def test_all_damaged_files_are_named_at_once(spoilt: Path) -> None:
    for file in ("data_batch_2.bin", "test_batch.bin"):
        (spoilt / file).unlink()
        (spoilt / file).write_bytes(b"short")
    message = refusal(spoilt)
    assert f"2 of 6 files of {spoilt} can't be used" in message
    assert "data_batch_2.bin has 5 bytes" in message and "test_batch.bin has 5 bytes" in message


def test_a_test_image_that_is_trained_on_is_refused(spoilt: Path) -> None:
    size = 1 + 3 * 32 * 32
    train, test = (spoilt / file for file in ("data_batch_3.bin", "test_batch.bin"))
    content = bytearray(test.read_bytes())
    content[5 * size + 1 : 6 * size] = train.read_bytes()[7 * size + 1 : 8 * size]
    test.unlink()
    test.write_bytes(content)
    message = refusal(spoilt)
    assert "has 1 images in test that equal images of" in message
    assert "(test/test_batch-00005 = train/data_batch_3-00007)" in message
    allowed = Allowed(duplicates="as published")
    found = load_cifar(TASK, spoilt, HOW, allowed=allowed).summary["independence"]["duplicates"]
    assert found == {"images": 1, "reason": "as published"}
