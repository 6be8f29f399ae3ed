"""A peer's process, in the peer's own environment; started as a file: `python -I worker.py ROLE RUNTIME ...`.

    convert RUNTIME FOLDER KIND MACHINE              make its file for a machine; says {"file"}
    cold RUNTIME PATH INPUTS                         one answer from a fresh process; says {"phases"}
    turns RUNTIME PATH INPUTS THREADS                loads, says {"version"}, and then does what a line asks for:
        answer FILE                                  all images; real numbers into FILE (.npy); says {}
        run N                                        an uncounted invoke, then N; says {"ms": [...]}
    budget RUNTIME PATH INPUTS                       all images, an invoke more, and a fresh process that gives one
                                                     answer; says {"version", "answer" (base64 of float32), "ms",
                                                     "cold_ms", "memory_mb"}

What it says is JSON, a line each. INPUTS is a .npy of float32 (images, height, width, channels).
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any


def main(words: list[str]) -> None:
    """Do what the words say."""
    # Of this project nothing but this folder is to be found: what else lies beside it belongs to another environment.
    for name, folder in (("benchmarks", Path(__file__).parents[1]), ("benchmarks.peers", Path(__file__).parent)):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # runtimes print as they like
    role, runtime, *rest = words
    {"convert": _convert, "cold": _cold, "turns": _turns, "budget": _budget}[role](runtime, rest, say)


def _convert(runtime: str, rest: list[str], say: Any) -> None:
    folder, kind, machine = rest
    _say(say, {"file": _module(runtime).convert(Path(folder), kind, machine)})


def _cold(runtime: str, rest: list[str], say: Any) -> None:
    path, inputs = rest
    begun = time.perf_counter()
    import numpy as np

    peer = _module(runtime)
    image = np.load(inputs, allow_pickle=False)[:1]
    runner = peer.load(Path(path), 1)
    loaded = time.perf_counter()
    runner.real(runner.run(runner.prepare(image)))
    ended = time.perf_counter()
    _say(say, {"phases": {"import and load": (loaded - begun) * 1e3, "first invoke": (ended - loaded) * 1e3}})
    say.flush()
    os._exit(0)  # as a program does that has its answer


def _turns(runtime: str, rest: list[str], say: Any) -> None:
    import numpy as np

    path, inputs, threads = rest
    images = np.load(inputs, allow_pickle=False)
    runner = _module(runtime).load(Path(path), int(threads))
    tensors = [runner.prepare(images[number : number + 1]) for number in range(len(images))]
    _say(say, {"version": runner.version})
    for line in sys.stdin:
        word, value = line.split(maxsplit=1)
        if word == "answer":
            answers = [np.array(runner.real(runner.run(tensor)), np.float32).reshape(-1) for tensor in tensors]
            np.save(value.strip(), np.stack(answers))
            _say(say, {})
        else:
            _say(say, {"ms": _times(runner, tensors[0], int(value))})


def _budget(runtime: str, rest: list[str], say: Any) -> None:
    """Everything once: where the clock counts instructions, a second time says the same."""
    import numpy as np

    path, inputs = rest
    images = np.load(inputs, allow_pickle=False)
    runner = _module(runtime).load(Path(path), 1)
    tensors = [runner.prepare(images[number : number + 1]) for number in range(len(images))]
    answers = [np.array(runner.real(runner.run(tensor)), np.float32).reshape(-1) for tensor in tensors]
    begun = time.perf_counter()
    runner.run(tensors[0])
    ended = time.perf_counter()
    begun_cold = time.perf_counter()  # what it reads from the disk is in memory by now
    cold = subprocess.Popen([sys.executable, "-I", __file__, "cold", runtime, path, inputs], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(cold.pid, 0)
    ended_cold = time.perf_counter()
    cold.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"a fresh process gives no answer (status {cold.returncode})")
    found = {"version": runner.version, "answer": base64.b64encode(np.stack(answers).tobytes()).decode()}
    found |= {"ms": (ended - begun) * 1e3, "cold_ms": (ended_cold - begun_cold) * 1e3}
    _say(say, {**found, "memory_mb": usage.ru_maxrss * 1024 / 1e6})


def _times(runner: Any, tensor: Any, count: int) -> list[float]:
    runner.run(tensor)
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        runner.run(tensor)
        found.append((time.perf_counter() - begun) * 1e3)
    return found


def _module(runtime: str) -> Any:
    return importlib.import_module(f"benchmarks.peers.runtimes.{runtime}")


def _say(say: Any, what: object) -> None:
    say.write(json.dumps(what) + "\n")
    say.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
