"""How many instructions an Arm processor executes: the native program against Python, small networks against large.

    python -m benchmarks.papers.instructions [build/benchmark]

A virtual Pi is booted as a cortex-a72 (a Raspberry Pi 4's processor) and as a cortex-a76 (a Raspberry Pi 5's, with int8
dot products), with a clock that counts instructions. On a disk it finds the release that such a board gets, the Python
program, and two networks in float32. What is counted is an instruction budget: it says nothing of caches and memory,
and is nobody's latency.

It takes a while, so all that was counted is kept in `build/instructions.json`: where a run is broken off, the next one
goes on from there, as long as it finds the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import table
from benchmarks.lab import arm_python
from benchmarks.lab.virtual_pi import INSTRUCTION_NS, VirtualPi, image, make_disk
from compress.convert import model_file
from edge.files import read_bytes, write_beside
from edge.model import find, read
from edge.strict_json import dumps
from firmware_bridge import target
from firmware_bridge.release import build, release

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build/instructions.json"
TARGET, MEMORY_MB, DAY = "pi4", 1024, 86400
CORES = ("cortex-a72", "cortex-a76")
# A Raspberry Pi 4's processor has no instructions for AES and SHA; QEMU's has, and so they are hidden there.
WITHOUT_CRYPTOGRAPHY = ("cortex-a72",)
HIDDEN, HIDING = "/mnt/hidden.so", Path(__file__).with_name("hidden.c")
# From start to answer, native and in Python: model and image.
STARTED = {"pneumonia": "docs/phantom.png", "cpgresnet50": "docs/phantom.png", "polyp": "docs/colon.jpg"}
SHIPPED = ("pneumonia", "cpgresnet50")
BASELINE, FLOAT = "resnet50-float32", "cpgresnet50-float32"
FLOAT32 = {BASELINE: "resnet50.float32.tflite", FLOAT: "cpgresnet50.float32.tflite"}
FEWER_THAN_PYTHON = 8
# Times fewer than the baseline's invoke, by processor and network.
FEWER = {
    ("cortex-a72", FLOAT): 6.67,  # Yang et al. 2022: time -85 %
    ("cortex-a72", "pneumonia"): 13,
    ("cortex-a76", "pneumonia"): 35,
}
DISK_MB = 768
MODELS, NETWORKS, PICTURES = "/mnt/release/models", "/mnt/networks", "/mnt/pictures"
NATIVE = "/mnt/release/bin/edge-infer"
PYTHON = f"LD_LIBRARY_PATH=/mnt/{arm_python.LIBRARIES} /mnt/usr/bin/python{arm_python.VERSION} -m edge"
# Run 0 is not counted: after it all files are in memory, and no disk is waited for.
COUNTED = """
{setting}
for run in $(seq {first} {runs}); do
  begun=$EPOCHREALTIME
  {command} > /tmp/answer 2> /tmp/complaint || {{ cat /tmp/complaint; exit 1; }}
  ended=$EPOCHREALTIME
  [ $run = 0 ] || {{ echo $((${{ended/./}} - ${{begun/./}})); cat /tmp/answer; }}
done
"""
NOTES = """
Million instructions that QEMU executes as a {cores}, one thread, LiteRT {litert}: an **instruction budget**, no
latency. A real processor executes several a cycle, or waits for memory; compare rows, and measure on the board.

The virtual Pi's clock goes on by {ns} ns with each instruction, whatever this machine does. Each figure is the median
of {runs} processes; the spread is how far the highest lies above the lowest. From start to answer: a whole process that
answers an image ({pictures}), with `--json --threads 1`; kernel and loader count, too; a process before these, which
brings the files into memory, does not. With {python}, compiled beforehand. A Raspberry Pi 4's processor has no
instructions for SHA-256 and QEMU's cortex-a72 has, so they are hidden from these processes. Invoke: the second of a
process of the native program. resnet50-float32 is the unpruned network, cpgresnet50-float32 the paper's form before
quantization; what they have learned does not matter here.

Golden vectors, all models of the release, on both processors: {golden}.

Why targets are missed. From start to answer, both programs run the same library's invoke, which is half to four fifths
of what the native program executes; and where the processor has no instructions for it, the digest of the model file
takes about 31 instructions a byte. Invoke: 6.67 is the paper's; the others were set by LiteRT 1.4.0. LiteRT 2.3.0 takes
5 % less for ResNet-50 in float32, and for int8 networks of pneumonia's form 14 to 18 % more. None of XNNPACK's flags
lowers that. LiteRT's own int8 kernels in place of XNNPACK's take 114 M on the cortex-a72 and 54 M on the cortex-a76,
but are another kernel path, for which golden vectors have other bits.
"""


class Budget(NamedTuple):
    """Million instructions of something, once for each process that was counted."""

    runs: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """How far the highest is above the lowest, as a share of the median."""
        return (max(self.runs) - min(self.runs)) / self.median


class Processes(NamedTuple):
    """Some processes that did the same: whole, their networks' first invoke, and the median of their later ones."""

    whole: Budget
    first_invoke: Budget
    invoke: Budget


def instructions(milliseconds: float) -> float:
    """Return million instructions for milliseconds of the virtual Pi's clock."""
    return milliseconds / INSTRUCTION_NS


class Counter:
    """A virtual Pi with all programs and networks on it, which counts; booted for what is not kept already."""

    def __init__(self, folder: Path, core: str, drive: Path, digest: str, runs: int) -> None:
        self.folder, self.core, self.drive, self.digest, self.runs = folder, core, drive, digest, runs
        self.pi: VirtualPi | None = None

    def cut(self) -> None:
        """Cut its power."""
        if self.pi is not None:
            self.pi.cut()

    def check(self, model: str) -> int:
        """Return how many golden vectors of a shipped model are bit-exact there; raises where one is not."""
        said = self._said(f"{NATIVE} --threads 1 --json --model {model} --check")
        verdicts = [json.loads(line)["verdict"] for line in said.splitlines()]
        if not verdicts or set(verdicts) != {"bit-exact"}:
            raise SystemExit(f"{model}: golden vectors are {', '.join(verdicts)}: expected bit-exact")
        return len(verdicts)

    def start(self, program: str, model: str, picture: str) -> Processes:
        """Return what processes cost that start, answer the image once, and end."""
        hides = self.core in WITHOUT_CRYPTOGRAPHY
        return self._count(f"{program} --model {model} {picture}", 0, f"export LD_PRELOAD={HIDDEN}" if hides else "")

    def invoke(self, model: str) -> Budget:
        """Return what the second invoke costs in processes of the native program."""
        picture = f"{PICTURES}/{Path(STARTED['cpgresnet50']).name}"  # any one would do
        # None goes before them: a second invoke reads no files.
        return self._count(f"{NATIVE} --repeat 2 --model {model} {picture}", 1, "").invoke

    def _count(self, command: str, first: int, setting: str) -> Processes:
        counted = COUNTED.format(first=first, runs=self.runs, command=f"{command} --threads 1 --json", setting=setting)
        lines = self._said(counted).splitlines()
        times = [json.loads(line)["latency_ms"] for line in lines[1::2]]
        return Processes(
            Budget([instructions(int(line) / 1e3) for line in lines[::2]]),
            *(Budget([instructions(time[name]) for time in times]) for name in ("first_invoke", "invoke")),
        )

    def _said(self, command: str) -> str:
        """Return what a command says there, or said when it was asked before of the same files."""
        kept: dict[str, str] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        key = hashlib.sha256(f"{self.digest} {self.core} {command}".encode()).hexdigest()
        if key not in kept:
            try:
                kept[key] = self._booted().ssh(f"bash -c {shlex.quote(command)}", DAY)
            except subprocess.CalledProcessError as error:
                raise SystemExit(f"the virtual Pi says {(error.stdout + error.stderr).strip()!r}") from None
            write_beside(KEPT, dumps(kept, str(KEPT), indent=0).encode())
        return kept[key]

    def _booted(self) -> VirtualPi:
        if self.pi is None:
            self.folder.mkdir()
            self.pi = VirtualPi(self.folder, self.core, MEMORY_MB, counts=True, drive=self.drive)
            self.pi.boot()
            self.pi.ssh("busybox mount -o ro /dev/vdb /mnt")
        return self.pi


def starts(counter: Counter, core: str) -> list[list[str]]:
    """Return the rows of whole processes."""
    rows = []
    for model, picture in STARTED.items():
        what = f"{MODELS}/{model}.tflite", f"{PICTURES}/{Path(picture).name}"
        found = {name: counter.start(program, *what) for name, program in (("Python", PYTHON), ("native", NATIVE))}
        parts = {
            "from start to answer": {name: each.whole for name, each in found.items()},
            "of it all but the invoke": {
                name: Budget([a - b for a, b in zip(each.whole.runs, each.first_invoke.runs, strict=True)])
                for name, each in found.items()
            },
        }
        for part, budgets in parts.items():
            fewer = budgets["Python"].median / budgets["native"].median
            goal = ""
            if part == "from start to answer":
                goal = f">= {FEWER_THAN_PYTHON}: {table.met(fewer >= FEWER_THAN_PYTHON)}"
            rows.append(_row(core, f"{part}: {model}, Python", budgets["Python"], 1, ""))
            rows.append(_row(core, f"{part}: {model}, native", budgets["native"], fewer, goal))
    return rows


def invokes(counter: Counter, core: str) -> list[list[str]]:
    """Return the rows of networks, the baseline first."""
    paths = {name: f"{NETWORKS}/{name}.tflite" for name in FLOAT32}
    paths |= {name: f"{MODELS}/{name}.tflite" for name in SHIPPED}
    rows = []
    baseline = 0.0
    for name, path in paths.items():
        budget = counter.invoke(path)
        baseline = baseline or budget.median
        fewer = baseline / budget.median
        least = FEWER.get((core, name))
        goal = f">= {least}: {table.met(fewer >= least)}" if least else ""
        title = f"invoke: {name}" if name in FLOAT32 else f"invoke: {name}, int8 as it ships"
        rows.append(_row(core, title, budget, fewer, goal))
    return rows


def _row(core: str, what: str, budget: Budget, fewer: float, goal: str) -> list[str]:
    row = [core, what, f"{budget.median:,.1f} M", f"{budget.spread:.2%}", f"{fewer:.2f}", goal]
    print(*row, flush=True)
    return row


def fill(content: build.Content, networks: Path, folder: Path) -> None:
    """Put everything that is counted into a folder: the release's files, Python, the networks, the image."""
    for name, file in content.payload.items():
        path = folder / "release" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, release.Link):
            path.symlink_to(file.target)
        else:
            path.write_bytes(file.data)
            path.chmod(0o755 if file.executable else 0o644)
    arm_python.install(folder)
    (folder / "networks").mkdir()
    for name, source in FLOAT32.items():
        with_manifest(networks / source, name, folder / f"networks/{name}.tflite")
    (folder / "pictures").mkdir()
    for picture in sorted(set(STARTED.values())):
        shutil.copy(ROOT / picture, folder / "pictures")
    compiler = "aarch64-linux-gnu-gcc"  # the program's own
    hidden = folder / Path(HIDDEN).name
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-s", HIDING, "-o", hidden], check=True)


def digest_of(folder: Path) -> str:
    """Return a digest of the names and bytes of all files, without what Python compiled: that holds dates."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix != ".pyc" and not path.is_dir():
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            whole.update(f"{path.relative_to(folder)} {hashlib.sha256(data).hexdigest()}\n".encode())
    return whole.hexdigest()


def with_manifest(network: Path, name: str, path: Path) -> None:
    """Write a plain float32 TFLite file as a model file, which takes its preprocessing from `cpgresnet50`'s."""
    data = read_bytes(network)
    raw = read(find("cpgresnet50")).manifest.raw
    runtime = {"type": "float32", "operators": model_file.operators(data)}
    manifest = {**raw, "name": name, "runtime": runtime, "targets": [], "measured": {}, "golden": []}
    del manifest["model"]  # the writer's
    model_file.write(path, data, manifest, {})


def main() -> None:
    """Count and write `results/instructions.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="?", default="build/benchmark", help="of benchmarks.papers.build")
    parser.add_argument("--runs", type=int, default=3, help="processes that are counted for each figure (default 3)")
    options = parser.parse_args()
    content = build.content(target.load(TARGET), [])
    models = sorted(Path(name).name for name in content.payload if name.endswith(".tflite"))
    rows, vectors = [], 0
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder, drive = Path(name), Path(name) / "drive"
        (folder / "content").mkdir(mode=0o755)
        fill(content, options.networks, folder / "content")
        make_disk(folder / "content", drive, DISK_MB)
        digest = f"{image().name} {digest_of(folder / 'content')}"
        for core in CORES:
            counter = Counter(folder / core, core, drive, digest, options.runs)
            try:
                vectors = sum(counter.check(f"{MODELS}/{model}") for model in models)
                rows += starts(counter, core)
                rows += invokes(counter, core)
            finally:
                counter.cut()
    table.write(
        "instructions",
        "Instruction budgets on a virtual Pi",
        f"python -m benchmarks.papers.instructions {options.networks} --runs {options.runs}",
        ["processor", "what", "instruction budget", "spread", "times fewer", "target"],
        rows,
        NOTES.format(
            cores=" and ".join(CORES),
            litert=content_version(content),
            ns=INSTRUCTION_NS,
            runs=options.runs,
            python=arm_python.versions(),
            images=", ".join(f"{model}: `{picture}`" for model, picture in STARTED.items()),
            golden=f"{vectors} of {vectors} bit-exact, {len(models)} models",
        ),
    )


def content_version(content: build.Content) -> str:
    """Return the version of LiteRT in a release."""
    return next(name.rpartition(".so.")[2] for name in content.payload if name.startswith("lib/libLiteRt.so."))


if __name__ == "__main__":
    main()
