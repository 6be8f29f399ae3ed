"""Image formats, one file each: from a file's bytes to stored pixel values, found by how the file begins.

A format is a `Reader`: magic, suffixes and a function. Those of this package are listed here, so that a program imports
only the one that an image needs. Others come from outside: from Python with `register`, or from an installed package
with an entry point of the group "edge_infer.readers" that names a `Reader`. They are looked up only where no built-in
magic or suffix fits, and imported only then.

    >>> from edge.readers import Reader, Stored, register
    >>> def read(data, request):
    ...     width, height = data[4], data[5]
    ...     request.check_size(width, height)
    ...     return Stored(Image.fromarray(np.frombuffer(data, "<u2", width * height, 6).reshape(height, width)))
    >>> register(Reader("TMX", (b"TMX1",), (".tmx",), read))
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from edge.errors import EdgeError, ImageWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from PIL import Image

    from edge.window import Window

GROUP = "edge_infer.readers"  # of entry points
MAX_PIXELS = 64_000_000  # two and a half times the largest usual radiograph (about 4300 x 5000)
SHORT_HEAD = 12  # bytes by which the built-in readers know their files
HEAD = 256  # bytes that the magic of a reader from outside may look at; DICOM's is at 128


class Request(NamedTuple):
    """What a reader is asked for beside the file's bytes.

    Attributes:
        name: the image's, for messages.
        max_pixels: a file with more is refused, before it is decoded: `check_size`.
        size: (width, height) of the network's input; None where the image is wanted in its own size.
        window: the stored values that become black and white. It is applied to what the reader returns; a reader whose
            file holds more than 16 bits may need it to choose the values that it stores.
    """

    name: str = "the image"
    max_pixels: int = MAX_PIXELS
    size: tuple[int, int] | None = None
    window: Window | None = None

    def check_size(self, width: int, height: int) -> None:
        """Raise EdgeError where an image of so many pixels is larger than allowed."""
        if width * height > self.max_pixels:
            raise EdgeError(
                f"{self.name} has {width}x{height} pixels, more than the limit of {self.max_pixels}: "
                f"make it smaller, or raise the limit with --max-pixels {width * height}",
                "image.too-large",
            )

    def unsupported(self, found: str, expected: str) -> EdgeError:
        """Return the error for a file of the reader's format of a kind that it does not read."""
        return EdgeError(
            f"{self.name} {found}, which is not read: expected {expected}; convert it first", "image.unsupported"
        )


class Stored(NamedTuple):
    """A decoded image as its file stores it: not turned, no value changed.

    Attributes:
        image: in any of Pillow's modes; 16-bit grey in mode "I;16", whose values 0 to 65535 go through the window.
        orientation: EXIF's, 1 to 8, or `edge.readers.exif`'s NONE or UNREADABLE.
        size: (width, height) in the file where the image was decoded smaller; None: the image's.
        reduction: how many times smaller it was decoded in either direction: 1, 2, 4 or 8.
        bits: 16 where the file has so many for a channel and `image` holds their high bytes.
        images: how many images (pages, frames) the file holds; this is the first.
        warnings: what the file makes doubtful.
    """

    image: Image.Image
    orientation: int = 0
    size: tuple[int, int] | None = None
    reduction: int = 1
    bits: int = 8
    images: int = 1
    warnings: tuple[ImageWarning, ...] = ()


class Reader(NamedTuple):
    """A format.

    Attributes:
        name: what messages call it: "PNG".
        magic: how its files begin, one or more of them; or a function that says it of a file's first bytes (at most
            `HEAD` of them; of a short file, and of a long one at first, fewer).
        suffixes: what its files usually end in, in lower case with the dot. Folders are searched by them; what a file
            is, its magic alone decides.
        read: from a whole file's bytes to the image. It raises EdgeError where the file is of a kind that is not read,
            and any other exception where it is damaged: the message goes into an error about the file.
    """

    name: str
    magic: tuple[bytes, ...] | Callable[[bytes], bool]
    suffixes: tuple[str, ...]
    read: Callable[[bytes, Request], Stored]

    def fits(self, head: bytes) -> bool:
        """Return whether a file that begins with `head` is of this format."""
        if not callable(self.magic):
            return head.startswith(self.magic)
        try:
            return bool(self.magic(head))
        except (IndexError, ValueError, ArithmeticError, struct.error):  # a head too short for it
            return False


def _built_in(name: str, magic: tuple[bytes, ...] | Callable[[bytes], bool], *suffixes: str) -> Reader:
    def read(data: bytes, request: Request) -> Stored:
        stored: Stored = import_module(f"edge.readers.{name.lower()}").read(data, request)
        return stored

    return Reader(name, magic, suffixes, read)


def _is_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


BUILT_IN = (
    _built_in("PNG", (b"\x89PNG\r\n\x1a\n",), ".png", ".apng"),
    _built_in("JPEG", (b"\xff\xd8\xff",), ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".mpo"),
    _built_in("GIF", (b"GIF8",), ".gif"),
    _built_in("BMP", (b"BM",), ".bmp", ".dib"),
    _built_in("TIFF", (b"II*\0", b"MM\0*"), ".tif", ".tiff"),
    _built_in("WEBP", _is_webp, ".webp"),
)

_registered: list[Reader] = []
_installed: list[tuple[list[Reader], list[str]]] = []  # once looked up: readers, and what is wrong with others


def register(reader: Reader) -> None:
    """Let images of another format be read, from now on and in this process.

    Raises EdgeError where it is no complete `Reader`, or another one has its name.
    """
    fault = _fault(reader) or next(
        (f"has the name of another reader, {one.name}" for one in (*BUILT_IN, *_registered) if one.name == reader.name),
        "",
    )
    if fault:
        raise EdgeError(f"the reader {reader!r} {fault}: expected an edge.readers.Reader", "reader.invalid")
    _registered.append(reader)


def find(head: bytes, built_in: bool = False) -> Reader | None:
    """Return the reader of a file that begins with `head`; None where no reader knows it.

    Args:
        built_in: look no further than the built-in ones.
    """
    for reader in BUILT_IN:
        if reader.fits(head):
            return reader
    return None if built_in else next((reader for reader in _others() if reader.fits(head)), None)


def has_others() -> bool:
    """Return whether there are readers from outside."""
    return bool(_others())


def knows(suffix: str) -> bool:
    """Return whether files that end so, in lower case with the dot, are images."""
    return any(suffix in reader.suffixes for reader in BUILT_IN) or any(suffix in one.suffixes for one in _others())


def suffixes() -> tuple[str, ...]:
    """Return what images usually end in."""
    return tuple(suffix for reader in (*BUILT_IN, *_others()) for suffix in reader.suffixes)


def expected() -> str:
    """Return which formats are read, for messages, and which installed reader is broken."""
    names = ", ".join(reader.name for reader in (*BUILT_IN, *_others()))
    return "; ".join([names, *(_installed[0][1] if _installed else [])])


def _others() -> list[Reader]:
    if not _installed:
        _installed.append(_look_up())
    return [*_registered, *_installed[0][0]]


def _look_up() -> tuple[list[Reader], list[str]]:
    """Return the readers of installed packages, and a sentence about each that is broken."""
    from importlib.metadata import entry_points

    found: list[Reader] = []
    broken = []
    try:
        entries = list(entry_points(group=GROUP))
    except MemoryError:
        raise
    except Exception as error:  # any package's files may be damaged
        return [], [f"installed readers can't be looked up ({_shown(error)})"]
    for entry in entries:
        try:
            reader = entry.load()
            fault = _fault(reader)
        except MemoryError:
            raise
        except Exception as error:  # whatever a package's own code raises
            fault = f"can't be loaded ({_shown(error)})"
        if fault:
            broken.append(f"the installed reader {entry.name} ({entry.value}) {fault}")
        else:
            found.append(reader)
    return found, broken


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _fault(reader: object) -> str:
    """Return what is wrong with a reader from outside, "" for nothing."""
    if not isinstance(reader, Reader):
        return "is no edge.readers.Reader"
    if not isinstance(reader.name, str) or not reader.name.isprintable() or not reader.name:
        return "has no name"
    magic = reader.magic
    if not callable(magic) and not (
        isinstance(magic, tuple) and magic and all(isinstance(one, bytes) and 0 < len(one) <= HEAD for one in magic)
    ):
        return f"has no magic: expected a tuple of bytes, 1 to {HEAD} each, or a function"
    if not isinstance(reader.suffixes, tuple) or not all(
        isinstance(one, str) and one.startswith(".") and one == one.lower() for one in reader.suffixes
    ):
        return "has suffixes that are not lower case with a dot in front"
    return "" if callable(reader.read) else "has no function that reads"
