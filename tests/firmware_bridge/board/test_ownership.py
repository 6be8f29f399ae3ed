"""edge-deploy removes and changes nothing but what it made: others' folders, links, things that lie beside its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_bridge.board import board
from tests.edge.processes import Ended
from tests.firmware_bridge.places import Place, refused

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIGDqTGZ0TuhLr/3yRQHGZR9HBjfiU3Pdn9DrgZ0o3xSG"
ACTIONS = (
    ("trust", f"ssh-ed25519 {KEY}", ""),
    ("distrust", "SHA256:x"),
    ("ready", "version: 0.1.0-1", "no", "AAAA", ""),
    ("push", "0" * 64, "1", "1", "version: 0.1.0-1\ntarget: x", "no", ""),
    ("rollback",),
    ("status",),
    ("run", "", "auto", "no"),
    ("remove",),
)
Layout = Callable[[Path], None]


def act(home: Path, folder: str, action: str, *words: str) -> str:
    """Do it as ssh does, without ssh; return what the board says."""
    command = ["/bin/sh", "-c", board.SCRIPT.read_text(), "edge-deploy", "MARK", action, folder, *words]
    environment = {"HOME": str(home), "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stderr == "" or "MARK fail" in done.stdout, done.stderr
    return done.stdout


def tree(folder: Path) -> list[tuple[str, str]]:
    """Everything below, and what it holds or points to."""
    found = []
    for path in sorted([folder, *folder.rglob("*")]):
        content = path.read_text() if path.is_file() and not path.is_symlink() else "folder"
        found.append((str(path.relative_to(folder)), os.readlink(path) if path.is_symlink() else content))
    return found


def write(path: Path, text: str = "mine") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def capistrano(home: Path) -> None:
    write(home / "app/releases/20240101120000/index.html")
    write(home / "app/releases/20240301120000/index.html")
    write(home / "app/shared/secret")
    (home / "app/current").symlink_to("releases/20240301120000")


def empty_releases(home: Path) -> None:
    (home / "app/releases").mkdir(parents=True)


def as_if_ours(home: Path) -> None:
    """All of edge-deploy's names, and no marker."""
    name = "0001-edge-infer-0.1.0-1-x86-64-0123456789ab"
    write(home / f"app/releases/{name}/release", "version: 0.1.0-1")
    write(home / "app/trusted")
    (home / "app/incoming").mkdir()
    (home / "app/current").symlink_to(f"releases/{name}")


def link_to_another(home: Path) -> None:
    capistrano(home)
    (home / "app").rename(home / "elsewhere")
    (home / "app").symlink_to("elsewhere")


def link_to_ours(home: Path) -> None:
    assert "trusted" in act(home, "elsewhere", *ACTIONS[0])
    (home / "app").symlink_to("elsewhere")


def dangling_link(home: Path) -> None:
    (home / "app").symlink_to("nowhere")


def a_file(home: Path) -> None:
    write(home / "app")


def foreign_marker(home: Path) -> None:
    write(home / "app/.edge-deploy", "my notes about deploying")


def linked_marker(home: Path) -> None:
    write(home / "marker", "folder of edge-deploy 1\nmade\n")
    write(home / "app/letter")
    (home / "app/.edge-deploy").symlink_to("../marker")


def hidden_file(home: Path) -> None:
    write(home / "app/.env")


FOREIGN: tuple[Layout, ...] = (
    *(capistrano, empty_releases, as_if_ours, link_to_another, link_to_ours, dangling_link),
    *(a_file, foreign_marker, linked_marker, hidden_file),
)


@pytest.mark.parametrize("layout", FOREIGN)
def test_a_folder_without_the_marker_is_left_as_it_is(tmp_path: Path, layout: Layout) -> None:
    layout(tmp_path)
    before = tree(tmp_path)
    for folder in ("app", "app/", "app//"):
        for action in ACTIONS:
            said = act(tmp_path, folder, *action)
            assert said.count("MARK fail") == 1 and "MARK done" not in said, (action, said)
            assert "app on the board" in said and "--folder" in said, said
            assert tree(tmp_path) == before, action


@pytest.mark.parametrize("folder", ["", "/", "//", ".", "..", "app/..", "../x", "app/./x", "HOME", "HOME/", "HOME//."])
def test_no_folder_of_the_system_or_of_all_the_home_is_taken(tmp_path: Path, folder: str) -> None:
    (tmp_path / "home/app").mkdir(parents=True)
    before = tree(tmp_path)
    for action in ACTIONS:
        said = act(tmp_path / "home", folder.replace("HOME", str(tmp_path / "home")), *action)
        assert said.count("MARK fail") == 1 and "MARK done" not in said, (action, said)
        assert tree(tmp_path) == before, action
    assert "does not say where" in act(Path("relative"), "app", "status")


def ours(home: Path) -> Path:
    """A folder of edge-deploy's with a release, which is not whole."""
    assert "trusted from now on" in act(home, "app", *ACTIONS[0])
    name = "0001-edge-infer-0.1.0-1-x86-64-0123456789ab"
    write(home / f"app/releases/{name}/release", "version: 0.1.0-1")
    write(home / f"app/releases/{name}/digests", f"{'0' * 64}  release\n")
    (home / "app/current").symlink_to(f"releases/{name}")
    return home / "app"


def swap(folder: Path, name: str, by: str) -> None:
    """Put somebody's folder, file or link into the place of what is ours."""
    place, elsewhere = folder / name, folder.parent / "elsewhere"
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    write(elsewhere / "0001-edge-infer-0.1.0-1-x86-64-0123456789ab/letter")
    write(elsewhere / ("0" * 64))
    if by == "link":
        place.symlink_to(elsewhere)
    elif by == "file":
        write(place)
    else:
        write(place / "letter")


@pytest.mark.parametrize(
    ("name", "by"),
    [
        *(("releases", "link"), ("releases", "file"), ("incoming", "link"), ("trusted", "link"), ("trusted", "folder")),
        *(("current", "link"), ("current", "folder"), ("current", "file"), (".next", "folder"), (".trusted", "link")),
    ],
)
def test_what_is_in_the_place_of_ours_is_said_and_stays(tmp_path: Path, name: str, by: str) -> None:
    folder = ours(tmp_path)
    swap(folder, name, by)
    before = tree(tmp_path)
    what = {"link": "is a symbolic link to", "folder": "is a folder", "file": "is a file"}[by]
    for action in (ACTIONS[0], *ACTIONS[2:7]):
        said = act(tmp_path, "app", *action)
        assert f"app/{name} on the board {what}" in said and "move it elsewhere" in said, said
        assert tree(tmp_path) == before, action
    elsewhere = tree(tmp_path / "elsewhere")
    said = act(tmp_path, "app", "remove")
    assert (
        said.endswith("MARK done \n") and name in said and "1 of the things in it were not made by edge-deploy" in said
    )
    assert tree(tmp_path / "elsewhere") == elsewhere
    left = [path for path, _ in tree(folder)]
    assert left == [".", name, *([f"{name}/letter"] if by == "folder" else [])]
    shutil.rmtree(folder)  # what the sentence says, and the way is free
    assert "trusted from now on" in act(tmp_path, "app", *ACTIONS[0])


def test_files_that_lie_beside_and_in_it_stay(tmp_path: Path) -> None:
    folder = ours(tmp_path)
    name = os.readlink(folder / "current").partition("/")[2]
    write(folder / "letter")
    write(folder / "releases/20240101120000/index.html")
    write(folder / "releases/0002-edge-infer-mine/letter")
    write(folder / "releases/.edge-infer-mine/letter")
    write(folder / "incoming/letter")
    (folder / "releases/0003-edge-infer-0.1.0-3-x86-64-0123456789ab").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "elsewhere/release", "version: 9.0.0-1")
    before = [item for item in tree(folder) if item[1] == "mine" or "elsewhere" in item[1]]
    said = act(tmp_path, "app", "status")
    assert f"fact active {name}" in said and "0002" not in said and "0003" not in said
    assert "no earlier release" in act(tmp_path, "app", "rollback")
    write(folder / f"current/{'answers of monday'}.json")
    said = act(tmp_path, "app", "remove")
    assert f"{name} stays, as files in it are not edge-deploy's (answers of monday.json)" in said
    assert "9 of the things in it were not made by edge-deploy (incoming/letter, letter," in said and "6 more" in said
    assert set(before) <= set(tree(folder)) and not (folder / ".edge-deploy").exists()
    assert (folder / f"releases/{name}/answers of monday.json").exists()


def test_a_folder_that_was_there_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    ours(tmp_path)
    assert "was there before and stays" in act(tmp_path, "app", "remove")
    assert tree(tmp_path) == [(".", "folder"), ("app", "folder")]
    (tmp_path / "app/.edge-deploy").touch()  # power went while it was written
    ours(tmp_path)
    shutil.rmtree(tmp_path / "app")
    ours(tmp_path)
    assert "nothing of edge-deploy is left" in act(tmp_path, "app", "remove")
    assert tree(tmp_path) == [(".", "folder")]


def test_a_folder_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    folder = ours(tmp_path)
    os.chown(folder, 65534, 65534)
    before = tree(tmp_path)
    for action in ACTIONS:
        assert "is the folder of another user (nobody)" in act(tmp_path, "app", *action)
    os.chown(folder, 0, 0)
    os.chown(folder / ".edge-deploy", 65534, 65534)
    assert "contains other files" in act(tmp_path, "app", "remove")
    assert tree(tmp_path) == before


def test_over_ssh(place: Place) -> None:
    """The same by the command: refused in one sentence; a place of one's own in a full folder is no circle."""
    capistrano(place.tmp_path)
    place.folder = place.tmp_path / "app"
    before = tree(place.folder)
    for done in (
        place("remove", "board"),
        place.push(place.archive()),
        place("trust", "board", "--key", place.board.signer),
    ):
        refused(done, "contains other files (current, releases, shared)", ".edge-deploy", "nothing was changed there")
    assert tree(place.folder) == before
    told = Ended(place.board.deploy("doctor", "board", "--folder", place.folder))
    assert "FAIL  disk        the folder is full of other files: expected edge-deploy's" in told.out
    for name in ("", "with\nlines"):
        done = Ended(place.board.deploy("status", "board", "--folder", name))
        refused(done, "expected the name of a folder")
