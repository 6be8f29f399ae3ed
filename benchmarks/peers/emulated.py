"""The same networks in other runtimes on a virtual Pi: how many instructions each executes.

Python is Debian's, each runtime is its wheel for 64-bit Arm from the package index, all on one disk that the machine
reads. Its clock counts instructions, so one run says what every other run would say. Instructions are nobody's time:
a vector instruction counts as much as a simple one, and a cache that misses costs nothing.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import environment as environments
from benchmarks.lab import arm_python, virtual_pi
from benchmarks.lab.debian import Unavailable
from benchmarks.lab.virtual_pi import INSTRUCTION_NS, VirtualPi
from benchmarks.peers import environment, measuring
from benchmarks.peers.network import INPUTS
from edge.errors import EdgeError, one_line

PROCESSORS = ("cortex-a72", "cortex-a76")  # a Raspberry Pi 4's and 5's
MEMORY_MB = 2048
ANSWER_SECONDS = 900  # of this machine, for a runtime with one network
# Those that the wheels have: pip compares them by name. Debian 12's C library is 2.36.
TAGS = [f"manylinux_2_{minor}_aarch64" for minor in (35, 34, 28, 27, 17)] + ["manylinux2014_aarch64"]
_ROOT = "/mnt"
_PEERS = Path(__file__).parent
_SHARED = ("worker.py", "runner.py", "graph.py", "tflite_runner.py")
_SPARE_MB = 64


@dataclass
class Count:
    """A runtime with one kind of network on one processor.

    Attributes:
        processor: "cortex-a72".
        runtime, kind, version, cosine: see `measuring.Row`.
        invoke, cold: instructions, in millions: of one invoke, and of a fresh process that gives one answer.
        memory_mb: that process's peak resident set.
        fault: why it has no numbers, or "".
    """

    processor: str
    runtime: str
    kind: str
    version: str = ""
    cosine: float = 0.0
    invoke: float = 0.0
    cold: float = 0.0
    memory_mb: float = 0.0
    fault: str = ""

    @property
    def title(self) -> str:
        return f"{environment.peer(self.runtime).TITLE} {self.kind}"


def count(
    folders: Sequence[Path], names: Sequence[str], processors: Sequence[str], say: Callable[[str], None]
) -> dict[Path, list[Count]]:
    """Return by network folder a count for each processor, runtime and kind; LiteRT int8 is each processor's first.

    Raises EdgeError ("board.emulator") where no virtual Pi can be made here, ("peers.base") where LiteRT itself can't
    be measured.
    """
    asked, files = {}, {}
    for folder in folders:
        rows, made = measuring.converted(folder, names, arm_python.ARCHITECTURE, say)
        asked[folder] = [Count("", row.runtime, row.kind, fault=row.fault) for row in rows]
        files[folder] = {key: path for key, (_, path) in made.items()}
    sites = _sites(asked, say)
    found: dict[Path, list[Count]] = {folder: [] for folder in folders}
    with tempfile.TemporaryDirectory(prefix="edge-bench-", dir=folders[0].parent) as work:
        say("writing the disk of the virtual Pi")
        drive = _drive(Path(work), sites, {folder: list(made.values()) for folder, made in files.items()})
        for processor in processors:
            with _booted(Path(work), processor, drive, say) as pi:
                for folder, counts in asked.items():
                    mine = [replace(one, processor=processor) for one in counts]
                    _fill(pi, folder, mine, files[folder], say)
                    found[folder] += mine
    return found


def _sites(asked: dict[Path, list[Count]], say: Callable[[str], None]) -> dict[str, Path]:
    """Return by runtime the folder of its packages for Arm; where pip can't have them that is each row's fault."""
    found: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for one in (one for counts in asked.values() for one in counts if not one.fault):
        if one.runtime not in found and one.runtime not in refused:
            try:
                found[one.runtime] = site(one.runtime, say)
            except EdgeError as error:
                refused[one.runtime] = str(error)
        one.fault = refused.get(one.runtime, "")
    return found


def site(runtime: str, say: Callable[[str], None]) -> Path:
    """Return the folder of a runtime's packages for 64-bit Arm, which pip fills where it is not there yet."""
    name = f"{runtime}-arm"
    target = (environments.FOLDER / name / "packages").resolve()
    options = [f"--target={target}", "--only-binary=:all:", f"--python-version={arm_python.VERSION}"]
    options += [f"--platform={tag}" for tag in TAGS]
    environments.ready(name, [*options, *environment.peer(runtime).REQUIREMENTS], lambda text: say(f"{text}\n"))
    return target


def _drive(work: Path, sites: dict[str, Path], files: dict[Path, list[Path]]) -> Path:
    """Write the disk: Python, an environment for each runtime, the networks' files, the worker."""
    content = work / "content"
    content.mkdir(mode=0o755)
    arm_python.interpreter(content)
    for name, packages in sites.items():
        place = content / "env" / name
        (place / "bin").mkdir(parents=True)
        (place / "bin/python").symlink_to(f"{_ROOT}/usr/bin/python{arm_python.VERSION}")
        (place / "pyvenv.cfg").write_text(f"home = {_ROOT}/usr/bin\n")
        inside = place / f"lib/python{arm_python.VERSION}/site-packages"
        shutil.copytree(packages, inside, symlinks=True, copy_function=os.link)
    peers = content / "benchmarks/peers"
    shutil.copytree(_PEERS / "runtimes", peers / "runtimes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _SHARED:
        shutil.copy(_PEERS / name, peers)
    for folder, paths in files.items():
        inside = content / "networks" / folder.name
        inside.mkdir(parents=True)
        shutil.copy(folder / INPUTS, inside)
        for path in {found for made in paths for found in folder.glob(f"{made.stem}.*")}:  # weights or steps beside it
            shutil.copy(path, inside)
    whole = sum(path.lstat().st_size for path in content.rglob("*"))
    virtual_pi.make_disk(content, work / "drive", round(whole * 1.2 / 1e6) + _SPARE_MB)
    return work / "drive"


@contextmanager
def _booted(work: Path, processor: str, drive: Path, say: Callable[[str], None]) -> Iterator[VirtualPi]:
    """Boot a machine with the disk at _ROOT; it is gone in the end."""
    say(f"{processor}: booting a virtual Pi")
    (work / processor).mkdir()
    with ExitStack() as stack:
        try:
            pi = VirtualPi(work / processor, processor, MEMORY_MB, counts=True, drive=drive)
            stack.callback(pi.cut)
            _boot(pi)
        except (Unavailable, AssertionError, subprocess.CalledProcessError) as error:
            said = one_line((str(error).strip().splitlines() or ["no word of why"])[-1])[:200]
            raise EdgeError(f"no virtual Pi can be had here ({said}): expected QEMU", "board.emulator") from None
        yield pi


def _boot(pi: VirtualPi) -> None:
    pi.boot()
    pi.ssh(f"busybox mount -o ro /dev/vdb {_ROOT}")


def _fill(
    pi: VirtualPi, folder: Path, counts: Sequence[Count], files: dict[tuple[str, str], Path], say: Callable[[str], None]
) -> None:
    base: np.ndarray | None = None
    for one in counts:
        if one.fault:
            continue
        say(f"{folder.name}: {one.processor}: counting {one.title}")
        try:
            answer = _ask(pi, one, f"{_ROOT}/networks/{folder.name}", files[one.runtime, one.kind].name)
            base = answer if base is None else base
            one.cosine = measuring.cosine(base, answer)
            measuring.same(one.cosine)
        except EdgeError as error:
            one.fault = str(error)
        if base is None:
            raise EdgeError(f"LiteRT itself can't be measured: {one.fault}", "peers.base")


def _ask(pi: VirtualPi, one: Count, folder: str, name: str) -> np.ndarray:
    """Fill in a count; return the answers. EdgeError ("peers.run") where there are none."""
    python = f"LD_LIBRARY_PATH={_ROOT}/{arm_python.LIBRARIES} {_ROOT}/env/{one.runtime}/bin/python -I"
    words = f"{_ROOT}/benchmarks/peers/worker.py budget {one.runtime} {folder}/{name} {folder}/{INPUTS}"
    try:
        said = json.loads(pi.ssh(f"{python} {words}", timeout=ANSWER_SECONDS))
    except subprocess.CalledProcessError as failed:
        lines = [line for line in failed.stderr.splitlines() if line.strip()] or [f"status {failed.returncode}"]
        raise EdgeError(f"it can't run ({one_line(lines[-1])[:160]})", "peers.run") from None
    except subprocess.TimeoutExpired:
        pi.cut()  # or it would go on beside the next one
        _boot(pi)
        raise EdgeError(f"it did not answer within {ANSWER_SECONDS} s of this machine", "peers.run") from None
    one.version, one.memory_mb = said["version"], said["memory_mb"]
    one.invoke, one.cold = millions(said["ms"]), millions(said["cold_ms"])
    return np.frombuffer(base64.b64decode(said["answer"]), np.float32)


def millions(milliseconds: float) -> float:
    """Return millions of instructions of the clock's milliseconds."""
    return milliseconds / INSTRUCTION_NS
