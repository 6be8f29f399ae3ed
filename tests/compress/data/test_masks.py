"""Folders of images and masks: what is read, how it is divided, and what is refused."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data.folder import DataSet, Split
from compress.data.masks import load_masks
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

HOW = Preprocessing(8, 8, "rgb", 3, mean=(0.5,), std=(0.25,))
TASK = Segmentation()
VIDEO = r"v\d+"


def left(share: float, width: int = 16, height: int = 12) -> np.ndarray:
    """A mask of the image's left part."""
    return np.arange(width) < share * width + np.zeros((height, 1))


def draw(root: Path, stem: str, mask: np.ndarray, image: str = ".png", drawn: str = ".png") -> None:
    """One image of noise and its mask, in the two folders in `root`."""
    noise = np.random.default_rng(zlib.crc32(stem.encode())).integers(0, 256, (*mask.shape, 3), np.uint8)
    for kind, pixels, ending in (("images", noise, image), ("masks", np.uint8(255) * mask, drawn)):
        (root / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / kind / f"{stem}{ending}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five videos of four images each, 16x12, a mask of another size in each."""
    for n in range(20):
        draw(tmp_path, f"{n:02d}-v{n // 4}", left(n / 20))
    return tmp_path


def load(root: Path, validation: float = 0.2, test: float = 0.25, group: str | None = None) -> DataSet:
    return load_masks(TASK, root, HOW, "polyp", validation, test, group)


def parts(data: DataSet) -> list[Split]:
    return [data.train, data.val, data.test]


def stems(split: Split) -> list[str]:
    return [Path(name).stem for name in split.names]


def videos(split: Split) -> set[str]:
    return {name.rsplit("-", 1)[1] for name in split.names}


def test_pictures_come_with_their_masks(folder: Path) -> None:
    data = load(folder)
    assert data.labels == ("polyp",)
    assert data.train.masks == ()
    for split in parts(data):
        assert split.pixels.shape == (len(split), 8, 8, 3)
        assert (split.truth.dtype, split.truth.shape) == (np.uint8, (len(split), 8, 8))
        for name, truth in zip(split.names, split.truth, strict=True):
            share = int(Path(name).stem[:2]) / 20
            assert truth.mean() / 255 == pytest.approx(np.ceil(share * 16) / 16, abs=0.02)
    for split in (data.val, data.test):
        for name, mask in zip(split.names, split.masks, strict=True):
            assert mask.dtype == bool
            assert (mask == (np.asarray(Image.open(folder / "masks" / Path(name).name)) == 255)).all()


def test_every_picture_lies_in_one_part(folder: Path) -> None:
    data = load(folder)
    assert sorted(name for split in parts(data) for name in split.names) == sorted(
        f"images/{path.name}" for path in (folder / "images").iterdir()
    )
    assert data.summary["counts"] == {"train": [12], "val": [3], "test": [5]}  # 5 of 20, then 3 of 15
    assert data.summary["test"] == "0.25 of all images"
    assert data.summary["validation"] == "0.2 of the images that are not tested"


def test_the_division_is_the_same_on_any_machine(folder: Path) -> None:
    """Written down once: a division that changes makes every published figure another's."""
    data = load(folder)
    assert stems(data.test) == ["04-v1", "08-v2", "10-v2", "13-v3", "15-v3"]
    assert stems(data.val) == ["12-v3", "17-v4", "18-v4"]
    assert videos(load(folder, group=VIDEO).test) == {"v0.png", "v1.png"}


def test_the_division_does_not_depend_on_what_the_folder_lists_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, scandir = load(folder), os.scandir
    monkeypatch.setattr(os, "scandir", lambda *path: sorted(scandir(*path), key=lambda entry: entry.name, reverse=True))
    again = load(folder)
    monkeypatch.undo()
    assert again.summary == first.summary
    assert [split.names for split in parts(again)] == [split.names for split in parts(first)]


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.6])
def test_a_video_is_never_divided(folder: Path, share: float) -> None:
    data = load(folder, 0.3, share, VIDEO)
    assert sum(len(videos(split)) for split in parts(data)) == 5
    assert all(len(split) for split in parts(data))
    assert data.summary["divided_by"] == VIDEO


def test_the_digest_changes_with_a_pixel_of_a_mask_and_with_a_name(folder: Path) -> None:
    seen = {load(folder).summary["digest"]}
    for stem in (stems(load(folder).train)[0], stems(load(folder).test)[0]):
        path = folder / "masks" / f"{stem}.png"
        pixels = np.asarray(Image.open(path)).copy()
        pixels[5, 9] = 255 - pixels[5, 9]
        Image.fromarray(pixels).save(path)
        seen.add(load(folder).summary["digest"])
    for kind in ("images", "masks"):
        (folder / kind / "00-v0.png").rename(folder / kind / "0-v0.png")
    seen.add(load(folder).summary["digest"])
    assert len(seen) == 4


def divided(root: Path, *names: str) -> Path:
    """Images that their publisher divided into these folders, five each."""
    for name in names:
        for n in range(5):
            draw(root / name, f"{name}{n}", left(0.5))
    return root


def test_folders_are_taken_as_their_publisher_divided_them(tmp_path: Path) -> None:
    data = load(divided(tmp_path, "train", "val", "test"))
    assert [sorted({name.split("/")[0] for name in split.names}) for split in parts(data)] == [
        ["train"],
        ["val"],
        ["test"],
    ]
    assert data.summary["counts"] == {"train": [5], "val": [5], "test": [5]}
    assert (data.summary["validation"], data.summary["test"]) == ("folder val", "folder test")
    assert [len(split.masks) for split in parts(data)] == [0, 5, 5]


def test_what_has_no_folder_is_taken_from_train(tmp_path: Path) -> None:
    data = load(divided(tmp_path, "train", "test"))
    assert data.summary["counts"] == {"train": [4], "val": [1], "test": [5]}
    assert {name.split("/")[0] for name in data.val.names} == {"train"}
    assert not set(data.val.names) & set(data.train.names)
    (tmp_path / "test").rename(tmp_path / "aside")
    assert load(tmp_path).summary["counts"] == {"train": [3], "val": [1], "test": [1]}


def only(root: Path, *stems: str) -> Split:
    """Read images that are the test folder's, beside others that are trained on."""
    divided(root, "train", "val")
    data = load(root)
    assert tuple(Path(name).stem for name in data.test.names) == stems
    return data.test


def test_a_soft_rim_is_divided_at_half_of_the_full_range(tmp_path: Path) -> None:
    draw(tmp_path / "test", "a", left(0.5, 8, 8))
    row = np.array([0, 0, 0, 127, 128, 255, 255, 255], np.uint8)
    Image.fromarray(np.tile(row, (8, 1))).save(tmp_path / "test/masks/a.png")
    split = only(tmp_path, "a")
    assert (split.masks[0] == (row >= 128)).all()
    assert (split.truth[0] == np.where(row >= 128, 255, 0)).all()


def test_the_grey_rims_of_a_jpeg_mask_are_divided(tmp_path: Path) -> None:
    y, x = np.mgrid[0:40, 0:60]
    disc = (x - 30) ** 2 + (y - 20) ** 2 < 150
    draw(tmp_path / "test", "a", disc, drawn=".jpg")
    with Image.open(tmp_path / "test/masks/a.jpg") as file:
        grey = np.asarray(file)
    assert ((grey > 0) & (grey < 255)).sum() > 50
    found = only(tmp_path, "a").masks[0]
    assert (found == (grey >= 128)).all()
    assert (found != disc).mean() < 0.01


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "I;16"])
def test_a_white_thing_is_found_in_every_mode(mode: str, tmp_path: Path) -> None:
    mask = left(0.5, 8, 8)
    draw(tmp_path / "test", "a", mask)
    drawn = Image.fromarray(np.uint8(255) * mask)
    wide = Image.fromarray(np.uint16(65535) * mask)
    (wide if mode == "I;16" else drawn.convert(mode)).save(tmp_path / "test/masks/a.png")
    assert (only(tmp_path, "a").masks[0] == mask).all()


def test_empty_masks_are_read_and_counted(tmp_path: Path) -> None:
    draw(tmp_path / "test", "a", left(0))
    draw(tmp_path / "test", "b", left(0.5))
    split = only(tmp_path, "a", "b")
    assert not split.masks[0].any() and not split.truth[0].any()
    assert load(tmp_path).summary["empty_masks"] == {"train": 0, "val": 0, "test": 1}


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_part_whose_masks_show_nothing_is_refused(part: str, folder: Path) -> None:
    split = dict(zip(("train", "val", "test"), parts(load(folder)), strict=True))[part]
    for stem in stems(split):
        draw(folder, stem, left(0))
    message = refusal(folder)
    assert f"{folder} has no mask that shows polyp among the {len(split)} of the part {part}" in message
    assert "expected white there, black elsewhere" in message


@pytest.mark.parametrize("brightest", [1, 127])
def test_a_mask_of_other_values_than_black_and_white_is_named(brightest: int, folder: Path) -> None:
    path = folder / "masks/07-v1.png"
    Image.fromarray(np.uint8(brightest) * (np.asarray(Image.open(path)) > 0)).save(path)
    message = refusal(folder)
    assert f"1 of 20 masks of {folder} can't be read for certain (masks/07-v1.png): found 8-bit grey 0 (" in message
    assert f", {brightest} (" in message and f"foreground = [{brightest}]" in message


def test_a_folder_that_is_divided_and_is_not_is_refused(folder: Path) -> None:
    draw(folder / "test", "a", left(0.5))
    assert f"{folder} has the folders images and test: expected either" in refusal(folder)


def test_the_formats_of_a_picture_and_its_mask_may_differ(tmp_path: Path) -> None:
    """CVC-ClinicDB has TIFF images."""
    for stem, image, drawn in (("1", ".tif", ".png"), ("2", ".jpg", ".bmp"), ("3.b", ".PNG", ".tiff")):
        draw(tmp_path / "test", stem, left(0.5), image, drawn)
    assert len(only(tmp_path, "1", "2", "3.b")) == 3


def test_other_files_are_left_out_and_counted(folder: Path) -> None:
    first = load(folder).summary
    (folder / "notes.txt").write_text("notes")
    for kind in ("images", "masks"):
        (folder / kind / "Thumbs.db").write_bytes(b"\0")
        (folder / kind / "._00-v0.png").write_bytes(b"\0")
        (folder / kind / "picture.png.part").write_bytes(b"half a pict")
    (folder / "more").mkdir()
    for stray in ("more/1.jpg", "more/2.png", "3.png"):  # beside the two folders
        (folder / stray).write_bytes(b"an image")
    summary = load(folder).summary
    assert summary["digest"] == first["digest"]
    assert summary["left_out"] == {"in the folder 'more'": 2, ".png": 1, ".db": 2, ".part": 2, "hidden": 2}


def test_sub_folders_are_read(folder: Path) -> None:
    for kind in ("images", "masks"):
        for path in sorted((folder / kind).iterdir()):
            (folder / kind / path.stem[3:]).mkdir(exist_ok=True)
            path.rename(folder / kind / path.stem[3:] / path.name)
    data = load(folder, group=r"^[^/]+")
    assert sum(len(split) for split in parts(data)) == 20
    assert sum(len(videos(split)) for split in parts(data)) == 5


def turned(path: Path, upright: np.ndarray) -> None:
    """Write an image that is stored lying on its side, with the EXIF orientation that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    Image.fromarray(np.rot90(upright)).save(path, exif=exif, quality=95)


def test_a_turned_picture_has_a_mask_of_the_displayed_size(tmp_path: Path) -> None:
    mask = left(0.5, 16, 12)
    draw(tmp_path / "test", "a", mask, image=".jpg")
    turned(tmp_path / "test/images/a.jpg", np.uint8(255) * mask)
    split = only(tmp_path, "a")
    assert split.masks[0].shape == (12, 16)
    np.testing.assert_allclose(split.pixels[0, :, :, 0], split.truth[0], atol=40)  # it shows just what its mask says


def test_a_large_jpeg_is_as_large_as_its_mask(tmp_path: Path) -> None:
    """It is decoded smaller than it is, for a small network."""
    draw(tmp_path / "test", "a", left(0.5, 203, 155), image=".jpg")
    assert only(tmp_path, "a").masks[0].shape == (155, 203)


def disc(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return (x - 0.45 * width) ** 2 + (y - 0.55 * height) ** 2 < 0.0625 * min(width, height) ** 2


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (37, 53), (5, 7)])
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_the_shares_of_pixels_add_up_to_the_mask(fit: str, size: tuple[int, int], tmp_path: Path) -> None:
    draw(tmp_path, "a", mask := disc(*size))
    draw(tmp_path, "b", mask)
    draw(tmp_path, "c", mask)
    data = load_masks(TASK, tmp_path, Preprocessing(16, 16, "grey", 1, fit), "polyp", 0.5, 0.3)
    seen = min(size) ** 2 if fit == "crop" else size[0] * size[1]  # pixels of the image
    shown = 16 * round(16 * min(size) / max(size)) if fit == "pad" else 16 * 16  # pixels of the input that show them
    assert data.test.truth[0].sum() / 255 * seen / shown == pytest.approx(mask.sum(), rel=0.03)


def fitted(root: Path, fit: str) -> np.ndarray:
    """Read the test folder's masks, beside others that are trained on, for a network that reads 8x8."""
    divided(root, "train", "val")
    return load_masks(TASK, root, Preprocessing(8, 8, fit=fit), "polyp").test.truth


def test_what_is_cropped_away_is_covered_nowhere(tmp_path: Path) -> None:
    draw(tmp_path / "test", "a", left(0.125, 32, 16))
    draw(tmp_path / "test", "b", left(0.5, 32, 16))
    outside, half = fitted(tmp_path, "crop")
    assert not outside.any()
    assert (half[:, :3] == 255).all() and not half[:, 5:].any()


def test_padding_is_covered_nowhere(tmp_path: Path) -> None:
    draw(tmp_path / "test", "a", left(1, 32, 16))
    assert (fitted(tmp_path, "pad")[0] == np.repeat([0, 255, 255, 0], 2)[:, None]).all()


def refusal(root: Path) -> str:
    with pytest.raises(EdgeError) as caught:
        load(root)
    return str(caught.value)


def test_a_missing_folder_is_named(folder: Path, tmp_path: Path) -> None:
    assert f"{tmp_path / 'nowhere'} does not exist" in refusal(tmp_path / "nowhere")
    (folder / "masks").rename(folder / "mask")
    assert f"{folder / 'masks'} does not exist: expected the folders images and masks" in refusal(folder)
    (folder / "images").rename(folder / "image")
    assert "has no folder 'images' and no folder 'train'" in refusal(folder)


def test_a_missing_folder_of_a_part_is_named(tmp_path: Path) -> None:
    divided(tmp_path, "train", "val", "test")
    (tmp_path / "val/masks").rename(tmp_path / "val/mask")
    assert f"{tmp_path / 'val/masks'} does not exist" in refusal(tmp_path)


def test_an_empty_folder_is_named(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()
    assert f"{folder / 'images'} has no images: expected files that end in .png" in refusal(folder)


@pytest.mark.parametrize("kind, other", [("images", "masks"), ("masks", "images")])
def test_a_file_without_its_partner_is_named(kind: str, other: str, folder: Path) -> None:
    (folder / other / "07-v1.png").unlink()
    message = refusal(folder)
    assert f"{folder / kind / '07-v1.png'} has no partner in {folder / other}:" in message
    assert "07-v1.png for example" in message
    (folder / other / "11-v2.png").unlink()
    assert f"no partner in {folder / other} (nor have {kind}/11-v2.png)" in refusal(folder)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_two_files_of_the_same_stem_are_refused(kind: str, folder: Path) -> None:
    Image.open(folder / kind / "07-v1.png").save(folder / kind / "07-v1.jpg")
    assert f"{folder / kind} has 07-v1.jpg and 07-v1.png: expected one" in refusal(folder)


def test_a_mask_of_another_size_is_named(folder: Path) -> None:
    draw(folder, "07-v1", left(0.5))
    Image.fromarray(np.uint8(255) * left(0.5, 12, 16)).save(folder / "masks/07-v1.png")
    message = refusal(folder)
    assert f"{folder / 'masks/07-v1.png'} is 12x16 and its image 16x12" in message
    assert "expected a mask of the image's size" in message


def test_all_masks_of_another_size_are_named_at_once(folder: Path) -> None:
    for stem in ("03-v0", "07-v1", "11-v2"):
        Image.fromarray(np.uint8(255) * left(0.5, 12, 16)).save(folder / f"masks/{stem}.png")
    Image.fromarray(left(0.5).astype(np.uint8)).save(folder / "masks/15-v3.png")
    (folder / "images/08-v2.png").write_bytes(b"")
    message = refusal(folder)
    assert "4 of 20 files" in message and "1 of 20 masks" in message
    assert all(stem in message for stem in ("03-v0", "07-v1", "11-v2", "15-v3", "08-v2"))


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_one_of_the_two_that_exif_turns_is_refused(kind: str, orientation: int, tmp_path: Path) -> None:
    """Of a square nothing says whether the mask was drawn on what is stored or on what is seen."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    draw(tmp_path / "test", "a", left(0.3, 12, 12))
    path = tmp_path / "test" / kind / "a.png"
    Image.open(path).save(path, exif=exif)
    with pytest.raises(EdgeError, match=r"a.png has EXIF orientation .*expected the same") as caught:
        only(tmp_path, "a")
    assert caught.value.code == "data.masks"
    other = tmp_path / "test" / ("masks" if kind == "images" else "images") / "a.png"
    Image.open(other).save(other, exif=exif)
    assert only(tmp_path, "a").masks[0].mean() == pytest.approx(left(0.3, 12, 12).mean())


def test_a_turned_picture_is_not_taken_for_the_size_it_is_stored_in(folder: Path) -> None:
    for name in ("images", "masks"):
        (folder / name / "07-v1.png").unlink()
    draw(folder, "07-v1", left(0.5, 16, 12), image=".jpg")
    turned(folder / "images/07-v1.jpg", np.zeros((16, 12), np.uint8))
    assert "07-v1.png is 16x12 and its image 12x16" in refusal(folder)


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_file_is_named(kind: str, content: bytes | None, folder: Path) -> None:
    path = folder / kind / "07-v1.png"
    path.write_bytes(path.read_bytes()[:40] if content is None else content)
    assert str(path) in refusal(folder)


def test_too_few_pictures_to_divide_are_named(folder: Path) -> None:
    for path in folder.glob("*/*"):
        if path.stem not in ("05-v1", "07-v1"):
            path.unlink()
    assert "images has 2 images: expected at least 3, to train, to validate and to test" in refusal(folder)
