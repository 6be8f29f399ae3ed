"""Ctrl-C at any time, and too little of what a process needs: never a traceback, always the right words."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from edge import shortage
from edge.errors import EdgeError
from tests.edge.processes import Ended, environment, run

resource = pytest.importorskip("resource")
MEGA = 1_000_000
# Sends SIGINT from inside the N-th import after the program's first line, as Ctrl-C can come.
INTERRUPTED = """
import builtins, os, signal, sys
left, real = int(sys.argv.pop(1)), builtins.__import__
def importing(*words, **more):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return real(*words, **more)
import edge.__main__
builtins.__import__ = importing
edge.__main__.main()
"""


def dies_quietly(command, **more) -> int:
    """Run it as from a terminal; return the status."""
    done = subprocess.run(
        command,
        capture_output=True,
        env=environment(**more),
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stderr == b"" and done.stdout == b"", (done.stdout, done.stderr)
    return done.returncode


@pytest.mark.parametrize("number", [1, 40, 400])
def test_ctrl_c_at_any_import(model, picture, number):
    command = [sys.executable, "-c", INTERRUPTED, str(number), "--model", model, picture]
    assert dies_quietly(command) == 130


@pytest.mark.parametrize(
    ("module", "then"), [("numpy", "raise ImportError('interrupted')"), ("PIL", "import time; time.sleep(9)")]
)
def test_ctrl_c_inside_a_package_that_hides_it(tmp_path, picture, module, then):
    """numpy makes an ImportError of it."""
    body = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n" + then
    (tmp_path / f"{module}.py").write_text(body + "\n")
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import edge.__main__ as it; it.main()",
        picture,
    ]
    assert dies_quietly(command) == 130


def test_where_ctrl_c_is_ignored_it_stays_so(model, picture):
    """`nohup` and shells' background processes."""
    command = [sys.executable, "-c", INTERRUPTED, "40", "--model", model, "--json", picture]
    done = subprocess.run(
        command, capture_output=True, env=environment(), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert done.returncode == 0 and json.loads(done.stdout)["decision"]


def limited(what: int, value: int, *words: object) -> Ended:
    return run(*words, preexec_fn=lambda: resource.setrlimit(what, (value, value)))


@pytest.mark.parametrize("megabytes", [40, 70, 88])
def test_too_little_memory_is_one_sentence(model, picture, megabytes):
    pytest.importorskip("ai_edge_litert")
    if not np.__version__.startswith("1."):
        pytest.skip("the OpenBLAS in numpy 2 ends the process or waits by itself where it gets no memory")
    done = limited(resource.RLIMIT_AS, megabytes * MEGA, "--model", model, "--json", picture)
    if done.status == 0:
        pytest.skip(f"{megabytes} MB are enough here")
    assert done.status == 2 and len(done.complaints) == done.err.count("\n") == 1
    assert "the memory is full" in done.err or "threads can't be started" in done.err
    said = [(record["image"], record["error"]["code"]) for record in map(json.loads, done.out.splitlines())]
    assert said in ([(str(picture), "memory")], [])


def test_too_few_descriptors_are_one_sentence(model, picture):
    done = limited(resource.RLIMIT_NOFILE, 6, "--model", model, "--json", picture)
    if done.status == 0 or "Fatal Python error" in done.err:
        pytest.skip("this Python or this runtime does with fewer, or does not start")
    assert done.status == 2 and done.err == "edge-infer: too few files may be open at once: allow more (`ulimit -n`)\n"
    assert json.loads(done.out)["error"]["code"] == "descriptors"


def test_threads_that_cannot_be_started_are_not_waited_for(monkeypatch):
    before = threading.active_count()
    shortage.hold_threads(1, 1 << 60)
    shortage.hold_threads(4, 1000)
    assert threading.active_count() == before
    real, started = threading.Thread.start, []

    def start(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(EdgeError, match=r"4 threads can't be started here.*--threads 1") as caught:
        shortage.hold_threads(4, 1000)
    assert caught.value.code == "memory" and threading.active_count() == before
    with pytest.raises(EdgeError, match="2 threads can't be started here"):
        shortage.hold_threads(2, 1 << 60)


def test_what_lies_behind_an_error_is_said(monkeypatch):
    broken, damaged = EdgeError("broken", "runtime.broken"), EdgeError("damaged", "image.damaged")
    unreadable = EdgeError("unreadable", "model.unreadable")
    assert [shortage.explained(error) for error in (broken, damaged, unreadable)] == [broken, damaged, unreadable]
    monkeypatch.setattr(shortage, "lacks_memory", lambda: True)
    codes = [shortage.explained(error).code for error in (broken, damaged, unreadable)]
    assert codes == ["memory", "image.damaged", "memory"]

    def full(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", full)
    assert shortage.explained(broken).code == "descriptors"
