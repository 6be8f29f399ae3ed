"""What the words on the command line stand for."""

from __future__ import annotations

import pytest

from edge.errors import EdgeError
from edge.sources import expand, result_names

SUFFIXES = (".png", ".jpg")


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.PNG", "c.jpg", "notes.txt", ".hidden.png", "inner/d.png", "inner/deep/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def names(found, folder):
    return [name.removeprefix(f"{folder}/") for name in found]


def test_a_folder_stands_for_its_own_pictures(folder):
    assert names(expand(str(folder), SUFFIXES), folder) == ["a.PNG", "b.png", "c.jpg"]
    with pytest.raises(EdgeError, match="has no pictures"):
        (folder / "empty").mkdir()
        expand(str(folder / "empty"), SUFFIXES)


def test_a_pattern_stands_for_what_it_matches(folder):
    assert names(expand(f"{folder}/*.png", SUFFIXES), folder) == ["b.png"]
    assert names(expand(f"{folder}/**/*.png", SUFFIXES), folder) == ["b.png", "inner/d.png", "inner/deep/e.png"]
    with pytest.raises(EdgeError, match="matches no file"):
        expand(f"{folder}/*.gif", SUFFIXES)


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder):
    (folder / "x[1].png").write_bytes(b"")
    assert names(expand(f"{folder}/x[1].png", SUFFIXES), folder) == ["x[1].png"]


def test_any_other_word_is_a_file(folder):
    assert expand("-", SUFFIXES) == ["-"]
    assert expand("nowhere.png", SUFFIXES) == ["nowhere.png"]
    assert expand(f"{folder}/notes.txt", SUFFIXES) == [f"{folder}/notes.txt"]
    assert expand("x" * 5000, SUFFIXES) == ["x" * 5000]


def test_results_never_share_a_name():
    images = ["a/x.png", "b/x.jpg", "x-2.png", "X.png", "-", "stdin.png"]
    assert list(result_names(images)) == ["x", "x-2", "x-2-2", "X-3", "stdin", "stdin-2"]


def test_links_that_lead_nowhere_are_not_left_out(folder):
    """Reading them says so; the other pictures are answered."""
    (folder / "d.png").symlink_to(folder / "d.png")
    (folder / "e.png").symlink_to(folder / "gone.png")
    (folder / "f.png").symlink_to(folder / "inner")
    assert names(expand(str(folder), SUFFIXES), folder) == ["a.PNG", "b.png", "c.jpg", "d.png", "e.png"]
