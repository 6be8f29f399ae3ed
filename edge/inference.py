"""Images in, answers and their cost out: what `edge-infer` does with the images asked for."""

from __future__ import annotations

import os
import sys
from collections import namedtuple

from edge.errors import FULL, EdgeError, one_line, was_interrupted
from edge.record import answer_record, error_record
from edge.shortage import explained
from edge.sources import STDIN, expand, left_out_line
from edge.terminal import complain, log, wants_colour, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from edge.answer import Answer
    from edge.engine import Engine
    from edge.results import Place, Results

OK, INVALID = 0, 2


class _Job(namedtuple("_Job", ("word", "image", "root", "error"))):
    """An image that a word asks for, and the folder that was looked into (`edge.sources.Found`); or what is wrong with
    the word, which then is its own image."""

    __slots__ = ()


def to_json(value: dict[str, Any]) -> str:
    """Return an object as one line."""
    from edge.strict_json import dumps

    return dumps(value, "the answer") + "\n"


class Run:
    """The images of one command, one after the other.

    Attributes:
        status: 0, or 2 once anything is invalid.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.status = OK
        self._arguments = arguments
        self._jobs: list[_Job] = []
        self._results: Results | None = None
        self._warm: list[float] = []
        self._answered = 0

    def __call__(self) -> int:
        """Answer every image; return the exit status."""
        try:
            import edge.image  # noqa: F401  # numpy and Pillow, without which nothing can be answered
        except (ImportError, MemoryError) as error:
            missing = EdgeError(FULL, code="memory") if isinstance(error, MemoryError) else import_failed(error)
            complain(missing)
            for word in self._arguments.images:
                self._record_error(word, missing, None)
            return INVALID
        for word in self._arguments.images:
            self._expand(word)
        needed = any(job.error is None for job in self._jobs)
        engine, refusal = self._load() if needed else (None, None)
        if refusal is not None:
            self.status = INVALID
            complain(refusal)
        for job in self._jobs:
            if job.error is not None:
                self._invalid(job.image, job.error)
            elif engine is not None:
                self._answer(engine, job)
            elif refusal is not None:
                self._record_error(job.image, refusal, self._place(job))
        if engine is not None and self._answered and not self._arguments.quiet:
            try:
                self._close(engine)
            except MemoryError:  # every image has its record
                self.status = INVALID
                complain(FULL)
        return self.status

    def _expand(self, word: str) -> None:
        output = self._arguments.output
        try:
            found = expand(word, None if output is None else os.path.realpath(output))
        except EdgeError as error:
            self._jobs.append(_Job(word, word, None, error))
            return
        self._jobs += [_Job(word, image, found.root, None) for image in found]
        line = left_out_line(found.left_out)
        if line and not self._arguments.quiet:
            log(f"note: {one_line(word)}: {line}")

    def _load(self) -> tuple[Engine | None, EdgeError | None]:
        """Return the engine, or what keeps every image from an answer."""
        arguments = self._arguments
        try:
            if arguments.output is not None:
                from edge.results import Results

                self._results = Results(arguments.output)
            from edge.engine import load

            engine = load(arguments.model, arguments.runtime, arguments.threads)
            if self._results is not None and engine.file.manifest.task.endings:
                self._refuse_to_mix(self._results.folder)
            return engine, None
        except EdgeError as error:
            return None, explained(error)
        except MemoryError:
            return None, EdgeError(FULL, code="memory")
        except ImportError as error:
            return None, import_failed(error)

    def _place(self, job: _Job) -> Place | None:
        return None if self._results is None else self._results.place(job.image, job.root)

    def _answer(self, engine: Engine, job: _Job) -> None:
        image, place = job.image, self._place(job)
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
            log(f"warning: {one_line(image)}: {one_line(warning.message)}")
        if place is not None and self._results is not None:
            try:
                self._results.write(place, record, files)
            except EdgeError as error:
                self._invalid(image, error, place)
                if self._arguments.json:
                    return
        write(to_json(record) if self._arguments.json else self._text(engine, image, answer, first))

    def _ask(self, engine: Engine, image: str, has_place: bool) -> tuple[Answer, dict[str, bytes]]:
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
        return answer, engine.file.manifest.task.draw(answer, data) if has_place else {}

    def _record(self, engine: Engine, image: str, answer: Answer) -> dict[str, Any]:
        if not self._arguments.json and self._results is None:
            return {}
        from edge import board, meter, targets

        memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
        measured = targets.here(answer.warm_ms, engine.first_invoke_ms, memory["peak"])
        comparison = targets.compare(engine.file.manifest, measured)
        return answer_record(image, engine, answer, memory, comparison, board.read())

    def _text(self, engine: Engine, image: str, answer: Answer, first: bool) -> str:
        from edge.report import Text

        text = Text(wants_colour())
        return text.short(image, answer) if self._arguments.quiet else text.answer(image, engine, answer, first)

    def _close(self, engine: Engine) -> None:
        """Say what the whole run cost."""
        from edge import board, meter, report, targets
        from edge.answer import NOTICE

        here = board.read()
        if self._arguments.json:
            log(NOTICE)
        else:
            memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
            measured = targets.here(self._warm, engine.first_invoke_ms, memory["peak"])
            comparison = targets.compare(engine.file.manifest, measured)
            text = report.Text(wants_colour())
            write(text.summary(engine, memory, comparison, here, self._arguments.targets))
        for warning in here.warnings():
            log(f"warning: {warning}")

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
        """Raise EdgeError where drawings would lie among the images that a word found, and be found the next time."""
        from edge.results import result_name

        jobs = [job for job in self._jobs if job.root is not None]
        for word in dict.fromkeys(job.word for job in jobs):
            found = [job for job in jobs if job.word == word]
            among = {os.path.realpath(os.path.dirname(job.image)) for job in found}
            names = {os.path.dirname(result_name(job.image, job.root)) for job in found}
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
    missing = EdgeError(f"{what} can't be imported ({error}): `pip install numpy pillow`", code="runtime.missing")
    return missing if isinstance(error, ModuleNotFoundError) else explained(missing)


def _read(name: str) -> tuple[bytes, float]:
    """Return an image's bytes and the milliseconds to read them, not counted for what standard input waits for."""
    from edge import meter
    from edge.files import read_image

    if name == STDIN:
        return _stdin(), 0.0
    watch = meter.Stopwatch()
    return read_image(name), watch.lap("read")


def _stdin() -> bytes:
    if sys.stdin is None:
        raise EdgeError("standard input is closed: expected an image there", code="image.unreadable")
    from edge.files import read_stream

    try:
        return read_stream(sys.stdin.buffer, "the image on standard input")
    except OSError as error:
        raise EdgeError(
            f"standard input can't be read ({error.strerror}): expected an image there", code="image.unreadable"
        ) from None
