"""What the readers share that decode with Pillow."""

from __future__ import annotations

import io
from importlib import import_module

from PIL import Image

from edge.errors import ImageWarning
from edge.readers import exif

_PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
}
_NO_ORIENTATION = (
    "the image's orientation can't be read from its EXIF data: it is taken as it lies; check which way up it is"
)


def opened(name: str, data: bytes) -> Image.Image:
    """Return the image in `data` with its header read and no pixel decoded. `name` is Pillow's of the format.

    `Image.open` would import five decoders for one image and more for others, and has a limit of pixels of its own
    that can't be set for one image.
    """
    import_module(f"PIL.{_PLUGINS[name]}")
    return Image.OPEN[name][0](io.BytesIO(data), "")


def orientation_warnings(orientation: int) -> tuple[ImageWarning, ...]:
    """Return a warning where an orientation can't be read."""
    return (ImageWarning("image.orientation", _NO_ORIENTATION),) if orientation == exif.UNREADABLE else ()
