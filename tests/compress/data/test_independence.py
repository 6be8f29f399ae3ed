"""What judges a network is independent of what it was trained on, or the recipe says why not."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compress.data.division import Entry, divide
from compress.data.folder import DataSet, load_folder
from compress.data.independence import NOTHING, Allowed
from compress.data.masks import load_masks
from compress.data.remarks import remarks
from compress.tasks.classification import Classification
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

HOW = Preprocessing(8, 8, "grey", 1)
PATIENT = r"p\d+"


def picture(key: str, size: tuple[int, int] = (24, 20)) -> Image.Image:
    noise = np.random.default_rng(zlib.crc32(key.encode())).integers(0, 256, (5, 6), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12 images to train, 2 of each of 6 patients, and 4 to test, of 2 others."""
    for label in ("ill", "well"):
        for part, patients in (("train", range(6)), ("test", range(6, 8))):
            for patient in patients:
                for number in range(2):
                    key = f"{label}-p{patient}-{number}"
                    save(picture(key), tmp_path / part / label / f"{key}.png")
    return tmp_path


def load(root: Path, group: str | None = None, allowed: Allowed = NOTHING, spec: Preprocessing = HOW) -> DataSet:
    return load_folder(Classification(), root, spec, 0.25, group, allowed=allowed)


def refusal(root: Path, group: str | None = None, allowed: Allowed = NOTHING) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        load(root, group, allowed)
    return caught.value


def test_independent_data_are_read_without_a_remark(folder: Path) -> None:
    assert remarks(load(folder).summary) == []


SAME = {
    "the same bytes": lambda image, path: image.save(path.with_suffix(".png")),
    "another format": lambda image, path: image.save(path.with_suffix(".bmp")),
    "other compression": lambda image, path: image.save(path.with_suffix(".png"), compress_level=1),
    "in colour": lambda image, path: image.convert("RGB").save(path.with_suffix(".png")),
    "with an alpha channel": lambda image, path: image.convert("RGBA").save(path.with_suffix(".png")),
    "in sixteen bits": lambda image, path: Image.fromarray(np.asarray(image).astype(np.uint16) * 257).save(
        path.with_suffix(".tiff")
    ),
    "stored on its side": lambda image, path: turned(image, path),
    "by name of the other class": lambda image, path: image.save(path.parents[1] / "well" / path.name),
}


def turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".png"), exif=exif)


@pytest.mark.parametrize("part", ["test", "val"])
@pytest.mark.parametrize("kind", SAME)
def test_an_image_that_equals_a_training_image_is_refused(kind: str, part: str, folder: Path) -> None:
    if part == "val":
        shutil.copytree(folder / "test", folder / "val")
        shutil.rmtree(folder / "test")
    original = folder / "train/ill/ill-p0-0.png"
    SAME[kind](Image.open(original), folder / part / "ill/again.png")
    caught = refusal(folder)
    assert caught.code == "data.duplicates"
    assert f"has 1 images in {part} that equal images of train" in str(caught) and "ill-p0-0.png" in str(caught)
    assert 'duplicates = "allow" and duplicates_reason' in str(caught)
    data = load(folder, allowed=Allowed(duplicates="a view of the same knee"))
    assert data.summary["independence"]["duplicates"] == {"images": 1, "reason": "a view of the same knee"}
    assert any("1 of the images" in line and "a view of the same knee" in line for line in remarks(data.summary))


def test_an_image_of_validation_is_not_tested(folder: Path) -> None:
    shutil.copytree(folder / "test", folder / "val")
    caught = refusal(folder)
    assert "8 images in test that equal images of val" in str(caught)


def test_one_pixel_makes_another_image(folder: Path) -> None:
    values = np.asarray(Image.open(folder / "train/ill/ill-p0-0.png")).copy()
    values[3, 3] ^= 1
    save(Image.fromarray(values), folder / "test/ill/again.png")
    assert "independence" not in load(folder).summary


def test_a_large_jpeg_equals_its_copy_in_another_format(folder: Path) -> None:
    """The JPEG is decoded smaller, the copy is not."""
    save(picture("large", (203, 155)), folder / "train/ill/large.jpg", quality=90)
    save(Image.open(folder / "train/ill/large.jpg"), folder / "test/ill/copy.png")
    assert "test/ill/copy.png = train/ill/large.jpg" in str(refusal(folder))


def test_equal_training_images_stay_together_and_are_counted(folder: Path) -> None:
    for number in range(12):
        shutil.copy(folder / f"train/ill/ill-p{number // 2}-{number % 2}.png", folder / f"train/ill/copy-{number}.png")
    data = load(folder)
    images = [{Path(name).stem.replace("copy-", "") for name in split.names} for split in (data.train, data.val)]
    assert images[0] and images[1]
    hashes = [{pixels.tobytes() for pixels in split.pixels} for split in (data.train, data.val)]
    assert not hashes[0] & hashes[1]
    assert sum(data.summary["independence"]["equal_images"].values()) == 12


def test_copies_that_do_not_cross_change_no_division() -> None:
    entries = [Entry(f"train/ill/{n:03}.png", 0, f"{n:03}.png") for n in range(200)]
    train, val = divide(entries, 0.2, None)
    pairs = [[a.path, b.path] for part in (train, val) for a, b in zip(part[:20:2], part[1:20:2], strict=True)]
    assert divide(entries, 0.2, None, pairs) == (train, val)
    crossing = [[train[0].path, val[0].path], [train[0].path, val[1].path, train[5].path]]
    again = divide(entries, 0.2, None, [*pairs, *crossing])
    side = [{entry.path for entry in part} for part in again]
    assert all(any(set(paths) <= part for part in side) for paths in (*pairs, *crossing))


def test_equal_images_with_different_labels_are_counted(folder: Path) -> None:
    shutil.copy(folder / "train/ill/ill-p0-0.png", folder / "train/well/ill-p0-0.png")
    found = load(folder).summary["independence"]["contradictions"]
    assert found == {"images": 2, "example": ["train/ill/ill-p0-0.png", "train/well/ill-p0-0.png"]}


def test_a_patient_on_both_sides_is_refused(folder: Path) -> None:
    for number in range(3):
        save(picture(f"new {number}"), folder / f"test/ill/x-p{number}-7.png")
    caught = refusal(folder, PATIENT)
    assert caught.code == "data.shared-patients"
    assert "has 3 patients (of 5 in test) in more than one of the folders train, test (p0, p1, p2)" in str(caught)
    for allowed, key in (
        (Allowed(shared_patients="why"), "shared_patients"),
        (Allowed(group_within="w"), "group_within"),
    ):
        found = load(folder, PATIENT, allowed).summary
        reason = allowed.shared_patients or allowed.group_within
        assert found["independence"][key] == {"patients": 3, "images": 3, "reason": reason}
        assert any("3 patients" in line and reason in line for line in remarks(found))
    assert "independence" not in load(folder).summary  # nobody said who the patients are


def test_what_is_allowed_says_nothing_where_there_is_none(folder: Path) -> None:
    everything = Allowed("a", "b", "")
    assert load(folder, PATIENT, everything).summary == load(folder, PATIENT).summary


def test_a_group_that_matches_no_name_is_refused(folder: Path) -> None:
    assert "matches the name of no file" in str(refusal(folder, r"patient\d+"))
    save(picture("nobody"), folder / "train/ill/nobody.png")
    assert load(folder, PATIENT).summary["independence"] == {"without_patient": {"images": 1}}


def test_parentheses_that_would_tell_patients_apart_otherwise_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in ("ill", "well"):
            for number in range(4):
                key = f"p{number % 2}_{part}{number}"
                save(picture(label + key), tmp_path / part / label / f"{key}.png")
    assert "its parentheses 'p0': expected both" in str(refusal(tmp_path, r"^(p\d+)_\w+"))
    for right in (r"^(p\d+)", r"^(p\d+)_", r"^p(\d+)", r"^(?:p|q)\d+(?=_)"):
        assert refusal(tmp_path, right).code == "data.shared-patients"
    assert "its parentheses 'p'" in str(refusal(tmp_path, r"^(p|q)\d+"))


def masks(root: Path, *stems: str) -> None:
    for stem in stems:
        save(picture(stem), root / f"images/{stem}.png")
        mask = np.zeros((20, 24), np.uint8)
        mask[4:12, 5:20] = 255
        save(Image.fromarray(mask), root / f"masks/{stem}.png")


def test_masks_are_held_to_the_same(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        masks(tmp_path / part, *(f"{part}{n}-p{n}" for n in range(4)))
    shutil.rmtree(tmp_path / "val")

    def read(group: str | None = None, allowed: Allowed = NOTHING) -> DataSet:
        return load_masks(Segmentation(), tmp_path, HOW, "thing", 0.25, 0.25, group, allowed=allowed)

    read()
    with pytest.raises(EdgeError, match="has 4 patients"):
        read(PATIENT)
    assert read(PATIENT, Allowed("why")).summary["independence"]["shared_patients"]["patients"] == 4
    for kind in ("images", "masks"):
        shutil.copy(tmp_path / f"train/{kind}/train1-p1.png", tmp_path / f"test/{kind}/again.png")
    with pytest.raises(EdgeError, match=r"1 images in test that equal images of \w+ \(test/images/again.png"):
        read()
    assert read(None, Allowed(duplicates="why")).summary["independence"]["duplicates"]["images"] == 1


def test_equal_images_are_divided_together_with_their_masks(tmp_path: Path) -> None:
    masks(tmp_path, *(f"{n:02}" for n in range(20)))
    for kind in ("images", "masks"):
        for n in range(20):
            shutil.copy(tmp_path / kind / f"{n:02}.png", tmp_path / kind / f"copy{n:02}.png")
    data = load_masks(Segmentation(), tmp_path, HOW, "thing", 0.2, 0.2)
    sides = [{name[-6:] for name in split.names} for split in (data.train, data.val, data.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
