"""The native program's readers against random damage: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer.

    python -m benchmarks.robustness.fuzzing [--minutes 10]

So many minutes for each of the two: images (decoding, preprocessing, overlay) and model files (zip, JSON, manifest,
labels, golden images). Needs cmake and clang with its libFuzzer (Debian: clang, libclang-rt-14-dev); builds in
build/fuzz. The seeds are made here; what the fuzzer adds to them stays in build/fuzz/corpus, from where the next run
goes on. A finding ends the run with exit status 1, and names the input that shows it.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmarks import table
from compress.convert.model_file import pack
from edge.archive import Archive
from edge.model import find

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/fuzz"
NETWORKS = ROOT / "tests/edge/data"  # small ones
# The timeout is of the wall clock, and this machine may be asked to pause.
# Not the resident set: that begins with what the process that started it had.
LIMITS = ["-max_len=40000", "-timeout=600", "-rss_limit_mb=0", "-malloc_limit_mb=1000", "-print_final_stats=1"]
TRAILER_BYTES = 71


class Run(NamedTuple):
    """What a run came to: seconds of the processor, inputs, edges reached, and the fuzzer's last words of a finding."""

    seconds: float
    executed: int
    edges: int
    found: str


def build(folder: Path = BUILD) -> None:
    """Build the two programs."""
    source = str(ROOT / "firmware_bridge/native")
    configure = ["cmake", "-S", source, "-B", str(folder), "-DEDGE_FUZZ=ON", "-DCMAKE_C_COMPILER=clang"]
    for command in (configure, ["cmake", "--build", str(folder)]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def images() -> list[bytes]:
    """Return small images of each kind that the native program reads, with four bytes before that say how."""
    colour = np.random.default_rng(1).integers(0, 256, (19, 23, 3), dtype=np.uint8)
    image, exif = Image.fromarray(colour), Image.Exif()
    exif[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    files = []

    def add(image: Image.Image, form: str, **options: object) -> None:
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        files.append(buffer.getvalue())

    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        add(image.convert(mode), "PNG", exif=exif)
    add(Image.fromarray((colour[:, :, 0].astype(np.uint16) << 8) + 9), "PNG")
    for packed in (False, True):
        words = PngInfo()
        words.add_text(
            "Raw profile type exif", f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n", zip=packed
        )
        words.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=packed)
        add(image, "PNG", pnginfo=words, icc_profile=b"profile")
    add(image, "PNG", save_all=True, append_images=[image.rotate(180)])
    files.append(interlaced())
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            add(image.convert(mode), "JPEG", progressive=progressive, exif=exif, quality=70)
    add(image.resize((200, 160)), "JPEG", xmp=xmp, dpi=(72, 72))
    return [bytes([7, 9, number % 6, number % 8]) + data for number, data in enumerate(files)]


def interlaced() -> bytes:
    """Return an interlaced PNG of 8 x 8 grey pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(range(columns)) for columns in (1, 1, 2, 2, 2, 4, 4, 4, 4, 4, 8, 8, 8, 8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def models(folder: Path) -> list[bytes]:
    """Return small networks, and files of them with shipped manifests and a small golden image, stored and deflated."""
    image = io.BytesIO()
    Image.new("L", (5, 4), 9).save(image, "PNG")
    golden = {"golden/0.png": image.getvalue(), "golden/0.bin": b"\0\0"}
    inputs = [{"image": "golden/0.png", "sha256": "0" * 64}]
    vector = {"inputs": inputs, "outputs": {"xnnpack": ["golden/0.bin"]}, "tolerance": 1}
    networks = [path.read_bytes() for path in sorted(NETWORKS.glob("*.tflite"))]
    files = list(networks)
    for name in ("pneumonia", "polyp"):
        archive = Archive(Path(find(name)).read_bytes(), TRAILER_BYTES)
        member = next(member for member in archive.members if member.name == "manifest.json")
        manifest = json.loads(archive.read(member)) | {"golden": [vector]}
        files.append(pack(folder / "seed.tflite", networks[0], manifest, golden))
        # The same with its members deflated; the fuzzer puts the digest in.
        packed = io.BytesIO(networks[0])
        packed.seek(len(networks[0]))
        with zipfile.ZipFile(io.BytesIO(files[-1])) as stored, zipfile.ZipFile(packed, "a") as deflated:
            for entry in stored.infolist():
                deflated.writestr(entry.filename, stored.read(entry), zipfile.ZIP_DEFLATED)
            deflated.comment = b"x" * TRAILER_BYTES
        files.append(packed.getvalue())
    return files


def seed(name: str, folder: Path) -> Path:
    """Write the seeds of one of the programs into its corpus under `folder`; return that."""
    corpus = folder / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(images() if name == "image" else models(folder)):
        (corpus / f"seed-{number:02}").write_bytes(data)
    return corpus


def fuzz(name: str, seconds: float, folder: Path = BUILD) -> Run:
    """Run one of the programs until it has used so many seconds of the processor, or has found something."""
    corpus = seed(name, folder)
    total = Run(0, 0, 0, "")
    while total.seconds < seconds and not total.found:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = max(min(60, round(seconds)), round(seconds - total.seconds))  # each begin reads the corpus again
        command = [str(folder / f"fuzz-{name}"), str(corpus), f"-max_total_time={wall}", *LIMITS]
        done = subprocess.run(command, stderr=subprocess.PIPE, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = done.stderr.decode(errors="replace")
        edges = re.findall(r"cov: (\d+)", said)
        executed = re.search(r"number_of_executed_units: (\d+)", said)
        total = Run(
            total.seconds + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            total.executed + (int(executed[1]) if executed else 0),
            max(total.edges, int(edges[-1]) if edges else 0),
            said[-4000:] if done.returncode else "",
        )
    return total


def main() -> None:
    """Fuzz both and write `results/fuzzing.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10, help="for each of the two (default: %(default)s)")
    options = parser.parse_args()
    build()
    rows = []
    for name, title in (("image", "images"), ("model", "model files")):
        run = fuzz(name, options.minutes * 60)
        if run.found:
            print(run.found, file=sys.stderr)
            raise SystemExit(1)
        rows.append([title, f"{run.seconds / 60:.1f}", f"{run.executed:,}", f"{run.edges:,}", "none"])
    table.write(
        "fuzzing",
        "The native program's readers under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer",
        f"python -m benchmarks.robustness.fuzzing --minutes {options.minutes}",
        ["read", "minutes of one core", "inputs", "edges reached", "findings"],
        rows,
        "Edges are of the program's own code: libpng, libjpeg-turbo and zlib are linked as they come, so that in them "
        "only what they do to memory of others is seen.",
    )


if __name__ == "__main__":
    main()
