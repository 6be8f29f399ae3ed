from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data.phantom import colon, phantom, write_folder


def test_a_phantom_is_a_function_of_its_seed() -> None:
    assert (phantom(7, True, 96) == phantom(7, True, 96)).all()
    assert phantom(7, True, 96).shape == (96, 96)
    assert phantom(7, False).dtype == np.uint8
    assert (phantom(7, False, 96) != phantom(8, False, 96)).mean() > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_classes_differ_by_bright_patches_in_one_lung(seed: int) -> None:
    difference = phantom(seed, True, 256).astype(int) - phantom(seed, False, 256)
    assert difference.min() >= 0
    assert difference.max() >= 40
    left, right = difference[:, :118].sum(), difference[:, 138:].sum()
    assert min(left, right) < 0.05 * max(left, right)
    brightest = np.argwhere(difference >= 40)
    assert ((brightest > (32, 40)) & (brightest < (208, 216))).all()


def test_a_phantom_looks_like_a_chest() -> None:
    mean = np.mean([phantom(seed, False, 64) for seed in range(12)], axis=0)
    lungs, spine, corner = mean[26:34, [18, 19, 44, 45]], mean[26:34, 30:34], mean[:4, :4]
    assert corner.mean() < lungs.mean() < spine.mean()


def test_a_colon_is_a_function_of_its_seed() -> None:
    (picture, mask), (again, same) = colon(7, True, 96), colon(7, True, 96)
    assert (picture == again).all() and (mask == same).all()
    assert (picture.dtype, picture.shape) == (np.uint8, (96, 96, 3))
    assert (mask.dtype, mask.shape) == (np.bool_, (96, 96))
    other, others = colon(8, True, 96)
    assert (picture != other).mean() > 0.5 and (mask != others).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_mask_fits_its_polyp(seed: int) -> None:
    (picture, mask), (healthy, empty) = colon(seed, True), colon(seed, False)
    changed = (picture != healthy).any(axis=2)
    assert not empty.any()
    assert not changed[~mask].any()  # the scene is the same one
    assert changed[mask].mean() > 0.95
    assert 0.02 < mask.mean() < 0.15
    red = picture[..., 0] - picture[..., 1:].mean(axis=2)
    assert red[mask].mean() > red[~mask].mean() + 20


@pytest.mark.parametrize("polyp", [False, True])
def test_a_colon_looks_alike_in_every_size(polyp: bool) -> None:
    small, large = colon(3, polyp, 64), colon(3, polyp, 256)
    shrunk = Image.fromarray(large[0]).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(shrunk, float) - small[0]).mean() < 10
    assert small[1].mean() == pytest.approx(large[1].mean(), abs=0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path, train=3, test=2, size=32)
    return tmp_path


def seeds(folder: Path) -> list[int]:
    return [int(re.findall(r"\d+", path.name)[0]) for path in sorted(folder.rglob("*.png"))]


def test_a_folder_holds_what_was_asked_for(folder: Path) -> None:
    counts = {str(path.relative_to(folder)): len(list(path.iterdir())) for path in folder.glob("*/*")}
    assert counts == {"train/clear": 3, "train/opacity": 3, "test/clear": 2, "test/opacity": 2}
    for path in folder.rglob("*.png"):
        seed = int(re.findall(r"\d+", path.name)[0])
        assert (np.asarray(Image.open(path)) == phantom(seed, path.parent.name == "opacity", 32)).all()


def test_no_anatomy_occurs_twice(folder: Path) -> None:
    assert len(set(seeds(folder))) == 10


def test_no_anatomy_occurs_twice_when_a_folder_grows(folder: Path) -> None:
    write_folder(folder, train=5, test=3, size=32)
    assert len(set(seeds(folder))) == len(seeds(folder))


def test_files_that_exist_stay(folder: Path) -> None:
    path = sorted(folder.rglob("*.png"))[0]
    missing = sorted(folder.rglob("*.png"))[-1]
    before = missing.read_bytes()
    path.write_bytes(b"mine")
    missing.unlink()
    write_folder(folder, train=3, test=2, size=32)
    assert path.read_bytes() == b"mine"
    assert missing.read_bytes() == before
    assert not list(folder.rglob("*.part"))
