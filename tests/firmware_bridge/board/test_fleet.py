"""Several boards in one command: a line and an exit status for each, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import EdgeError
from firmware_bridge.board import fleet
from firmware_bridge.release.release import File
from tests.edge.processes import Ended
from tests.firmware_bridge import releases
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place

# Answers with its image's length, and has no answer for an empty one, as edge-infer would say it.
PROGRAM = """#!/bin/sh
case "$*" in *--check*) sleep {seconds}; echo "1 of 1 golden vectors passed"; exit ;; esac
output=
while [ $# -gt 0 ]; do if [ "$1" = --output ]; then output=$2; fi; shift; done
count=$(wc -c)
if [ "$count" = 0 ]; then
  echo '{{"image": "-", "error": {{"code": "image.empty", "message": "the image on standard input is empty: draw"}}}}'
  echo "edge-infer: the image on standard input is empty: draw" >&2
  exit 2
fi
echo "warning: -: the image on standard input is small" >&2
if [ -n "$output" ]; then printf mask >"$output/stdin.mask.png"; printf '{{}}' >"$output/stdin.json"; fi
echo '{{"image": "-", "bytes": '$count'}}'
"""


class Several(Place):
    """Three boards, each with a home of its own; `away` is a fourth that is not there."""

    def __init__(self, boards: dict[str, LocalBoard], tmp_path: Path) -> None:
        super().__init__(boards["bench"], tmp_path)
        self.homes = {name: board.folder / "home" for name, board in boards.items()}

    def __call__(self, *words: object) -> Ended:
        return Ended(self.board.deploy(*words))

    def release(self, number: int, seconds: float = 0, models: tuple[str, ...] = ("one",), **more: File) -> Path:  # type: ignore[override]
        files = {**releases.payload(), "bin/edge-infer": File(PROGRAM.format(seconds=seconds).encode(), True)}
        del files["models/one.tflite"]
        files |= {f"models/{name}.tflite": File(name.encode()) for name in models} | more
        folder = self.tmp_path / str(number)
        folder.mkdir()
        return releases.make(folder, self.board.signer, releases.release_of(f"0.1.0-{number}"), files)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LocalBoard]]:
    boards = {}
    for name in ("bench", "ward", "theatre"):
        folder = tmp_path_factory.mktemp(name)
        boards[name] = LocalBoard(folder)
    first = boards["bench"]
    hosts = [board.config.read_text().replace("Host board", f"Host {name}") for name, board in boards.items()]
    first.config.write_text("\n".join(hosts) + "\nHost away\n HostName 127.0.0.1\n Port 1\n")
    yield boards
    for board in boards.values():
        board.stop()


@pytest.fixture
def several(machines: dict[str, LocalBoard], tmp_path: Path) -> Iterator[Several]:
    place = Several(machines, tmp_path)
    yield place
    place("remove", *place.homes)


def ends(done: Ended, *hosts: str) -> dict[str, int]:
    """The exit status of each host, by the last line about it; every line is of one of them."""
    lines = [line.partition(": ") for line in done.out.splitlines()]
    assert {host for host, _, _ in lines} <= set(hosts), done.out
    return {host: int(text.removeprefix("exit status ")) for host, _, text in lines if text.startswith("exit status ")}


def test_a_line_and_a_status_for_each(several: Several) -> None:
    key = several.board.signer
    done = several("trust", "bench,ward", "away", "--key", key)
    assert done.status == 2 and ends(done, "bench", "ward", "away") == {"bench": 0, "ward": 0, "away": 2}
    assert "edge-deploy: away can't be reached (" in done.err
    assert done.err.endswith("edge-deploy: 1 of 3 hosts failed (away): expected none; see their lines\n")
    archive = several.release(1, models=("one", "two"), **{"models/default": File(b"two\n")})
    done = several("push", "x86-64", *several.homes, "--archive", archive)
    assert done.status == 2 and ends(done, *several.homes) == {"bench": 0, "ward": 0, "theatre": 2}
    assert "theatre: the board trusts no key yet" in done.err and done.out.count(": signature verified") == 2
    done = several("status", "theatre", "ward", "bench", "--json")
    found = {record["host"]: record for record in map(json.loads, done.out.splitlines())}
    assert done.status == 0 and set(found) == set(several.homes)
    assert found["theatre"]["active"] is None and found["bench"]["models"] == ["one", "two"]
    assert found["bench"]["default"] == "two" and found["bench"]["exit_status"] == 0
    assert found["bench"]["trusted"][0]["fingerprint"].startswith("SHA256:")
    done = several("push", "x86-64", "bench", "theatre", "--archive", several.release(2), "--json")
    records = {record["host"]: record for record in map(json.loads, done.out.splitlines())}
    assert done.status == 2 and records["theatre"]["error"]["code"] == "board.refused"
    gone = "models of the active release that this one lacks: two; edge-deploy rollback restores them"
    assert records["bench"]["exit_status"] == 0 and records["bench"]["messages"][0] == gone
    assert ends(several("rollback", "bench", "ward"), "bench", "ward") == {"bench": 0, "ward": 2}
    done = several("doctor", "bench", "away", "--json")
    records = {record["host"]: record for record in map(json.loads, done.out.splitlines())}
    checks = {finding["subject"]: finding["check"] for finding in records["bench"]["findings"]}
    assert checks["trust"] == "ok" and set(checks.values()) <= {"ok", "failed", "unknown"}
    assert records["away"]["exit_status"] == 2 and records["away"]["error"]["code"] == "board.unreachable"
    for words in (["bench", "bench"], ["bench,ward,bench"]):
        assert "bench was named twice: expected each host once" in several("status", *words).err


def test_images_of_many_kinds_of_several_boards(several: Several) -> None:
    assert several("trust", "bench", "ward", "--key", several.board.signer).status == 0
    assert several("push", "x86-64", "bench", "ward", "--archive", several.release(1)).status == 0
    images, output = several.tmp_path / "images", several.tmp_path / "answers"
    (images / "deep").mkdir(parents=True)
    for name, data in {"a.png": b"123", "deep/b.png": b"12345", "empty.png": b"", "letter.txt": b"dear"}.items():
        (images / name).write_bytes(data)
    one = several("run", "bench", images / "deep/b.png")
    assert (one.status, json.loads(one.out)) == (0, {"image": str(images / "deep/b.png"), "bytes": 5})
    assert one.err == f"warning: {images}/deep/b.png: {images}/deep/b.png is small\n"
    done = several("run", "bench", images, several.tmp_path / "no.png", "--output", output)
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(record["image"]).name for record in records] == ["a.png", "b.png", "empty.png", "no.png"]
    assert [record.get("error", {}).get("code") for record in records] == [None, None, "image.empty", "image.missing"]
    assert records[2]["error"]["message"] == f"{images}/empty.png is empty: draw"
    assert done.status == 2 and "2 of 4 images have no answer" in done.err and "1 .txt" in done.err
    assert f"edge-deploy: bench: {images}/empty.png is empty: draw\n" in done.err
    assert (output / "a.mask.png").read_bytes() == b"mask"
    assert json.loads((output / "deep/b.json").read_text())["bytes"] == 5
    assert json.loads((output / "empty.json").read_text())["error"]["code"] == "image.empty"
    assert not (output / "empty.mask.png").exists()
    assert [name for name in os.listdir("/dev/shm") if name.startswith("edge-infer.")] == []
    both = several("run", "bench,ward", images / "a.png", "--output", output)
    assert both.status == 0
    assert {record["host"] for record in map(json.loads, both.out.splitlines())} == {"bench", "ward"}
    assert (output / "bench/a.mask.png").exists() and (output / "ward/a.json").exists()
    assert "bench: exit status 0" in both.err and "ward: exit status 0" in both.err
    assert "standard input can be read once" in several("run", "bench,ward", "-").err
    nothing = several("run", "bench", images / "no*")
    assert nothing.status == 2 and nothing.err.count("\n") == 1 and "matches no file" in nothing.err
    assert json.loads(nothing.out)["error"]["code"] == "image.missing"


def test_a_ctrl_c_ends_all_of_them(several: Several) -> None:
    assert several("trust", *several.homes, "--key", several.board.signer).status == 0
    archive = several.release(1, seconds=30)
    process = several.board.start("push", "x86-64", *several.homes, "--archive", archive)
    assert process.stdout is not None
    for _ in several.homes:
        assert b": signature verified" in process.stdout.readline()
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - begun < 10
    assert b"interrupted; the same command goes on" in err and b"Traceback" not in err
    running = subprocess.run(["ps", "-eo", "args", "ww"], capture_output=True, text=True, check=True).stdout
    assert str(several.board.config) not in running
    assert several("status", *several.homes).status == 0


def test_more_hosts_than_are_asked_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    hosts = [f"host{number}" for number in range(3 * fleet.AT_ONCE)]
    boards, at_work, most = fleet.Fleet(hosts, "folder"), [], []

    def act(here: fleet.Board) -> None:
        at_work.append(here.host)
        most.append(len(at_work))
        here.log("one")
        time.sleep(0.01)
        here.log("two")
        at_work.remove(here.host)
        if here.host in ("host3", "host7"):
            raise EdgeError("no", "board.refused")

    boards.each(act, more=True)
    out = capsys.readouterr().out.splitlines()
    assert out.count("host3: exit status 2") == 1 and "host4: exit status 0" not in out
    with pytest.raises(EdgeError, match="2 of 24 hosts failed"):
        boards.each(act)
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.startswith("host4: ")] == ["host4: one", "host4: two", "host4: exit status 0"]
    assert not any(line.startswith(("host3: ", "host7: ")) for line in out)
    assert max(most) <= fleet.AT_ONCE


def test_a_fault_of_the_program_is_shown_in_the_thread_that_can() -> None:
    with pytest.raises(ZeroDivisionError):
        fleet.Fleet(["one", "two"], "folder").each(lambda here: print(1 // 0))
