"""What the words on the command line stand for."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from edge.errors import EdgeError
from edge.readers import suffixes
from edge.sources import expand, left_out_line, listing

ALL = suffixes()


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.png",
        "a.PNG",
        "c.jpg",
        "notes.txt",
        ".hidden.png",
        "inner/d.png",
        "inner/deep/e.png",
        ".git/f.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def names(found, folder):
    return [name.removeprefix(f"{folder}/") for name in found]


def images(word, folder):
    return names(expand(str(word)), folder)


def test_a_folder_stands_for_its_images_and_those_of_its_sub_folders(folder):
    found = expand(str(folder))
    assert names(found, folder) == ["a.PNG", "b.png", "c.jpg", "inner/d.png", "inner/deep/e.png"]
    assert found.root == str(folder) and found.left_out == {".txt": 1, "hidden": 2}


@pytest.mark.parametrize("suffix", ALL)
def test_every_usual_ending_is_an_images(tmp_path, suffix):
    for name in (f"a{suffix}", f"b{suffix.upper()}", f"c{suffix}x", suffix.strip(".")):
        (tmp_path / name).write_bytes(b"")
    assert names(listing(tmp_path)[0], tmp_path) == [f"a{suffix}", f"b{suffix.upper()}"]


def test_what_pillow_reads_of_these_formats_by_its_ending_is_read_here():
    from PIL import Image

    Image.init()
    theirs = {suffix for suffix, form in Image.EXTENSION.items() if form in ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB")}
    theirs |= {suffix for suffix, form in Image.EXTENSION.items() if form in ("TIFF", "WEBP")}
    assert theirs <= set(ALL)


def test_a_folder_without_images_says_what_is_there_instead(folder):
    (folder / "empty").mkdir()
    with pytest.raises(
        EdgeError, match=r"empty has no images in it: expected files that end in \.png, \.apng, "
    ) as caught:
        expand(f"{folder}/empty")
    assert caught.value.code == "image.missing"
    (folder / "empty/scan").write_bytes(b"")
    with pytest.raises(EdgeError, match=r"no images in it, 1 file was left out \(1 without a suffix\): expected"):
        expand(f"{folder}/empty")
    with pytest.raises(EdgeError, match=r"empt\* matches nothing that is an image, 1 file was left out"):
        expand(f"{folder}/empt*")


def test_files_that_are_left_out_are_counted_by_kind(tmp_path):
    for name in ("a.txt", "b.TXT", "in/c.txt", "d", "e.", "..f", "g.tar.gz", "h.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    left_out = listing(tmp_path)[1]
    assert left_out == {".txt": 3, "without a suffix": 2, "special": 2, "hidden": 1, ".gz": 1}
    said = "9 files were left out (3 .txt, 2 special, 2 without a suffix, 1 .gz, 1 hidden)"
    assert left_out_line(left_out) == said
    many = Counter({f".{number}": 1 for number in range(9)})
    assert left_out_line(many) == "9 files were left out (1 .0, 1 .1, 1 .2, 1 .3, 1 .4, 4 of other kinds)"
    assert left_out_line(Counter({".\x1b[2J": 1})) == "1 file was left out (1 .\\x1b[2J)"
    assert left_out_line(Counter()) == ""


def test_the_order_is_that_of_the_parts_of_the_paths(tmp_path):
    for name in ("b/1.png", "b-1/1.png", "b.png", "a/2.png", "a/10.png", "B/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    expected = ["B/1.png", "a/10.png", "a/2.png", "b/1.png", "b-1/1.png", "b.png"]
    assert images(tmp_path, tmp_path) == images(f"{tmp_path}/**/*.png", tmp_path) == expected


def test_a_folder_of_results_is_not_looked_into(folder):
    (folder / "out").mkdir()
    (folder / "out/a.mask.png").write_bytes(b"")
    (folder / "out/a.json").write_bytes(b"")
    found, left_out = listing(folder, os.path.realpath(folder / "out"))
    assert "out/a.mask.png" not in names(found, folder) and left_out == {".txt": 1, "hidden": 2}


def test_a_pattern_stands_for_what_it_matches(folder):
    assert images(f"{folder}/*.png", folder) == ["b.png"]
    assert images(f"{folder}/**/*.png", folder) == ["b.png", "inner/d.png", "inner/deep/e.png"]
    with pytest.raises(EdgeError, match="matches no file") as caught:
        expand(f"{folder}/*.gif")
    assert caught.value.code == "image.missing"


def test_a_pattern_that_matches_a_folder_stands_for_its_images(folder):
    """As where a shell expands it."""
    found = expand(f"{folder}/*")
    everything = ["a.PNG", "b.png", "c.jpg", "inner/d.png", "inner/deep/e.png", "notes.txt"]
    assert names(found, folder) == everything and found.root == f"{folder}/" and not found.left_out
    (folder / "inner/deep/more.txt").write_bytes(b"")
    assert expand(f"{folder}/inn*").left_out == {".txt": 1}
    assert names(expand(f"{folder}/**"), folder)[4:6] == ["inner/deep/e.png", "inner/deep/more.txt"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder):
    (folder / "x[1].png").write_bytes(b"")
    assert images(f"{folder}/x[1].png", folder) == ["x[1].png"]


def test_any_other_word_is_a_file(folder):
    for word in ("-", "nowhere.png", f"{folder}/notes.txt", "x" * 5000):
        found = expand(word)
        assert found == [word] and found.root is None and not found.left_out


def test_links_that_lead_nowhere_are_not_left_out(folder):
    """Reading them says so; the other images are answered."""
    (folder / "d.png").symlink_to(folder / "d.png")
    (folder / "e.png").symlink_to(folder / "gone.png")
    assert images(folder, folder)[:5] == ["a.PNG", "b.png", "c.jpg", "d.png", "e.png"]
    assert images(f"{folder}/*.png", folder) == images(f"{folder}/[b-e].png", folder) == ["b.png", "d.png", "e.png"]


def test_pipes_that_a_pattern_matches_are_counted(folder):
    os.mkfifo(folder / "pipe.png")
    found = expand(f"{folder}/*.png")
    assert names(found, folder) == ["b.png"] and found.left_out == {"special": 1}
    with pytest.raises(EdgeError, match=r"pip\* matches nothing that is an image, 1 file was left out \(1 special\)"):
        expand(f"{folder}/pip*")


def test_folders_that_links_lead_to_are_looked_into_once(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "x.png").write_bytes(b"")
    (other / "back").symlink_to(folder)
    (folder / "inner/up").symlink_to(folder)
    (folder / "inner/self").symlink_to(folder / "inner/self")
    (folder / "other.png").symlink_to(other)
    found, left_out = listing(folder)
    assert names(found, folder)[3:] == ["inner/d.png", "inner/deep/e.png", "other.png/x.png"]
    assert left_out == {".txt": 1, "hidden": 2, "without a suffix": 1}


def test_a_sub_folder_that_can_not_be_read_is_among_the_images(folder, monkeypatch):
    """Root reads every folder, so the system is asked to say otherwise."""

    def refused(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied")
        return usual(path)

    usual = os.scandir
    monkeypatch.setattr(os, "scandir", refused)
    assert images(folder, folder) == ["a.PNG", "b.png", "c.jpg", "inner"]
    assert images(f"{folder}/i*", folder) == ["inner"]
    with pytest.raises(EdgeError, match="inner can't be read") as caught:
        listing(folder / "inner")
    assert caught.value.code == "image.unreadable"
