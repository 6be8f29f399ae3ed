"""Other runtimes inside a virtual Pi: what is asked of it, what fails there, and its table."""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cli
from benchmarks.lab.debian import Unavailable
from benchmarks.peers import command, emulated, environment, process
from benchmarks.peers.emulated import Count
from edge.errors import EdgeError

ANSWER = np.array([1.0, 2.0, 3.0], np.float32)


class Pi:
    """A machine that answers as it is told: by runtime an answer, or an exception."""

    def __init__(self, answers: dict[str, np.ndarray | Exception]) -> None:
        self.answers, self.boots = answers, 0

    def ssh(self, words: str, timeout: float = 60) -> str:
        if "worker.py" not in words:
            return ""
        found = self.answers.get(words.split(" budget ")[1].split()[0], ANSWER)
        if isinstance(found, Exception):
            raise found
        answer = base64.b64encode(found.astype(np.float32).tobytes()).decode()
        return json.dumps({"version": "1.0", "answer": answer, "ms": 4.0, "cold_ms": 800.0, "memory_mb": 50.0})

    def boot(self) -> float:
        self.boots += 1
        return 0.0

    def cut(self) -> None:
        pass


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch) -> Pi:
    machine = Pi({})

    @contextmanager
    def booted(*_: object):  # type: ignore[no-untyped-def]
        yield machine

    monkeypatch.setattr(emulated, "_booted", booted)
    monkeypatch.setattr(emulated, "_drive", lambda *_: Path("drive"))
    monkeypatch.setattr(emulated, "site", lambda name, say: Path(name))
    monkeypatch.setattr(environment, "python", lambda name, say: Path(name))
    monkeypatch.setattr(process, "convert", lambda python, name, folder, kind, machine: folder / f"{name}.{kind}")
    return machine


def counted(folder: Path, *names: str, processors: tuple[str, ...] = ("cortex-a72",)) -> list[Count]:
    return emulated.count([folder], ["litert", *names], processors, lambda text: None)[folder]


def test_what_is_counted(pi: Pi, tmp_path: Path) -> None:
    rows = counted(tmp_path, "ncnn", processors=("cortex-a72", "cortex-a76"))
    assert [(row.processor, row.runtime, row.kind) for row in rows] == [
        (processor, runtime, kind)
        for processor in ("cortex-a72", "cortex-a76")
        for runtime in ("litert", "ncnn")
        for kind in ("int8", "float")
    ]
    ncnn = rows[3]
    assert (ncnn.invoke, ncnn.cold, ncnn.memory_mb) == (2.0, 400.0, 50.0)  # 2 ns an instruction
    assert ncnn.version == "1.0" and ncnn.cosine == pytest.approx(1) and not ncnn.fault
    assert rows[2].fault == "ncnn is not run in int8 here"


def test_what_has_no_wheel_for_arm_says_why(pi: Pi, tmp_path: Path) -> None:
    assert [row.fault for row in counted(tmp_path, "executorch")[2:]] == [environment.peer("executorch").NOT_ON_ARM] * 2


def test_a_wheel_that_pip_can_not_fetch(pi: Pi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def site(name: str, say: object) -> Path:
        if name == "openvino":
            raise EdgeError("no wheel", "environment.failed")
        return Path(name)

    monkeypatch.setattr(emulated, "site", site)
    rows = counted(tmp_path, "openvino", "onnxruntime")
    assert [row.fault for row in rows] == ["", "", "no wheel", "no wheel", "", ""]


@pytest.mark.parametrize(
    ("failure", "said", "boots"),
    [
        (subprocess.CalledProcessError(1, "ssh", "", "Traceback\nImportError: libx.so\n"), "ImportError: libx.so", 0),
        (subprocess.CalledProcessError(137, "ssh", "", ""), "status 137", 0),
        (subprocess.TimeoutExpired("ssh", 900), "did not answer within 900 s", 2),  # each time a machine without it
        (-ANSWER, "its answers are others: cosine -1.000", 0),
    ],
)
def test_a_runtime_that_fails_there(pi: Pi, tmp_path: Path, failure: object, said: str, boots: int) -> None:
    pi.answers["onnxruntime"] = failure  # type: ignore[assignment]
    rows = counted(tmp_path, "onnxruntime", "openvino")
    assert [bool(row.fault) for row in rows] == [False, False, True, True, False, False]
    assert said in rows[2].fault and pi.boots == boots


def test_without_litert_there_is_nothing_to_compare_with(pi: Pi, tmp_path: Path) -> None:
    pi.answers["litert"] = subprocess.CalledProcessError(1, "ssh", "", "no")
    with pytest.raises(EdgeError) as raised:
        counted(tmp_path, "onnxruntime")
    assert raised.value.code == "peers.base"


@pytest.mark.parametrize("error", [Unavailable("no QEMU"), AssertionError("kernel panic")])
def test_no_virtual_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(emulated, "VirtualPi", refused)
    with (
        pytest.raises(EdgeError, match=str(error)) as raised,
        emulated._booted(tmp_path, "cortex-a72", tmp_path, lambda text: None),
    ):
        pass
    assert raised.value.code == "board.emulator"


def test_the_table_says_who_executes_fewer() -> None:
    def one(runtime: str, kind: str, invoke: float, fault: str = "") -> Count:
        return Count("cortex-a76", runtime, kind, "1.0", 0.999, invoke, 450.0, 42.0, fault)

    rows = [
        one("litert", "int8", 5.0),
        one("litert", "float", 5.05),
        one("onnxruntime", "int8", 4.0),
        one("ncnn", "float", 8.0),
        one("executorch", "int8", 0.0, "none for Arm"),
    ]
    found = command.budget_lines("bpcp", rows)
    assert all(len(line) == len(command.BUDGET_HEADER) for line in found)
    assert [(line[2].split()[0], line[4], line[-1]) for line in found] == [
        ("onnxruntime", "0.80", command.FEWER),
        ("LiteRT", "1.00", "the base"),
        ("LiteRT", "1.01", "the same"),
        ("ncnn", "1.60", "more"),
        ("ExecuTorch", "-", "none for Arm"),
    ]


@pytest.mark.qemu
@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("workplace")
def test_litert_on_a_virtual_pi(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["peers", "bpcp", "--only", "litert", "--virtual-pi", "cortex-a76"]) == 0
    found = capsys.readouterr().out
    millions = {}
    for line in found.splitlines():
        if line.startswith("| bpcp | cortex-a76 | LiteRT "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            millions[cells[2].split()[1]] = float(cells[3])
    assert 2 < millions["int8"] < millions["float"] < 20  # its MACs are 7.5 millions
    assert "0 of 2 rows have no numbers" in found
