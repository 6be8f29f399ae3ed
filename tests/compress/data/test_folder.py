from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data.folder import DataSet, Split, load_folder
from compress.tasks.classification import Classification
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

HOW = Preprocessing(8, 8, "grey", 3, mean=(0.5,), std=(0.25,))
TASK = Classification()
PATIENT = r"p\d+"


def draw(path: Path, value: int | None = None) -> None:
    """An image of one grey, or of noise that no other path has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(str(path).encode())).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(noise if value is None else np.full((8, 8), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12 training images, 3 of each of 4 patients, and 2 test images each."""
    for name, first in (("ill", 0), ("well", 50)):
        for patient in range(4):
            for picture in range(3):
                value = first + 10 * patient + picture
                draw(tmp_path / "train" / name / f"{picture}-p{first + patient}.png", value)
        for picture in range(2):
            draw(tmp_path / "test" / name / f"{picture}.png", 200 + first + picture)
    return tmp_path


def patients(split: Split) -> set[str]:
    return {name.rsplit("-", 1)[1] for name in split.names}


def test_pictures_come_with_their_labels(folder: Path) -> None:
    data = load_folder(TASK, folder, HOW)
    assert data.labels == ("ill", "well")
    for split in (data.train, data.val, data.test):
        assert split.pixels.shape == (len(split), 8, 8, 1)
        assert [data.labels[label] for label in split.truth] == [name.split("/")[1] for name in split.names]
    for name, pixels in zip(data.train.names, data.train.pixels, strict=True):
        assert (pixels == np.asarray(Image.open(folder / name))[..., None]).all()


def test_every_training_picture_lies_in_one_part(folder: Path) -> None:
    data = load_folder(TASK, folder, HOW, validation=0.25)
    assert not set(data.train.names) & set(data.val.names)
    assert len(data.train) + len(data.val) == 24
    assert data.summary["counts"] == {"train": [9, 9], "val": [3, 3], "test": [2, 2]}


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
def test_a_patient_is_never_divided(folder: Path, share: float) -> None:
    data = load_folder(TASK, folder, HOW, share, PATIENT)
    assert not patients(data.train) & patients(data.val)
    assert len(patients(data.train) | patients(data.val)) == 8
    assert {0, 1} == set(data.train.truth) == set(data.val.truth)


def test_a_patient_with_pictures_in_two_classes_is_never_divided(tmp_path: Path) -> None:
    for patient in range(8):
        for picture in range(patient + 1):
            draw(tmp_path / "train/ill" / f"{picture}-p{patient}.png")
        draw(tmp_path / "train/well" / f"0-p{patient}.png")
    data = load_folder(TASK, tmp_path, HOW, 0.5, PATIENT)
    assert not patients(data.train) & patients(data.val)


def same(a: DataSet, b: DataSet) -> bool:
    return a.summary == b.summary and all(
        x.names == y.names and (x.pixels == y.pixels).all()
        for x, y in ((a.train, b.train), (a.val, b.val), (a.test, b.test))
    )


def test_the_division_is_the_same_whatever_the_folder_lists_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_folder(TASK, folder, HOW, 0.25, PATIENT)
    assert same(first, load_folder(TASK, folder, HOW, 0.25, PATIENT))
    scandir, listdir = os.scandir, os.listdir
    monkeypatch.setattr(os, "scandir", lambda *path: sorted(scandir(*path), key=lambda entry: entry.name, reverse=True))
    monkeypatch.setattr(os, "listdir", lambda *path: sorted(listdir(*path), reverse=True))
    again = load_folder(TASK, folder, HOW, 0.25, PATIENT)
    monkeypatch.undo()
    assert same(first, again)


def test_the_folder_val_is_used_where_there_is_one(folder: Path) -> None:
    draw(folder / "val/ill/a.png", 7)
    draw(folder / "val/well/b.png", 8)
    data = load_folder(TASK, folder, HOW, 0.5)
    assert data.val.names == ("val/ill/a.png", "val/well/b.png")
    assert len(data.train) == 24
    assert data.summary["validation"] == "folder val"


def test_without_test_pictures_the_summary_says_so(folder: Path) -> None:
    (folder / "test").rename(folder / "aside")
    data = load_folder(TASK, folder, HOW)
    assert data.test is data.val
    assert data.summary["test"] == "the validation images"


def test_the_digest_changes_with_a_pixel_and_with_a_name(folder: Path) -> None:
    seen = {load_folder(TASK, folder, HOW).summary["digest"]}
    path = folder / "train/ill/0-p0.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[3, 4] += 1
    Image.fromarray(pixels).save(path)
    seen.add(load_folder(TASK, folder, HOW).summary["digest"])
    (folder / "test/ill/1.png").rename(folder / "test/ill/one.png")
    seen.add(load_folder(TASK, folder, HOW).summary["digest"])
    assert len(seen) == 3


def test_other_files_are_left_out_and_counted(folder: Path) -> None:
    first = load_folder(TASK, folder, HOW)
    (folder / "train/notes.txt").write_text("notes")
    (folder / "train/ill/Thumbs.db").write_bytes(b"\0")
    (folder / "train/ill/picture.png.part").write_bytes(b"half a pict")
    draw(folder / "train/9.jfif.png")  # in no class
    draw(folder / "valid/ill/9.png")  # a folder of another name
    said: list[str] = []
    data = load_folder(TASK, folder, HOW, progress=said.append)
    assert data.summary["digest"] == first.summary["digest"]
    assert "left_out" not in first.summary
    assert data.summary["left_out"] == {"in the folder 'valid'": 1, ".db": 1, ".part": 1, ".png": 1}
    assert any("4 files were left out" in line and line.endswith("\n") for line in said)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_without_class_folders_is_refused(part: str, folder: Path) -> None:
    shutil.rmtree(folder / part, ignore_errors=True)
    draw(folder / part / "1.png")
    assert f"{part} has no class folders: expected those of train (ill, well)" in refusal(folder)


def test_sub_folders_and_rare_endings_are_read(folder: Path) -> None:
    for label in ("ill", "well"):
        for number in range(6):
            draw(folder / f"train/{label}/patient{number}/{number}.png")
            draw(folder / f"train/{label}/deep/er/{number}.bmp")
            draw(folder / f"train/{label}/{number}.jpg")
            (folder / f"train/{label}/{number}.jpg").rename(folder / f"train/{label}/{number}.jfif")
    data = load_folder(TASK, folder, HOW, 0.2, group=r"patient\d+|p\d+")
    assert np.sum([data.summary["counts"][part] for part in ("train", "val")], 0).tolist() == [30, 30]
    assert "left_out" not in data.summary


def test_a_patient_may_be_a_sub_folder(tmp_path: Path) -> None:
    for label in ("ill", "well"):
        for patient in range(6):
            for number in range(4):
                draw(tmp_path / f"train/{label}/{label}{patient}/{number}.png")
    data = load_folder(TASK, tmp_path, HOW, 0.3, group="^[^/]+")
    sides = [{name.split("/")[2] for name in split.names} for split in (data.train, data.val)]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 12
    assert "group" in refusal(tmp_path, r"person\d+")  # which matches none


def remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink()


def refusal(folder: Path, group: str | None = None, share: float = 0.25) -> str:
    with pytest.raises(EdgeError) as caught:
        load_folder(TASK, folder, HOW, share, group)
    return str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'nowhere'} does not exist" in refusal(tmp_path / "nowhere")


def test_a_folder_without_train_is_refused(tmp_path: Path) -> None:
    assert "has no folder 'train'" in refusal(tmp_path)


def test_folders_of_masks_are_not_taken_for_classes(tmp_path: Path) -> None:
    """A recipe that lacks task = "segmentation"."""
    for kind in ("images", "masks"):
        (tmp_path / "here" / kind).mkdir(parents=True)
        (tmp_path / "there/train" / kind).mkdir(parents=True)
    for place in ("here", "there"):
        assert "another task in the recipe, as there are masks" in refusal(tmp_path / place)


def test_one_class_is_not_enough(folder: Path) -> None:
    (folder / "train/well").rename(folder / "well")
    assert "has 1 class folders: expected two or more" in refusal(folder)


def test_a_class_of_one_picture_can_not_be_divided(folder: Path) -> None:
    remove(folder, "train/ill/[12]*.png")
    remove(folder, "train/ill/0-p[123].png")
    assert "train/ill has 1 image: expected at least 2" in refusal(folder)


def test_a_class_of_one_patient_can_not_be_divided(folder: Path) -> None:
    remove(folder, "train/ill/*-p[123].png")
    assert "train/ill has 1 patient: expected at least 2" in refusal(folder, PATIENT)


def test_an_empty_class_folder_is_named(folder: Path) -> None:
    remove(folder, "train/well/*")
    assert f"{folder / 'train/well'} has no images" in refusal(folder)


def test_a_test_class_that_train_has_not_is_named(folder: Path) -> None:
    draw(folder / "test/wel/a.png")
    message = refusal(folder)
    assert "class folder 'wel'" in message
    assert "ill, well" in message


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_training_picture_is_named(folder: Path, content: bytes | None) -> None:
    path = folder / "train/ill/0-p2.png"
    path.write_bytes(path.read_bytes()[:40] if content is None else content)
    assert str(path) in refusal(folder)


def test_all_unreadable_images_are_named_at_once(folder: Path) -> None:
    damaged = sorted((folder / "train/ill").iterdir())[:8] + sorted((folder / "test/well").iterdir())
    for number, path in enumerate(damaged):
        path.write_bytes((b"", b"no image", path.read_bytes()[:50])[number % 3])
    message = refusal(folder)
    assert message.startswith(f"10 of 28 files of {folder} can't be used (")
    assert all(str(path) in message for path in damaged)
    more = sorted((folder / "train/well").iterdir())
    for path in more:
        path.write_bytes(b"")
    assert "22 of 28 files" in refusal(folder) and "; and 12 more)" in refusal(folder)


def test_warnings_are_counted_and_said(folder: Path) -> None:
    for path in (folder / "train/ill").iterdir():
        Image.fromarray(np.random.default_rng(len(path.name)).integers(0, 1024, (8, 8), np.uint16)).save(path)
        break
    said: list[str] = []
    summary = load_folder(TASK, folder, HOW, progress=said.append).summary
    warning = summary["warnings"]["image.depth"]
    assert (warning["count"], warning["example"]) == (1, f"train/ill/{path.name}")
    assert [line for line in said if line.startswith("data: 1 images: ") and "image.depth" in line]


@pytest.mark.parametrize(("many", "few", "share"), [(200, 20, 0.1), (100, 10, 0.1), (50, 4, 0.5)])
def test_the_same_name_in_two_classes_is_two_pictures(tmp_path: Path, many: int, few: int, share: float) -> None:
    for label, count in (("ill", many), ("well", few)):
        for number in range(count):
            draw(tmp_path / f"train/{label}/{number:03}.png")
    counts = load_folder(TASK, tmp_path, HOW, share).summary["counts"]
    validated = [round(share * many), round(share * few)]
    assert counts["val"] == validated and counts["train"] == [many - validated[0], few - validated[1]]


def test_a_class_whose_patients_all_went_elsewhere_is_named(tmp_path: Path) -> None:
    for patient in range(10):
        draw(tmp_path / f"train/ill/0-p{patient}.png")
    validated = sorted(patients(load_folder(TASK, with_others(tmp_path), HOW, 0.2, PATIENT).val) - {"p90", "p91"})
    for path in (tmp_path / "train/well").iterdir():
        path.unlink()
    for patient in validated[:2]:
        draw(tmp_path / f"train/well/0-{patient}.png")
    assert "train/well has nothing left to train with" in refusal(tmp_path, PATIENT, 0.2)


def with_others(folder: Path) -> Path:
    for patient in (90, 91):
        draw(folder / f"train/well/0-p{patient}.png")
    return folder


def test_names_that_can_not_be_told_are_refused(folder: Path) -> None:
    path = folder / "train/ill/0-p0.png"
    path.rename(os.fsdecode(os.fsencode(folder / "train/ill") + b"/r\xf6ntgen.png"))
    assert "has a file 'r\\udcf6ntgen.png': expected names in UTF-8; rename it" in refusal(folder)
    (folder / "train/ill").rename(folder / "train/\x85ill")
    assert "has a class folder '\\x85ill': expected printable letters; rename it" in refusal(folder)
    (folder / "train/\x85ill").rename(folder / f"train/{'i' * 201}")
    assert f"has a class folder '{'i' * 200}': expected at most 200 letters; rename it" in refusal(folder)
