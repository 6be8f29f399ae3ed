"""The command `edge-infer`: images in, answers and their cost out.

Exit status: 0 every image is answered; 1 `--check` failed; 2 invalid input (every other image is answered); 130 after
Ctrl-C; 141 where standard output was closed early. docs/answers.md says what it prints.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from edge.errors import FULL, EdgeError, was_interrupted
from edge.record import error_record
from edge.shortage import explained
from edge.terminal import complain, log, wants_colour, write

# What takes long to import is imported inside functions, where a Ctrl-C meanwhile is caught.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType

OK, CHECK_FAILED, INVALID, INTERRUPTED, CLOSED = 0, 1, 2, 130, 141
_WITH_VALUE = "motr"  # short options
_MOST_INVOKES = 1_000_000  # of an image


class _Terminated(BaseException):
    """SIGTERM or SIGHUP came: what is half-written is removed on the way out."""


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv` (by default the process's own); return the exit status."""
    heard = _listen()
    try:
        return _ended(sys.argv[1:] if argv is None else argv)
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _ended(words: list[str]) -> int:
    as_json = _wants_json(words)
    try:
        if as_json:
            import edge.strict_json  # noqa: F401  # before the memory can be full, of which there is to be a record
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names in any encoding
        try:
            return _run(_arguments(words))
        finally:
            write("")  # what argparse wrote meets a closed or full standard output here and not at the exit
    except EdgeError as error:
        return _refused(error, as_json)
    except MemoryError:
        return _refused(EdgeError(FULL, code="memory"), as_json)
    except BrokenPipeError:
        return CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except _Terminated as terminated:
        number = terminated.args[0]
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return 128 + number
    except ImportError as error:
        if was_interrupted(error):
            return INTERRUPTED
        from edge.inference import import_failed

        return _refused(import_failed(error), as_json)


def _listen() -> list[int]:
    """Let SIGTERM and SIGHUP end the program by way of its clean-up, where they would end it at once; return which."""
    heard = []

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            with suppress(ValueError):  # not the main thread
                signal.signal(number, terminate)
                heard.append(number)
    return heard


def _refused(error: EdgeError, as_json: bool) -> int:
    """Say what was refused before there was an image, or instead of one; return the exit status."""
    error = explained(error)
    complain(error)
    if as_json and error.code != "output.unwritable":
        with suppress(EdgeError, BrokenPipeError):
            write(_to_json(error_record(None, error)))
    return INVALID


def _wants_json(words: list[str]) -> bool:
    """Return whether --json is among the words, which may be wrong otherwise."""
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            if len(word) > 2 and "--json".startswith(word):
                return True
        elif word.startswith("-"):
            for letter in word[1:]:
                if letter == "j":
                    return True
                if letter in _WITH_VALUE:
                    break
    return False


def _arguments(words: list[str]) -> argparse.Namespace:
    from edge import __version__
    from edge.arguments import MixedParser

    parser = MixedParser(
        prog="edge-infer",
        usage="edge-infer [OPTION ...] IMAGE ...",
        description="Run a compressed network on images, and say what it cost. For engineers; not a medical device.",
        epilog="exit status: 0 all answered, 1 --check failed, 2 invalid input (all other images are answered), "
        "130 interrupted, 141 output closed early",
    )
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="a file, a folder (its images and those of its sub-folders), a quoted pattern, or - for stdin",
    )
    parser.add_argument(
        "-m", "--model", metavar="NAME|FILE", help="a model of --list, or a file (default: pneumonia, or the only one)"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="also write each answer to DIR by the image's name: NAME.json, and what the task draws (mask, overlay)",
    )
    parser.add_argument("-j", "--json", action="store_true", help="one JSON object an image on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="the answers alone, one line an image")
    parser.add_argument("--strict", action="store_true", help="an image with a warning is invalid input")
    parser.add_argument("--targets", action="store_true", help="show the model's targets as a table")
    _add_running(parser)
    parser.add_argument("--check", action="store_true", help="compare with golden vectors of --model, else of all")
    parser.add_argument("--list", action="store_true", help="list the models that came with the program")
    parser.add_argument("-V", "--version", action="version", version=f"edge-infer {__version__}")
    arguments = parser.parse_words(words, "images")
    if (arguments.list or arguments.check) and arguments.images:
        parser.error("--list and --check take no IMAGE")
    if not (arguments.list or arguments.check or arguments.images):
        parser.error("no IMAGE was given: name a file, a folder, a pattern, or - for standard input")
    return arguments


def _add_running(parser: argparse.ArgumentParser) -> None:
    """Add the options about how the network is run."""
    from edge.arguments import count
    from edge.delegates import RUNTIMES

    parser.add_argument(
        "-t", "--threads", type=count(1, 64), metavar="N", help="default: the cores of this process, at most 4"
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "litert", "tflite", *RUNTIMES),
        default="auto",
        help="default: litert, else tflite; edgetpu: a Coral Edge TPU or an error",
    )
    parser.add_argument(
        "-r",
        "--repeat",
        type=count(1, _MOST_INVOKES),
        default=1,
        metavar="N",
        help="invoke N times an image, say how times spread",
    )
    parser.add_argument(
        "--warmup",
        type=count(0, _MOST_INVOKES),
        default=0,
        metavar="N",
        help="before that, invoke N times an image, uncounted",
    )
    parser.add_argument(
        "--max-pixels",
        type=count(1),
        metavar="N",
        help="refuse larger images (default: 64000000)",
    )


def _run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list(arguments.json, arguments.quiet)
    if arguments.check:
        return _check(arguments)
    from edge.inference import Run

    return Run(arguments)()


def _check(arguments: argparse.Namespace) -> int:
    """Check the model that is named, else every one that is installed; return the worst status."""
    from edge.model import shipped

    installed = [] if arguments.model is not None else [str(path) for path in shipped()]
    if len(installed) < 2:
        return _check_one(arguments, arguments.model, alone=True)
    status = OK
    for path in installed:
        try:
            status = max(status, _check_one(arguments, path, alone=False))
        except EdgeError as error:
            status = _refused(error, arguments.json)
    return status


def _check_one(arguments: argparse.Namespace, model: str | None, alone: bool) -> int:
    from edge import report
    from edge.check import check
    from edge.engine import load

    engine = load(model, arguments.runtime, arguments.threads)
    verdicts = check(engine)
    name = engine.file.manifest.name
    text, whose = report.Text(wants_colour()), "" if alone else f"{name}: "
    for verdict in verdicts:
        if arguments.json:
            write(_to_json({"model": name, **verdict._asdict()}))
        elif verdict.failed or not arguments.quiet:
            write(whose + text.verdict(verdict))
    failed = sum(verdict.failed for verdict in verdicts)
    passed = f"{whose}{len(verdicts) - failed} of {len(verdicts)}"
    if not arguments.quiet:
        (log if arguments.json else write)(f"{passed} golden vectors passed on {report.runtime_line(engine.runtime)}\n")
    return CHECK_FAILED if failed else OK


def _list(as_json: bool, quiet: bool) -> int:
    from edge import report
    from edge.model import read, shipped
    from edge.record import model_record

    status, rows = OK, []
    for path in shipped():
        try:
            rows.append(model_record(read(path)))
        except EdgeError as error:
            status = _refused(error, as_json)
    if as_json:
        write("".join(_to_json(row) for row in rows))
    elif quiet:
        write("".join(f"{row['name']}\n" for row in rows))
    elif rows:
        write(report.model_table(rows))
    else:
        write("no models came with this installation: name a file with --model FILE\n")
    return status


def _to_json(value: dict[str, object]) -> str:
    from edge.inference import to_json

    return to_json(value)
