"""A route's process: what it gives, and what is said of one that ends early. Programs of a few lines stand for one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.convert.routes.process import CACHE, Worker, converted
from compress.convert.routes.route import Source
from edge.errors import EdgeError

_CONVERTER = """
import os, sys
work, done = sys.argv[1], int(sys.argv[2])
for number in open(f"{work}/numbers").read().split():
    with open(f"{work}/{number}/network", "rb") as given, open(f"{work}/{number}.tflite", "wb") as file:
        file.write(b"made of " + given.read())
    os.write(done, f"{number}\\n".encode())
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Worker]:
    monkeypatch.delenv(CACHE, raising=False)

    def made(program: str) -> Worker:
        file = tmp_path / "worker.py"
        file.write_text(program)
        return Worker("by hand", [sys.executable, "-I"], file, {"tool": "1"}, {"WORD": "said"})

    return made


def prepare(source: Source, place: Path) -> bytes:
    """The bias of the network says which it is."""
    assert isinstance(source.network, nn.Linear)
    what = str(int(source.network.bias[0])).encode()
    (place / "network").write_bytes(what)
    return what


def sources(*biases: int) -> list[Source]:
    networks = [nn.Linear(1, 1) for _ in biases]
    with torch.no_grad():
        for network, bias in zip(networks, biases, strict=True):
            network.bias.fill_(bias)
    return [Source(network, (torch.zeros(1, 1),)) for network in networks]


def test_files_come_in_order_and_the_kept_ones_without_the_process(
    worker: Callable[[str], Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(converted(worker(_CONVERTER), sources(1, 2, 3), prepare))
    assert [one.flatbuffer for one in made] == [b"made of 1", b"made of 2", b"made of 3"]
    assert all(one.seconds > 0 for one in made)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    list(converted(worker(_CONVERTER), sources(2), prepare))
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(b"kept")
    again = converted(worker(_CONVERTER), sources(1, 2, 3), prepare)
    assert [one.flatbuffer for one in again] == [b"made of 1", b"kept", b"made of 3"]
    newer = worker(_CONVERTER)._replace(tools={"tool": "2"})
    assert [one.flatbuffer for one in converted(newer, sources(2), prepare)] == [b"made of 2"]


def test_a_process_whose_files_nobody_wants_any_more_ends(worker: Callable[[str], Worker], tmp_path: Path) -> None:
    pid = str(tmp_path / "pid")
    program = f"import os, signal\nopen({pid!r}, 'w').write(str(os.getpid()))\n{_CONVERTER}\nsignal.pause()"
    files = converted(worker(program), sources(1, 2), prepare)
    assert next(files).flatbuffer == b"made of 1"
    files.close()  # type: ignore[attr-defined]
    assert not Path("/proc", Path(pid).read_text()).exists()


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (
            "os.kill(os.getpid(), 9)",
            "conversion.killed",
            "of the route by hand was killed: .*free memory",
        ),
        (
            "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); bytearray(1 << 29)",
            "conversion.killed",
            "the converter of the route by hand ran out of memory: expected some gigabytes",
        ),
        ("os.kill(os.getpid(), 11)", "conversion.killed", r"was ended by SIGSEGV \(a word first\)"),
        (
            "print('TypeError: no operator for \\x1b[1m it', flush=True); print('and more'); sys.exit(3)",
            "conversion.operator",
            r"by the route by hand \(exit status 3\): TypeError: no operator for \\x1b\[1m it; see which operators",
        ),
        (
            "import no_such_module",
            "conversion.missing",
            r"lacks a part of itself \(ModuleNotFoundError: No module named",
        ),
        ("sys.exit(os.environ['WORD'])", "conversion.operator", r"\(exit status 1\): said; see"),
        ("sys.exit(0)", "conversion.operator", r"\(exit status 0\): a word first; see"),
    ],
)
def test_a_process_that_ends_early(worker: Callable[[str], Worker], end: str, code: str, said: str) -> None:
    program = f"print('a word first', flush=True)\n{_CONVERTER}    {end}"
    files = converted(worker(program), sources(1, 2), prepare)
    assert next(files).flatbuffer == b"made of 1"
    with pytest.raises(EdgeError, match=said) as raised:
        next(files)
    assert raised.value.code == code


def test_what_can_not_be_prepared_is_said_behind_the_files_before_it(worker: Callable[[str], Worker]) -> None:
    def prepared(source: Source, place: Path) -> bytes:
        assert isinstance(source.network, nn.Linear)
        if source.network.bias[0] == 2:
            raise EdgeError("the second can't be exported", "conversion.operator")
        return prepare(source, place)

    files = converted(worker(_CONVERTER), sources(1, 2, 3), prepared)
    assert next(files).flatbuffer == b"made of 1"
    with pytest.raises(EdgeError, match="the second can't be exported"):
        next(files)
