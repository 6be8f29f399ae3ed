"""Images in, answers and their cost out: what `edge-infer` does with the images asked for."""

from __future__ import annotations

import os
import sys

from edge.errors import EdgeError, one_line, was_interrupted
from edge.record import answer_record, error_record
from edge.sources import STDIN, expand, left_out_line
from edge.terminal import complain, say, wants_colour, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from edge.engine import Answer, Engine, Outline
    from edge.results import Place, Results

OK, INVALID = 0, 2
FULL = "the memory is full: use smaller images or a smaller model"


def to_json(value: dict[str, Any]) -> str:
    """Return an object as one line."""
    import json

    return json.dumps(value) + "\n"


class Run:
    """The images of one command, one after the other.

    Attributes:
        status: 0, or 2 once anything is invalid.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.status = OK
        self._arguments = arguments
        self._jobs: list[tuple[str, str | None]] = []  # image, and the folder that was looked into
        self._searched: dict[str, list[tuple[str, str | None]]] = {}  # of each such word
        self._results: Results | None = None
        self._warm: list[float] = []
        self._answered = 0

    def __call__(self) -> int:
        """Answer every image; return the exit status."""
        try:
            from edge.image import SUFFIXES
        except ImportError as error:
            missing = import_failed(error)
            complain(missing)
            for word in self._arguments.images:
                self._record_error(word, missing, None)
            return INVALID
        for word in self._arguments.images:
            self._expand(word, SUFFIXES)
        engine = self._load() if self._jobs else None
        if engine is not None:
            for image, root in self._jobs:
                self._answer(engine, image, root)
            if self._answered and not self._arguments.quiet:
                self._close(engine)
        return self.status

    def _expand(self, word: str, suffixes: tuple[str, ...]) -> None:
        output = self._arguments.output
        try:
            found = expand(word, suffixes, None if output is None else os.path.realpath(output))
        except EdgeError as error:
            self._invalid(word, error)
            return
        jobs = [(image, found.root) for image in found.images]
        self._jobs += jobs
        if found.root is not None:
            self._searched[word] = jobs
        line = left_out_line(found.left_out)
        if line and not self._arguments.quiet:
            say(f"note: {one_line(word)}: {line}")

    def _load(self) -> Engine | None:
        """Return the engine; None where something keeps every image from an answer, which then is said."""
        from edge.results import Results

        arguments = self._arguments
        try:
            if arguments.output is not None:
                self._results = Results(arguments.output)
            from edge.engine import load

            engine = load(arguments.model, arguments.runtime, arguments.threads)
            if self._results is not None and engine.file.manifest.task == "segmentation":
                self._refuse_to_mix(self._results.folder)
            return engine
        except EdgeError as error:
            refusal = error
        except MemoryError:
            refusal = EdgeError(FULL, code="memory")
        except ImportError as error:
            refusal = import_failed(error)
        self.status = INVALID
        complain(refusal)
        for image, root in self._jobs:
            place = self._results.place(image, root) if self._results is not None else None
            self._record_error(image, refusal, place)
        return None

    def _answer(self, engine: Engine, image: str, root: str | None) -> None:
        place = self._results.place(image, root) if self._results is not None else None
        first = engine.first_invoke_ms is None
        try:
            answer, files = self._ask(engine, image, place is not None)
            record = self._record(engine, image, answer)
        except EdgeError as error:
            self._invalid(image, error, place)
            return
        except MemoryError:
            reason = f"{image} does not fit into memory: make it smaller or set a lower --max-pixels"
            self._invalid(image, EdgeError(reason, code="image.memory"), place)
            return
        self._answered += 1
        self._warm += answer.warm_ms
        for warning in answer.warnings:
            say(f"warning: {one_line(image)}: {one_line(warning.message)}")
        if place is not None and self._results is not None:
            try:
                self._results.write(place, record, files)
            except EdgeError as error:
                self._invalid(image, error, place)
                if self._arguments.json:
                    return
        write(to_json(record) if self._arguments.json else self._text(engine, image, answer, first))

    def _ask(self, engine: Engine, image: str, has_place: bool) -> tuple[Answer | Outline, dict[str, bytes]]:
        """Return the answer, and what is drawn of it: ending -> content."""
        from edge.image import MAX_PIXELS

        arguments = self._arguments
        # Read here and once: it may be a pipe, and is decoded again to be drawn over.
        data, read_ms = _read(image)
        title = "the image on standard input" if image == STDIN else image
        answer = engine(data, arguments.repeat, arguments.max_pixels or MAX_PIXELS, title, arguments.warmup)
        for phase in ("read", "total"):
            answer.latency_ms[phase] += read_ms
        if arguments.strict and answer.warnings:
            said = "; ".join(warning.message for warning in answer.warnings)
            raise EdgeError(f"{title}: {said} (--strict)", code=answer.warnings[0].code)
        drawing = has_place and engine.file.manifest.task == "segmentation"
        return answer, _drawn(data, answer) if drawing else {}  # type: ignore[arg-type]

    def _record(self, engine: Engine, image: str, answer: Answer | Outline) -> dict[str, Any]:
        if not self._arguments.json and self._results is None:
            return {}
        from edge import board, meter, targets

        memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
        measured = targets.here(answer.warm_ms, engine.first_invoke_ms, memory["peak"])
        comparison = targets.compare(engine.file.manifest, measured)
        return answer_record(image, engine, answer, memory, comparison, board.read())

    def _text(self, engine: Engine, image: str, answer: Answer | Outline, first: bool) -> str:
        from edge.report import Text

        text = Text(wants_colour())
        return text.short(image, answer) if self._arguments.quiet else text.answer(image, engine, answer, first)

    def _close(self, engine: Engine) -> None:
        """Say what the whole run cost."""
        from edge import board, meter, report, targets

        here = board.read()
        if self._arguments.json:
            say(report.NOTICE)
        else:
            memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
            measured = targets.here(self._warm, engine.first_invoke_ms, memory["peak"])
            comparison = targets.compare(engine.file.manifest, measured)
            text = report.Text(wants_colour())
            write(text.summary(engine, memory, comparison, here, self._arguments.targets))
        for warning in here.warnings():
            say(f"warning: {warning}")

    def _invalid(self, image: str, error: EdgeError, place: Place | None = None) -> None:
        """Say what is wrong with one image: in a line, in its record, and in its place."""
        self.status = INVALID
        complain(error)
        self._record_error(image, error, place)

    def _record_error(self, image: str, error: EdgeError, place: Place | None) -> None:
        record = error_record(image, error)
        if place is not None and self._results is not None:
            try:
                self._results.write(place, record, {})
            except EdgeError as another:
                if another.code != error.code:  # else it says the same
                    complain(another)
        if self._arguments.json:
            write(to_json(record))

    def _refuse_to_mix(self, folder: str) -> None:
        """Raise EdgeError where masks would lie among the images that a word found, and be found the next time."""
        from edge.results import result_name

        for word, jobs in self._searched.items():
            among = {os.path.realpath(os.path.dirname(image)) for image, _ in jobs}
            names = {os.path.dirname(result_name(image, root)) for image, root in jobs}
            if among & {os.path.realpath(os.path.join(folder, name)) for name in names}:
                self._results = None  # not even the error is written there
                raise EdgeError(
                    f"{word} is where the images are and where results would go: give --output another folder",
                    code="output.mixed",
                )


def import_failed(error: ImportError) -> EdgeError:
    """Return what to say of a package that can't be imported; a Ctrl-C in disguise is raised as such."""
    if was_interrupted(error):
        raise KeyboardInterrupt from None
    what = error.name or "a package"
    return EdgeError(f"{what} can't be imported ({error}): `pip install numpy pillow`", code="runtime.missing")


def _read(name: str) -> tuple[bytes, float]:
    """Return an image's bytes and the milliseconds to read them, not counted for what standard input waits for."""
    from edge import meter
    from edge.image import read_bytes

    if name == STDIN:
        return _stdin(), 0.0
    watch = meter.Stopwatch()
    return read_bytes(name), watch.lap("read")


def _stdin() -> bytes:
    if sys.stdin is None:
        raise EdgeError("standard input is closed: expected an image there", code="image.unreadable")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise EdgeError(
            f"standard input can't be read ({error.strerror}): expected an image there", code="image.unreadable"
        ) from None


def _drawn(data: bytes, answer: Outline) -> dict[str, bytes]:
    """Return ending -> content: the mask, and the image in `data` with it drawn over."""
    from edge import report
    from edge.overlay import mask_png, overlay_jpeg
    from edge.results import MASK, OVERLAY

    mask, captions = answer.mask, [report.caption(answer), report.NOTICE]
    return {MASK: mask_png(mask), OVERLAY: overlay_jpeg(data, mask, answer.results, captions)}
