"""What the pixels of a mask mean: the thing, the rest, or nothing, where nobody labelled them.

A mask is judged by the values that its file stores, before any conversion to 8-bit grey: that would make a 16-bit 1
black, a green class white, and drop what lies in the alpha channel.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from compress.data.reading import some
from compress.data.soft_rims import Levels, divided
from edge import image as images
from edge.errors import EdgeError

ALPHA = "alpha"
KEPT, TOLD = 64, 8  # values of a mask that are counted, and told in a message
OPAQUE = 128  # of 255, from which on a pixel counts as opaque
COLORFUL = (2, 4, 6)  # PNG's colour types with several channels
BITS = 258  # TIFF's tag
_RANGE, _COLOR = re.compile(r"(\d{1,5})-(\d{1,5})"), re.compile(r"#[0-9a-fA-F]{6}")

Value = int | str


@dataclass(frozen=True)
class Values:
    """Which stored values are the thing, and which are not labelled, as a recipe's `[data]` names them.

    An entry is a grey value or a palette's index (255), a range of them ("128-255"), or a colour ("#ff0000"); "alpha"
    in `foreground` stands for the opaque pixels of a mask that lies in its alpha channel. A 1-bit mask's white is 255,
    and 1 as well.

    Attributes:
        foreground: the thing; all other values are background. Without: white is the thing, in masks that are black
            and white.
        ignore: what is not labelled; it counts in no loss and no metric.
    """

    foreground: tuple[Value, ...] = ()
    ignore: tuple[Value, ...] = ()

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with the entries."""
        for name in ("foreground", "ignore"):
            for entry in getattr(self, name):
                if not (_is_value(entry) or (name == "foreground" and entry == ALPHA)):
                    extra = f', or "{ALPHA}"' if name == "foreground" else ""
                    yield name, entry, f'0 to 65535, a range "128-255", a colour "#ff0000"{extra}'
        if ALPHA in self.foreground and len(self.foreground) > 1:
            yield "foreground", list(self.foreground), f'"{ALPHA}" alone, or values without it'
        spans = {name: [s for s in map(_span, getattr(self, name)) if s] for name in ("foreground", "ignore")}
        twice = any(a[0] <= b[1] and b[0] <= a[1] for a in spans["foreground"] for b in spans["ignore"])
        if twice or {str(e).lower() for e in self.foreground} & {str(e).lower() for e in self.ignore}:
            yield "ignore", list(self.ignore), "none of the values that foreground names"


BLACK_AND_WHITE = Values()


class Stored(NamedTuple):
    """A mask as its file holds it, upright.

    Attributes:
        kind: in words.
        levels: uint8 or uint16 (H, W), grey values or a palette's indices; None for colour.
        colors: uint8 (H, W, 3) of a palette or of colour; None for grey.
        alpha: uint8 (H, W) where a pixel is not opaque; else None.
        full: the highest grey value of its type.
        lossy: whether values are what was drawn only about.
        turned: the EXIF orientation that was applied, 1 for none.
    """

    kind: str
    levels: np.ndarray | None
    colors: np.ndarray | None
    alpha: np.ndarray | None
    full: int
    lossy: bool
    turned: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        held = self.levels if self.levels is not None else self.colors
        assert held is not None
        return held.shape[1], held.shape[0]


class Meaning(NamedTuple):
    """What a mask says.

    Attributes:
        mask: bool (H, W), the thing.
        void: bool (H, W), what is not labelled.
        fault: what speaks against the reading, a key of `FAULTS`; "" for nothing.
        found: stored value in words -> pixels; where values are named, of the background only.
    """

    mask: np.ndarray
    void: np.ndarray
    fault: str
    found: Counter[str]


# what was expected, and what to do about it
FAULTS = {
    "values": (
        "black and white (0 and the highest value), grey only along soft rims",
        "name the stored values that are the thing and those that are not labelled, such as {named} in [data]",
    ),
    "color": (
        "black and white",
        "name the stored colours or indices that are the thing and those that are not labelled, such as {named} in "
        "[data]",
    ),
    "alpha": (
        "opaque pixels, or transparent ones where the colours are black",
        f'say foreground = ["{ALPHA}"] in [data] if the opaque part is the thing, or export them without transparency',
    ),
    "opaque": ("an alpha channel, as foreground names it", "name values instead"),
    "lossy": (
        "a lossless format, as single values are named",
        'export them as PNG, or name a range such as foreground = ["128-255"] in [data]',
    ),
}


def stored(data: bytes, name: str) -> Stored:
    """Return the mask in `data`, a file's bytes. `name` is for messages.

    Raises EdgeError for what `edge.image.decode` does not read, and for colour of 16 bits.
    """
    image, turned = images.stored(data, name)
    if image.mode == "F":
        raise EdgeError(
            f"{name} is a mask with floating-point pixels: expected 8 or 16 bits; export it again",
            code="image.unsupported",
        )
    bits = data[24] if image.format == "PNG" and data[25] in COLORFUL else 8
    if image.format == "TIFF" and len(image.getbands()) > 1:
        bits = max(image.tag_v2.get(BITS, (8,)))  # type: ignore[attr-defined]
    if bits > 8:  # Pillow keeps their high bytes only
        raise EdgeError(
            f"{name} is a mask with {bits} bits in each channel of colour or alpha: expected 8, or 16-bit grey; export "
            "it again",
            code="image.unsupported",
        )
    return _held(images.upright(image, turned), _is_lossy(image, data), turned if turned in range(2, 9) else 1)


def _is_lossy(image: Image.Image, data: bytes) -> bool:
    if image.format == "WEBP":  # chunks: four letters, their length, their data, padded to an even one
        at = 12
        while at + 8 <= len(data) and data[at : at + 4] not in (b"VP8 ", b"VP8L"):
            at += 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1) // 2 * 2
        return data[at : at + 4] == b"VP8 "
    return image.format in ("JPEG", "MPO") or image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp")


def _held(image: Image.Image, lossy: bool, turned: int) -> Stored:
    mode, alpha = image.mode, None
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        alpha = np.asarray(image.convert("RGBA"))[:, :, 3]
    elif mode not in ("1", "L", "P", "RGB", "LA", "RGBA") and not mode.startswith("I"):
        mode = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}.get(mode, "RGB")
        image = image.convert(mode)
    pixels = np.asarray(image)
    if mode in ("LA", "RGBA"):
        alpha, pixels = pixels[:, :, -1], pixels[:, :, 0] if mode == "LA" else pixels[:, :, :3]
    elif mode.startswith("I") and isinstance(image.info.get("transparency"), int):
        alpha = (pixels != image.info["transparency"]).astype(np.uint8) * 255
    alpha = None if alpha is None or (alpha == 255).all() else alpha
    if mode.startswith("I"):
        return Stored("16-bit grey", np.clip(pixels, 0, 65535).astype(np.uint16), None, alpha, 65535, lossy, turned)
    if mode == "1":
        return Stored("1-bit", pixels.astype(np.uint8) * 255, None, alpha, 255, lossy, turned)
    if mode == "P":
        colors = np.asarray(image.convert("RGB"))
        return Stored("palette", pixels, colors, alpha, 255, lossy, turned)
    if pixels.ndim == 3:
        spread = int((pixels.max(2) - pixels.min(2)).max())
        if spread > (8 if lossy else 0):
            return Stored("colour", None, pixels, alpha, 255, lossy, turned)
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return Stored("8-bit grey", pixels, None, alpha, 255, lossy, turned)


def meaning(held: Stored, values: Values) -> Meaning:
    """Return what a mask says, by `values` or, where these name none, if it is black and white."""
    void = _any_of(held, values.ignore)
    mask, fault = void, ""
    exact = [entry for entry in values.foreground + values.ignore if "-" not in str(entry) and entry != ALPHA]
    if held.lossy and exact:
        fault = "lossy"
    elif values.foreground == (ALPHA,):
        mask, fault = _opaque(held, void)
    elif values.foreground:
        mask = _any_of(held, values.foreground)
        fault = "alpha" if held.alpha is not None and (mask & (held.alpha < OPAQUE)).any() else ""
    else:
        mask, fault = _black_and_white(held, void)
    where = ~mask & ~void if values.foreground and not fault else np.ones_like(void)
    return Meaning(mask, void, fault, _histogram(held, where))


def _opaque(held: Stored, void: np.ndarray) -> tuple[np.ndarray, str]:
    if held.alpha is None:
        return void, "opaque"
    mask = divided(Levels(held.alpha, 255, False), void)
    return (void, "values") if mask is None else (mask, "")


def _black_and_white(held: Stored, void: np.ndarray) -> tuple[np.ndarray, str]:
    levels = held.levels
    if held.colors is not None:  # of a palette those that are used
        if (held.colors != held.colors[:, :, :1])[~void].any():
            return void, "color" if held.alpha is None else "alpha"
        levels = held.colors[:, :, 0]
    assert levels is not None
    mask = divided(Levels(levels, held.full, held.lossy), void)
    if held.alpha is not None and (mask is None or not np.array_equal(mask, (held.alpha >= OPAQUE) & ~void)):
        return void, "alpha"
    if mask is None:
        return void, "color" if held.kind == "palette" else "values"
    return mask, ""


def unclear(where: Path, masks: Sequence[tuple[str, str, Meaning]], total: int) -> EdgeError:
    """Return the error that names masks which can't be read for certain, of `total`: (path, kind, meaning) of each."""
    pixels: dict[str, Counter[str]] = defaultdict(Counter)
    held: dict[str, Counter[str]] = defaultdict(Counter)  # files that have a value
    for _, kind, what in masks:
        pixels[kind].update(what.found)
        held[kind].update(what.found.keys())
    found = "; ".join(f"{kind} {values_in_words(pixels[kind], held[kind])}" for kind in pixels)
    faults = list(dict.fromkeys(what.fault for _, _, what in masks))
    kind = max(pixels, key=lambda kind: pixels[kind].total())
    named = _example(kind, pixels[kind])
    expected = ", or ".join(FAULTS[fault][0] for fault in faults)
    cure = "; ".join(FAULTS[fault][1].format(named=named) for fault in faults)
    return EdgeError(
        f"{len(masks)} of {total} masks of {where} can't be read for certain ({some(path for path, _, _ in masks)}): "
        f"found {found}: expected {expected}; {cure}",
        code="data.masks",
    )


def values_in_words(pixels: Counter[str], files: Counter[str]) -> str:
    """Return stored values, the most frequent ones, with how many pixels and files have them."""
    said = [
        f"{value} ({count:,} pixel{'s' * (count != 1)} in {files[value]} file{'s' * (files[value] != 1)})"
        for value, count in pixels.most_common(TOLD)
    ]
    return ", ".join(said) + (f" and {len(pixels) - TOLD} more" if len(pixels) > TOLD else "")


def _example(kind: str, pixels: Counter[str]) -> str:
    """Return the lines of a recipe that might settle it."""
    words = [word for word, _ in pixels.most_common() if word != "transparent"]
    if kind == "colour":
        things = [word for word in words if word != "#000000"]
        return f'foreground = ["{things[0] if things else "#ffffff"}"]'
    numbers = sorted(number for number in (int(word.split()[0]) for word in words) if number)
    full = 65535 if kind == "16-bit grey" else 255
    rest = [number for number in numbers if number not in (255, full)]
    if rest and len(rest) < len(numbers):
        return f"foreground = [{rest[0]}], ignore = [{numbers[-1]}]"
    return f"foreground = [{numbers[0] if numbers else full}]"


def _any_of(held: Stored, entries: Sequence[Value]) -> np.ndarray:
    """Return bool (H, W), where a pixel has one of the values."""
    result = np.zeros(held.size[::-1], bool)
    for entry in entries:
        if span := _span(entry):
            low, high = span
            levels = held.levels
            if levels is None and held.colors is not None:
                grey = (held.colors == held.colors[:, :, :1]).all(2)
                result |= grey & (held.colors[:, :, 0] >= low) & (held.colors[:, :, 0] <= high)
            elif levels is not None:
                result |= (levels >= low) & (levels <= high)
                if held.kind == "1-bit" and low <= 1 <= high:
                    result |= levels == 255
        elif entry != ALPHA:
            red, green, blue = bytes.fromhex(str(entry)[1:])
            if held.colors is not None:
                result |= (held.colors == (red, green, blue)).all(2)
            elif held.levels is not None and red == green == blue and held.full == 255:
                result |= held.levels == red
    return result


def _histogram(held: Stored, where: np.ndarray) -> Counter[str]:
    """Return stored value, in words, -> pixels of `where`, bool (H, W), that have it; the most frequent ones."""
    if held.levels is not None:
        counts = np.bincount(held.levels[where])
        found = np.flatnonzero(counts)
        counts, words = counts[found], list(map(str, found))
        if held.colors is not None:
            words = [f"{index} ({_hex(held.colors[held.levels == index][0])})" for index in found]
    else:
        assert held.colors is not None
        packed = held.colors[where].astype(np.int32) @ np.array([65536, 256, 1], np.int32)
        found, counts = np.unique(packed, return_counts=True)
        words = [f"#{value:06x}" for value in found]
    histogram = Counter(dict(zip(words, map(int, counts), strict=True)))
    if held.alpha is not None and (clear := int((held.alpha[where] < 255).sum())):
        histogram["transparent"] = clear
    return Counter(dict(histogram.most_common(KEPT)))


def _hex(color: np.ndarray) -> str:
    return "#" + bytes(color.tolist()).hex()


def _is_value(entry: Value) -> bool:
    span = _span(entry)
    return 0 <= span[0] <= span[1] <= 65535 if span else bool(_COLOR.fullmatch(str(entry)))


def _span(entry: Value) -> tuple[int, int] | None:
    """Return the lowest and highest value of a number or a range; None for what is neither."""
    if isinstance(entry, int):
        return entry, entry
    found = _RANGE.fullmatch(entry)
    return (int(found[1]), int(found[2])) if found else None
