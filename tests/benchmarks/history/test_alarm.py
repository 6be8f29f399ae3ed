"""An alarm reaches the user's command, and a command that fails, hangs or floods is said within bounds."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.history.alarm import send
from benchmarks.measurement import Word
from edge.errors import EdgeError
from tests.benchmarks.history.samples import FIRST, OTHER, verdict


def python(script: str, *words: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, words)]


def failure(command: list[str], seconds: float = 20.0) -> str:
    with pytest.raises(EdgeError, match="the alarm did not go out") as raised:
        send(command, FIRST, [verdict()], seconds)
    assert raised.value.code == "alarm.failed"
    return str(raised.value)


def test_the_command_gets_the_verdicts_as_json(tmp_path: Path) -> None:
    verdicts = [verdict(Word.REGRESSED), verdict(Word.DEVICE_DOWN, OTHER, 'a "quoted" naïve reason')]
    script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    send(python(script, tmp_path / "letter; rm -rf $HOME"), FIRST, verdicts)
    letter = json.loads((tmp_path / "letter; rm -rf $HOME").read_bytes())
    assert letter == {"night": FIRST, "verdicts": [each.record() for each in verdicts]}


def test_a_command_need_not_read_nor_be_quiet() -> None:
    send(python("print('x' * 10**6)"), FIRST, [verdict(reason="x" * 10**6)])


def test_a_failing_command_is_said_with_status_and_complaint() -> None:
    said = failure(python("import sys; sys.exit('no route to \\x1b mail server')"))
    assert "ended with exit status 1" in said
    assert "no route to \\x1b mail server" in said


def test_of_a_flood_the_end_is_kept() -> None:
    said = failure(python("import sys; sys.stderr.write('x' * 10**7 + ' the reason'); sys.exit(3)"))
    assert "exit status 3" in said
    assert "the reason" in said
    assert len(said) < 3000


@pytest.mark.parametrize("command", [[], ["/nowhere/mail"], ["/"], ["null\0character"]])
def test_a_command_that_cannot_be_started_is_said(command: list[str]) -> None:
    with pytest.raises(EdgeError) as raised:
        send(command, FIRST, [verdict()])
    assert raised.value.code == "alarm.failed"


def test_a_command_that_hangs_ends_with_what_it_started(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '1000']); "
        "open(sys.argv[1], 'w').write(str(child.pid)); print('waiting', file=sys.stderr, flush=True); "
        "time.sleep(1000)"
    )
    said = failure(python(script, tmp_path / "pid"), seconds=3)
    assert "not ended within 3 s" in said
    assert "waiting" in said
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(child)


def alive(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_child_left_behind_does_not_keep_the_night(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '1000']); "
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )
    send(python(script, tmp_path / "pid"), FIRST, [verdict()])
    child = int((tmp_path / "pid").read_text())
    assert alive(child), "what a command leaves in the background is its own"
    os.kill(child, 9)
