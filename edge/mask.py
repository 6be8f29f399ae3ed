"""From a segmentation network's logits to a mask in the image's own size, its regions and a decision.

The mask is never computed pixel by pixel. Between two rows of logits, bilinear interpolation is linear along a column
of the image, so the two say where the mask begins or ends there, and a column is a few runs of pixels. Regions are
joined of runs, and COCO's run-length encoding is the runs one after the other.
"""

from __future__ import annotations

from math import ceil, floor, inf, log
from typing import NamedTuple, TypedDict

import numpy as np
from PIL import Image

from edge.answer import Decision
from edge.preprocess import Preprocessing, place, resample


class Region(TypedDict):
    """One connected part of a mask (8 neighbours).

    label: what it shows. score: mean of its pixels' scores, at least the threshold and at most 1. area: share of the
    image, 0..1. pixels: how many it has. box: [left, top, width, height] of the smallest box around it, in pixels.
    """

    label: str
    score: float
    area: float
    pixels: int
    box: list[int]


class Mask(NamedTuple):
    """A mask as runs of pixels, counted down the columns of the image, one column after the other.

    Attributes:
        size: (width, height) of the image.
        starts, stops: int64 (runs,), ascending: a run is the pixels from its start to before its stop. None is empty,
            and none begins where another stops.
    """

    size: tuple[int, int]
    starts: np.ndarray
    stops: np.ndarray

    @property
    def area(self) -> float:
        """Share of the image, 0..1."""
        return int((self.stops - self.starts).sum()) / (self.size[0] * self.size[1])

    def array(self) -> np.ndarray:
        """Return bool (height, width)."""
        width, height = self.size
        changes = np.zeros(width * height + 1, np.int8)
        changes[self.starts], changes[self.stops] = 1, -1
        flat = np.add.accumulate(changes[:-1], dtype=np.int8).view(np.bool_)
        return np.ascontiguousarray(flat.reshape(width, height).T)

    def encode(self) -> dict[str, list[int]]:
        """Return COCO's uncompressed run-length encoding, {"size": [height, width], "counts": [...]}.

        The counts go down the columns, in turns of pixels that are not in the mask and that are.
        """
        width, height = self.size
        ends = np.zeros(2 * len(self.starts) + 2, np.int64)
        ends[1:-1:2], ends[2:-1:2], ends[-1] = self.starts, self.stops, width * height
        counts = np.diff(ends).tolist()
        return {"size": [height, width], "counts": counts if counts[-1] else counts[:-1]}


def mask(
    logits: np.ndarray, size: tuple[int, int], decision: Decision, spec: Preprocessing, activation: str = "sigmoid"
) -> np.ndarray:
    """Return the bool (height, width) mask of an image of `size` (width, height); arguments as for `segment`."""
    return segment(logits, size, decision, spec, activation)[1].array()


def segment(
    logits: np.ndarray, size: tuple[int, int], decision: Decision, spec: Preprocessing, activation: str = "sigmoid"
) -> tuple[list[Region], Mask]:
    """Return the regions, the largest first, and the mask that they make up.

    Logits are interpolated bilinearly from the centres of their cells to the centres of the image's pixels; beyond
    the outermost centres they go on as they are. In a direction in which the image has fewer pixels than there are
    cells, Pillow's bilinear filter averages them to one a pixel first. The mask is where the score,
    1 / (1 + exp(-logit)), is at least `decision.threshold`; regions smaller than `decision.minimum_area` are dropped.
    What the network did not see (the fit "crop") is in no mask.

    Args:
        logits: float32 (h, w), all finite, over the whole of the network's input, h <= spec.height, w <= spec.width.
        size: (width, height) of the image.
        activation: "none" where `logits` are scores already, 0..1: then these are interpolated.
    """
    runs = _runs(logits, size, decision.threshold, spec, activation)
    owner = _components(runs, size[1])
    areas = np.bincount(owner, runs.stop - runs.start).astype(np.int64)
    large = areas >= decision.minimum_area * (size[0] * size[1])
    regions = _regions(runs, owner, np.flatnonzero(large), decision.label, size)
    kept = large[owner]
    starts, stops = ((runs.column * size[1] + end)[kept] for end in (runs.start, runs.stop))
    # A run that ends at the foot of a column goes on where the next column begins with one.
    apart = starts[1:] != stops[:-1]
    outermost = np.ones(min(len(starts), 1), np.bool_)
    return regions, Mask(size, starts[np.append(outermost, apart)], stops[np.append(apart, outermost)])


def bound(threshold: float, activation: str = "sigmoid") -> float:
    """Return the network's output whose score is `threshold` (0..1): a logit, or with "none" the score itself."""
    if activation == "none":
        return threshold
    return log(threshold / (1 - threshold)) if 0 < threshold < 1 else inf if threshold else -inf


class _Runs(NamedTuple):
    """Runs of mask pixels down the columns of the image, none empty, sorted by column and start.

    `column`, `start` and `stop` are int64 (runs,), in pixels; `score` is float64 (runs,), the mean over each.
    """

    column: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    score: np.ndarray


_NO_RUNS = _Runs(*(np.zeros(0, kind) for kind in (np.int64, np.int64, np.int64, np.float64)))


class _Axis(NamedTuple):
    """One axis of the image, as far as the network saw it.

    Attributes:
        first: the first pixel that is seen.
        at: float64, ascending: where the centres of the pixels from `first` on lie among the cells of the logits, the
            centres of which are at 0, 1, 2, ...
        crowd: the part of the cells that is to be averaged to one cell a pixel, and `at` is for those; None where cells
            are as large as pixels or larger.
    """

    first: int
    at: np.ndarray
    crowd: tuple[float, float] | None


def _axis(begin: float, end: float, inner: tuple[int, int], input_pixels: int, cells: int) -> _Axis:
    """Return the axis of which the network saw `begin` to `end`, in pixels, at `inner` of its `input_pixels`."""
    first, stop = ceil(begin - 0.5), floor(end - 0.5) + 1  # pixels whose centres lie inside
    scale = (inner[1] - inner[0]) / (end - begin) * cells / input_pixels
    edge = inner[0] * cells / input_pixels + (first - begin) * scale
    steps = np.arange(stop - first, dtype=np.float64)
    if scale > 1:
        return _Axis(first, steps, (max(edge, 0.0), min(edge + len(steps) * scale, float(cells))))
    # Rounded, so that a pixel whose centre is a cell's is not beside it by a binary fraction.
    at = np.round(edge + (steps + 0.5) * scale - 0.5, 9)
    return _Axis(first, np.minimum(np.maximum(at, 0), cells - 1), None)


def _thin(logits: np.ndarray, x: _Axis, y: _Axis) -> np.ndarray:
    """Return `logits` with no more than one cell a pixel."""
    if x.crowd is None and y.crowd is None:
        return logits
    height, width = logits.shape
    (left, right), (top, bottom) = x.crowd or (0, width), y.crowd or (0, height)
    shape = (len(x.at) if x.crowd else width, len(y.at) if y.crowd else height)
    image = Image.fromarray(np.ascontiguousarray(logits, np.float32))
    return np.asarray(resample(image, shape, (left, top, right, bottom)))


def _runs(logits: np.ndarray, size: tuple[int, int], threshold: float, spec: Preprocessing, activation: str) -> _Runs:
    (left, top, right, bottom), inner = place(size, spec)
    x = _axis(left, right, inner[0::2], spec.width, logits.shape[1])
    y = _axis(top, bottom, inner[1::2], spec.height, logits.shape[0])
    if not len(x.at) or not len(y.at):  # all that was seen lies within one pixel, beside its centre
        return _NO_RUNS
    logits = _thin(logits, x, y)
    limit = bound(threshold, activation)

    # Only a cell that reaches the limit gives its surroundings to the mask, up to the next centres.
    reached = logits >= limit
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    if not len(rows):
        return _NO_RUNS
    low, high = max(int(rows[0]) - 1, floor(y.at[0])), min(int(rows[-1]) + 1, ceil(y.at[-1]))
    begin, end = np.searchsorted(x.at, columns[0] - 1, "right"), np.searchsorted(x.at, columns[-1] + 1, "left")
    if low > high or begin >= end:  # only black padding reaches it
        return _NO_RUNS
    values = _interpolate(logits[low : high + 1].T, x.at[begin:end])

    # Down each column, with nothing above and below, the changes are in turns a start and a stop.
    inside = np.zeros((values.shape[0], values.shape[1] + 2), np.bool_)
    np.greater_equal(values, limit, out=inside[:, 1:-1])
    column, row = np.divmod(np.flatnonzero(inside[:, 1:] != inside[:, :-1]), values.shape[1] + 1)
    if not len(row):
        return _NO_RUNS
    # A change at `row` lies between the centres of the row before and of this row, where the line meets the limit; at
    # the image's edges it is that edge, and its place is the outermost centre.
    edge_above, edge_below = row == 0, row == values.shape[1]
    before = values[column, np.maximum(row - 1, 0)].astype(np.float64)
    after = values[column, np.minimum(row, values.shape[1] - 1)].astype(np.float64)
    with np.errstate(all="ignore"):  # there is no line at the edges
        place_ = np.where(edge_above | edge_below, row - edge_below, row - 1 + (limit - before) / (after - before))
        scores = values[inside[:, 1:-1]]
        if activation == "sigmoid":
            scores = 1 / (1 + np.exp(-scores))
    starts = np.where(edge_above[::2], 0, np.searchsorted(y.at, low + place_[::2], "left"))
    stops = np.where(edge_below[1::2], len(y.at), np.searchsorted(y.at, low + place_[1::2], "right"))
    means = _means(scores, row[::2], row[1::2], place_[::2], place_[1::2], threshold)
    some = starts < stops  # a peak between the centres of two pixels is in no mask
    return _Runs((x.first + begin + column[::2])[some], (y.first + starts)[some], (y.first + stops)[some], means[some])


def _interpolate(cells: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return (len(at), m): `cells` (n, m) at the places `at`, each in 0..n-1, along the first axis."""
    near = np.minimum(at.astype(np.intp), max(len(cells) - 2, 0))
    cells = np.ascontiguousarray(cells)
    values = cells[near]
    if len(cells) > 1:
        slopes = np.diff(cells, axis=0)[near]
        slopes *= (at - near).astype(np.float32)[:, None]
        values += slopes
    return values


def _means(
    scores: np.ndarray, first: np.ndarray, stop: np.ndarray, begin: np.ndarray, end: np.ndarray, threshold: float
) -> np.ndarray:
    """Return each run's mean score, by trapezoids between the centres of the rows and the run's ends.

    `scores` are those at the centres, one run's after the other's. A run has the centres of the rows `first` to before
    `stop`; it reaches from `begin` to `end`, where the score is the threshold.
    """
    counts = stop - first
    offsets = np.cumsum(counts) - counts
    of_first, of_last = scores[offsets], scores[offsets + counts - 1]
    area = np.add.reduceat(scores, offsets, dtype=np.float64) - (of_first + of_last) / 2
    area += (first - begin) * (threshold + of_first) / 2 + (end - (stop - 1)) * (threshold + of_last) / 2
    length = end - begin
    return np.where(length > 0, area / np.where(length > 0, length, 1), of_first)


def _components(runs: _Runs, height: int) -> np.ndarray:
    """Return int64 (runs,): the component of each run, counted from 0 in the order of their first runs.

    Union and find on all touching pairs at once: the higher root of each pair is hung under the lower one, then every
    run under its root, until no pair has two roots.
    """
    count = len(runs.column)
    # Runs of one column and of the next touch, corners included, where neither stops before the other starts; keys with
    # a gap between the columns make these one range of the runs before.
    base = runs.column * (height + 2)
    low = np.searchsorted(base + runs.stop, base - (height + 2) + runs.start, "left")
    high = np.searchsorted(base + runs.start, base - (height + 2) + runs.stop, "right")
    touching = np.maximum(high - low, 0)
    right = np.repeat(np.arange(count), touching)
    left = np.arange(len(right)) + np.repeat(low - (np.cumsum(touching) - touching), touching)
    # Within a column, two runs touch where only the space between two pixels divides them.
    inner = np.flatnonzero((base + runs.stop)[:-1] == (base + runs.start)[1:])
    left, right = np.append(left, inner), np.append(right, inner + 1)
    root = np.arange(count)
    while True:
        a, b = root[left], root[right]
        differ = a != b
        if not differ.any():
            break
        left, right, a, b = left[differ], right[differ], a[differ], b[differ]
        root[np.maximum(a, b)] = np.minimum(a, b)
        while True:
            above = root[root]
            if (above == root).all():
                break
            root = above
    return (np.cumsum(root == np.arange(count)) - 1)[root]


def _regions(runs: _Runs, owner: np.ndarray, chosen: np.ndarray, label: str, size: tuple[int, int]) -> list[Region]:
    """Return the `chosen` components as regions, the largest first, equal ones by their first column and row."""
    if not len(chosen):
        return []
    order = np.argsort(owner, kind="stable")
    column, start, stop, score = (values[order] for values in runs)
    firsts = np.searchsorted(owner[order], np.arange(owner.max() + 1))
    pixels = np.add.reduceat(stop - start, firsts)
    means = np.add.reduceat(score * (stop - start), firsts) / pixels
    left, right = column[firsts], np.maximum.reduceat(column, firsts) + 1
    top, bottom = np.minimum.reduceat(start, firsts), np.maximum.reduceat(stop, firsts)
    chosen = chosen[np.argsort(-pixels[chosen], kind="stable")]
    return [
        {
            "label": label,
            "score": float(means[i]),
            "area": int(pixels[i]) / (size[0] * size[1]),
            "pixels": int(pixels[i]),
            "box": [int(left[i]), int(top[i]), int(right[i] - left[i]), int(bottom[i] - top[i])],
        }
        for i in chosen
    ]
