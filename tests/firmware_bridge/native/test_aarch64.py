"""The native program on 64-bit Arm computes what it does on this machine, to the bit, for every shipped model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from edge.model import read, shipped
from tests.edge.pictures import blobs, encoded, png
from tests.edge.processes import ROOT, Ended, environment
from tests.firmware_bridge.comparison import same_records
from tests.firmware_bridge.native import aarch64

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(300)]
MODELS = [Path(path).stem for path in shipped()]
CPUS = ["cortex-a72", "cortex-a76", "max"]  # a Pi 4's, without int8 dot products; a Pi 5's; all that is emulated


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    """A function that runs the Arm program as one kind of processor."""
    aarch64.require_tools()
    library, program = aarch64.litert(), aarch64.build(tmp_path_factory.mktemp("aarch64"))

    def run(cpu, *words):
        command = ["qemu-aarch64", "-cpu", cpu, "-L", aarch64.SYSTEM, program, *map(str, words)]
        environ = environment(EDGE_INFER_LITERT=str(library), EDGE_INFER_MODELS=str(ROOT / "edge/models"))
        return Ended(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=300))

    return run


def test_all_models_are_meant():
    assert {"bpcp", "cpgresnet50", "pneumonia", "polyp"} <= set(MODELS)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", MODELS)
def test_every_golden_vector_is_bit_exact(arm, name, cpu):
    done = arm(cpu, "--model", name, "--check", "--json", "--threads", 1)
    assert done.status == 0, done.err + done.out
    verdicts = [json.loads(line) for line in done.out.splitlines()]
    assert len(verdicts) == len(read(ROOT / f"edge/models/{name}.tflite").manifest.golden) > 0
    for verdict in verdicts:
        assert (verdict["verdict"], verdict["kernel_path"], verdict["max_difference"]) == ("bit-exact", "xnnpack", 0)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", MODELS)
def test_pictures_are_answered_and_drawn_the_same(arm, programs, tmp_path, name, cpu):
    (tmp_path / "blobs.png").write_bytes(png(blobs(500, 700)))
    (tmp_path / "large.jpg").write_bytes(encoded(Image.fromarray(blobs(1100, 1500)), "JPEG"))
    pictures = [ROOT / "docs/phantom.png", ROOT / "docs/colon.jpg", tmp_path / "blobs.png", tmp_path / "large.jpg"]
    words = ("--model", name, "--json", "--threads", 1, *pictures, "--output")
    mine, theirs = programs["native"](*words, tmp_path / "x86"), arm(cpu, *words, tmp_path / "arm")
    # The board's own description and the runtime's version are what differs.
    records = [[json.loads(line) for line in done.out.splitlines()] for done in (mine, theirs)]
    for lines in records:
        for record in lines:
            record["board"] = record["runtime"] = None
    for done, lines in zip((mine, theirs), records, strict=True):
        done.out = "".join(json.dumps(record) + "\n" for record in lines)
    assert len(same_records(mine, theirs)) == len(pictures) and theirs.status == 0
    drawn = sorted(path.name for path in (tmp_path / "x86").glob("*.*") if path.suffix in (".png", ".jpg"))
    assert len(drawn) == (2 * len(pictures) if name == "polyp" else 0)
    for file in drawn:
        assert (tmp_path / "arm" / file).read_bytes() == (tmp_path / "x86" / file).read_bytes(), file
