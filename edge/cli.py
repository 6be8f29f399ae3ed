"""The command `edge-infer`: pictures in, answers and their cost out.

Exit status: 0 every picture is answered; 1 `--check` failed; 2 something that the user can mend (every other picture is
answered); 130 after Ctrl-C; 141 where standard output was closed early.
"""

from __future__ import annotations

import os
import sys
from errno import EISDIR

from edge.errors import EdgeError, one_line, was_interrupted

# What takes long to import is imported inside functions, where a Ctrl-C meanwhile is caught.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from edge.engine import Engine, Outline

OK, CHECK_FAILED, MENDABLE, INTERRUPTED, CLOSED = 0, 1, 2, 130, 141
_MASK, _OVERLAY = ".mask.png", ".overlay.jpg"


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's own); return the exit status."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names in any encoding
        try:
            return _run(_arguments(argv))
        finally:
            _write("")  # what argparse wrote meets a closed or full standard output here and not at the exit
    except EdgeError as error:
        _complain(error)
        return MENDABLE
    except MemoryError:
        _complain("the memory is full: use smaller pictures or a smaller model")
        return MENDABLE
    except BrokenPipeError:
        return CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except ImportError as error:
        if was_interrupted(error):
            return INTERRUPTED
        _complain(f"{error.name or 'a package'} can't be imported ({error}): `pip install numpy pillow`")
        return MENDABLE


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    from edge import __version__
    from edge.arguments import Parser

    parser = Parser(
        prog="edge-infer",
        description="Run a compressed network on pictures, and say what it cost. For engineers; not a medical device.",
        epilog="exit status: 0 all answered, 1 --check failed, 2 something to mend (good pictures are still answered), "
        "130 interrupted, 141 output closed early",
    )
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="a file, a folder (its pictures), a quoted pattern, or - for stdin"
    )
    parser.add_argument(
        "--model", metavar="NAME|FILE", help="a model of --list, or a file (default: pneumonia, or the only one)"
    )
    parser.add_argument("--list", action="store_true", help="list the models that came with the program")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout, all else on stderr")
    parser.add_argument("--threads", type=int, metavar="N", help="default: the cores of this process, at most 4")
    parser.add_argument(
        "--runtime",
        choices=("auto", "litert", "tflite", "edgetpu"),
        default="auto",
        help="default: litert, else tflite; edgetpu: a Coral Edge TPU or an error",
    )
    parser.add_argument(
        "--repeat", type=_positive, default=1, metavar="N", help="invoke N times a picture, say the median"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="also write each answer to DIR by the picture's name: NAME.json; mask and overlay of a segmentation",
    )
    parser.add_argument("--check", action="store_true", help="compare with the golden vectors in the model file")
    parser.add_argument("--max-pixels", type=_positive, metavar="N", help="refuse larger pictures (default: 64000000)")
    parser.add_argument("--version", action="version", version=f"edge-infer {__version__}")
    arguments = parser.parse_args(argv)
    if (arguments.list or arguments.check) and arguments.images:
        parser.error("--list and --check take no IMAGE")
    if not (arguments.list or arguments.check or arguments.images):
        parser.error("no IMAGE was given: name a file, a folder, a pattern, or - for standard input")
    return arguments


def _positive(text: str) -> int:
    import argparse

    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return number


def _run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list(arguments.json)
    from edge.engine import load

    if arguments.output is not None:
        _make_folder(arguments.output)
    engine = load(arguments.model, arguments.runtime, arguments.threads)
    return _check(engine, arguments.json) if arguments.check else _infer(engine, arguments)


def _infer(engine: Engine, arguments: argparse.Namespace) -> int:
    from edge import board, meter, report, targets
    from edge.engine import Outline
    from edge.image import MAX_PIXELS, SUFFIXES
    from edge.sources import STDIN, expand, result_names

    status, names = OK, []
    drawing = arguments.output is not None and engine.file.manifest.task == "segmentation"
    for word in arguments.images:
        try:
            found = expand(word, SUFFIXES)
        except EdgeError as error:
            _complain(error)
            status = MENDABLE
            continue
        if drawing and found != [word]:
            _refuse_to_mix(word, found, arguments.output)
        names += found
    text = report.Text(_colour())
    max_pixels = arguments.max_pixels or MAX_PIXELS
    pictures = {os.path.realpath(name) for name in names} if drawing else set()
    invokes: list[float] = []
    for name, result_name in zip(names, result_names(names), strict=True):
        first = engine.first_invoke_ms is None
        try:
            if drawing:
                _refuse_to_replace(pictures, arguments.output, result_name)
            # Read here and once: it may be a pipe, and is decoded again to be drawn over.
            data, read_ms = _read(name)
            title = "the picture on standard input" if name == STDIN else name
            answer = engine(data, arguments.repeat, max_pixels, title)
            files = _drawn(result_name, data, answer) if isinstance(answer, Outline) and drawing else {}
        except EdgeError as error:
            _complain(error)
            status = MENDABLE
            continue
        except MemoryError:
            _complain(f"{name} does not fit into memory: make it smaller or set a lower --max-pixels")
            status = MENDABLE
            continue
        for phase in ("read", "total"):
            answer.latency_ms[phase] += read_ms
        invokes.append(answer.latency_ms["invoke"])
        if arguments.json or arguments.output is not None:
            memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
            measured = {"latency_ms": answer.latency_ms["invoke"], "memory_mb": memory["peak"]}
            comparison = targets.compare(engine.file.manifest, measured)
            line = _json(report.record(name, engine, answer, memory, comparison, board.read()))
            if arguments.output is not None:
                try:
                    _write_files(arguments.output, {**files, f"{result_name}.json": line.encode()})
                except EdgeError as error:
                    _complain(error)
                    status = MENDABLE
        if arguments.json:
            _write(line)
        else:
            _write(text.answer(name, engine, answer, _how(first, arguments.repeat)))
    if not invokes:
        return status
    here = board.read()
    if arguments.json:
        _say(report.NOTICE)
    else:
        memory = {"peak": meter.peak_mb(), "model": engine.model_mb}
        measured = {"latency_ms": meter.median(invokes), "memory_mb": memory["peak"]}
        _write(text.summary(engine, memory, targets.compare(engine.file.manifest, measured), here))
    for warning in here.warnings():
        _say(f"warning: {warning}")
    return status


def _how(first: bool, repeat: int) -> str:
    if repeat == 1:
        return "the first" if first else "one"
    return f"median of {repeat - first}{' after the first' if first else ''}"


def _check(engine: Engine, as_json: bool) -> int:
    from edge import report
    from edge.check import check

    verdicts = check(engine)
    text = report.Text(_colour())
    for verdict in verdicts:
        _write(_json(verdict._asdict()) if as_json else text.verdict(verdict))
    failed = sum(verdict.failed for verdict in verdicts)
    (_say if as_json else _write)(
        f"{len(verdicts) - failed} of {len(verdicts)} golden vectors passed on {report.runtime_line(engine.runtime)}\n"
    )
    return CHECK_FAILED if failed else OK


def _list(as_json: bool) -> int:
    from edge import report
    from edge.model import read, shipped

    status, rows = OK, []
    for path in shipped():
        try:
            rows.append(report.model_record(read(path)))
        except EdgeError as error:
            _complain(error)
            status = MENDABLE
    if as_json:
        _write("".join(_json(row) for row in rows))
    elif rows:
        _write(report.model_table(rows))
    else:
        _write("no models came with this installation: name a file with --model FILE\n")
    return status


def _json(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value) + "\n"


def _read(name: str) -> tuple[bytes, float]:
    """Return a picture's bytes and the milliseconds to read them, not counted for what standard input waits for."""
    from edge import meter
    from edge.image import read_bytes
    from edge.sources import STDIN

    if name == STDIN:
        return _stdin(), 0.0
    watch = meter.Stopwatch()
    return read_bytes(name), watch.lap("read")


def _stdin() -> bytes:
    if sys.stdin is None:
        raise EdgeError("standard input is closed: expected a picture there")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise EdgeError(f"standard input can't be read ({error.strerror}): expected a picture there") from None


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise EdgeError(f"{path} can't be made a folder ({error.strerror}): give --output another one") from None


def _refuse_to_replace(pictures: set[str], folder: str, name: str) -> None:
    """Raise EdgeError where a mask or overlay of this name would take the place of one of the pictures."""
    for ending in (_MASK, _OVERLAY):
        path = os.path.join(folder, name + ending)
        if os.path.realpath(path) in pictures:
            raise EdgeError(f"{path} is one of the pictures and would be replaced: give --output another folder")


def _refuse_to_mix(word: str, found: list[str], folder: str) -> None:
    """Raise EdgeError where masks would lie among the pictures that a word found, and be found the next time."""
    if os.path.realpath(folder) in {os.path.realpath(os.path.dirname(name)) for name in found}:
        raise EdgeError(f"{word} is where the pictures are and where results would go: give --output another folder")


def _drawn(name: str, data: bytes, answer: Outline) -> dict[str, bytes]:
    """Return file name -> content: the mask, and the picture in `data` with it drawn over."""
    from edge import report
    from edge.overlay import mask_png, overlay_jpeg

    mask, captions = answer.mask, [report.caption(answer), report.NOTICE]
    return {
        name + _MASK: mask_png(mask),
        name + _OVERLAY: overlay_jpeg(data, mask, answer.results, captions, answer.window),
    }


def _write_files(folder: str, files: dict[str, bytes]) -> None:
    """Write all of them whole or none: beside their places first, then renamed."""
    places = {name: (os.path.join(folder, f".{name}.{os.getpid()}"), os.path.join(folder, name)) for name in files}
    path = folder
    try:
        try:
            for name, (beside, path) in places.items():
                if os.path.isdir(path):
                    raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
                with open(beside, "wb") as file:
                    file.write(files[name])
            for beside, path in places.values():
                os.replace(beside, path)
        finally:
            for beside, _ in places.values():
                if os.path.exists(beside):
                    os.unlink(beside)
    except OSError as error:
        raise EdgeError(
            f"{path} can't be written ({error.strerror}): make room there, or give --output another folder"
        ) from None


def _write(text: str) -> None:
    """Write to standard output at once, so that what goes wrong there shows here."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be tried again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise EdgeError(f"standard output can't be written ({error.strerror}): make room where it goes") from None


def _say(text: str) -> None:
    """Write a line to standard error, if there is one that can be written."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text.rstrip("\n") + "\n")
            sys.stderr.flush()
    except OSError:
        pass


def _complain(error: object) -> None:
    _say(f"edge-infer: {one_line(str(error))}")


def _colour() -> bool:
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
