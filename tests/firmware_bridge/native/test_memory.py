"""What the native program holds in memory, and what comes of a model file that changes meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from edge.model import find
from tests.edge.pictures import grey_ramp, png
from tests.edge.processes import ROOT, environment
from tests.firmware_bridge.comparison import same_records
from tests.firmware_bridge.conftest import SANITIZED, library

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers need memory of their own")
LARGE = ["cpgresnet50", "pneumonia", "polyp"]  # networks; the tables of bpcp, for 32x32, are of 0.4 MB


def peak(run, model, *words):
    done = run("--model", model, ROOT / "docs/phantom.png", "--json", "--threads", 1, *words)
    assert done.status == 0, done.err
    return json.loads(done.out)["memory_mb"]["peak"]


@pytest.mark.parametrize("name", LARGE)
def test_one_answer_is_the_same_and_takes_less_than_several(programs, name):
    """XNNPACK's tables of addresses are not kept for one answer; they are 1 to 8 MB."""
    words = ("--model", name, "--json", "--threads", 1, ROOT / "docs/phantom.png")
    same_records(programs["python"](*words), programs["native"](*words))
    assert peak(programs["native"], name) + 0.8 < peak(programs["native"], name, "--repeat", 2)


@pytest.mark.parametrize("name", ["bpcp", "pneumonia", "polyp"])
def test_one_answer_takes_the_model_file_and_20_megabytes(programs, name):
    """cpgresnet50 does with LiteRT 2.3, and not with 2.1, whose XNNPACK lays out its workspace worse."""
    assert peak(programs["native"], name) <= os.path.getsize(find(name)) / 1e6 + 20


@pytest.fixture
def waiting(build, tmp_path):
    """A function that starts the program with a model; it has loaded it, and waits for an image on standard input."""
    (tmp_path / "p.png").write_bytes(png(grey_ramp()))
    processes = []

    def start(model):
        process = subprocess.Popen(
            [build / "edge-infer", "--model", model, "--json", tmp_path / "p.png", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(EDGE_INFER_LITERT=str(library())),
        )
        processes.append(process)
        assert process.stdout.readline().startswith(b"{")
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_heap_begins_in_huge_pages(waiting):
    """Else the kernel's work for new pages is a tenth of the time of an answer; nothing else would tell."""
    kernel = Path("/sys/kernel/mm/transparent_hugepage")
    gives = [(kernel / name).read_text() for name in ("enabled", "defrag")] if kernel.is_dir() else ["[never]"]
    if os.sysconf("SC_PAGESIZE") != 4096 or any(f"[{no}]" in text for no in ("never", "defer") for text in gives):
        pytest.skip("this kernel gives no huge pages at once")
    process = waiting(os.path.realpath(find("cpgresnet50")))
    pieces = re.split(r"^[0-9a-f]+-", Path(f"/proc/{process.pid}/smaps").read_text(), flags=re.MULTILINE)
    heap = "".join(piece for piece in pieces if "[heap]" in piece)
    assert sum(map(int, re.findall(r"AnonHugePages: +([0-9]+) kB", heap))) >= 10_000


def test_a_loaded_model_gives_its_file_back(waiting):
    path = os.path.realpath(find("cpgresnet50"))
    process = waiting(path)
    with open(f"/proc/{process.pid}/smaps") as file:
        blocks = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", file.read())
    held = [int(re.search(r"Rss: +(\d+)", block)[1]) for block in blocks if path in block.split("\n")[0]]
    assert held and sum(held) * 1024 < os.path.getsize(path) / 4


@pytest.mark.parametrize("size", [0, 4096])
def test_a_loaded_model_does_not_need_its_file(waiting, tmp_path, size):
    path = tmp_path / "m.tflite"
    path.write_bytes(Path(find("cpgresnet50")).read_bytes())
    process = waiting(path)
    os.truncate(path, size)
    out, err = process.communicate(png(grey_ramp()), timeout=60)
    assert process.returncode == 0 and json.loads(out)["model"]["name"] == "cpgresnet50", err


def test_a_page_that_the_file_has_lost_is_one_sentence(waiting):
    process = waiting(find("pneumonia"))
    process.send_signal(signal.SIGBUS)  # as the kernel does where a mapped file was cut short
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and err.count(b"edge-infer: ") == 1
    assert json.loads(out)["image"] == "-" and json.loads(out)["error"]["code"] == "model.damaged"
    assert b"edge-infer: the model file was cut short while it was used: " in err


def test_a_model_file_that_is_replaced_meanwhile_changes_nothing(waiting, tmp_path, model_bytes):
    path, beside = tmp_path / "m.tflite", tmp_path / "beside"
    path.write_bytes(Path(find("pneumonia")).read_bytes())
    process = waiting(path)
    beside.write_bytes(model_bytes)
    beside.replace(path)
    out, _ = process.communicate(png(grey_ramp()), timeout=60)
    assert process.returncode == 0 and json.loads(out)["model"]["name"] == "pneumonia"
