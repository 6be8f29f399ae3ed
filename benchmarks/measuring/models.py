"""The model file on the host: what a device's answers are compared with, and the image that is measured with."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

import edge.model
from compress.data.phantom import phantom
from edge import image as images

SIDE = (
    1024  # pixels of the measuring image's longer side: what a camera or a scanner gives is larger than a network reads
)
_QUALITY = 90  # of its JPEG


class Model(NamedTuple):
    """A model file that passed every check.

    Attributes:
        name, sha256, size: as `edge-infer` says them with an answer.
        task: its name.
        labels: of the manifest.
        image: the measuring image, a PNG or JPEG file.
        golden: the golden images, files.
        targets: name -> what the manifest says of it beyond its value: {"better", "source"}.
    """

    name: str
    sha256: str
    size: int
    task: str
    labels: tuple[str, ...]
    image: bytes
    golden: tuple[bytes, ...]
    targets: dict[str, dict[str, str]]


def read(path: Path) -> Model:
    """Return the model file at `path`, read again only where it has changed; EdgeError where it is none."""
    path = Path(edge.model.find(path))
    try:
        status = path.stat()
    except OSError:
        return _read(path, 0, 0)  # which says what is wrong
    return _read(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int) -> Model:
    file = edge.model.read(path)
    manifest = file.manifest
    golden = tuple(file.member(vector.image) for vector in manifest.golden)
    return Model(
        manifest.name,
        file.sha256,
        file.size,
        manifest.task.name,
        tuple(manifest.labels),
        measuring_image(golden[0] if golden else None),
        golden,
        {target.name: {"better": target.better, "source": target.source} for target in manifest.targets},
    )


def measuring_image(golden: bytes | None) -> bytes:
    """Return the image that a model is measured with: its first golden image, `SIDE` pixels on the longer side.

    Grey is a PNG, as scanners store it, colour a JPEG of quality 90, as cameras do. Without a golden image it is a
    phantom X-ray.
    """
    if golden is None:
        image = Image.fromarray(phantom(1, opacity=True, size=SIDE))
    else:
        stored, turned = images.stored(golden, "the golden image")
        image = images.upright(stored, turned)
        scale = SIDE / max(image.size)
        kind = Image.Resampling.BICUBIC if image.mode in ("L", "RGB") else Image.Resampling.NEAREST
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), kind)
    file = io.BytesIO()
    if image.mode == "RGB":
        image.save(file, "JPEG", quality=_QUALITY)
    else:
        image.save(file, "PNG")
    return file.getvalue()
