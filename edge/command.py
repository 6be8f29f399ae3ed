"""How the host's commands end: `edge-compress` and `edge-deploy`. `edge-infer`, which starts lightly, has its own."""

from __future__ import annotations

import _signal  # what `signal` wraps in Python code, for types
import errno
import io
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from edge.errors import EdgeError, one_line, was_interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OK, INVALID, INTERRUPTED, CLOSED = 0, 2, 130, 141


def log(text: str) -> None:
    """Print lines on standard output, all that is not printable in them escaped: files and their names are others'."""
    print("\n".join(map(one_line, text.split("\n"))), flush=True)


class Progress:
    """What is being done, on standard error: one line that changes on a terminal, now and then a line elsewhere.

    A text that ends with a line break stays.
    """

    INTERVAL = 15.0  # seconds between lines where nobody watches

    def __init__(self, elsewhere: bool = True, shown: bool = True) -> None:
        """`elsewhere`: whether there are lines where standard error is no terminal. `shown`: whether there are any."""
        self._shown, self._terminal = shown, shown and sys.stderr.isatty()
        self._elsewhere = elsewhere
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if not self._shown:
            return
        now = time.monotonic()
        is_kept, text = text.endswith("\n"), one_line(text.rstrip("\n"))
        if is_kept:
            sys.stderr.write(("\r\033[K" if self._terminal else "") + text + "\n")
        elif self._terminal:
            sys.stderr.write(f"\r\033[K{text[:110]}")
        elif self._elsewhere and now - self._last >= self.INTERVAL:
            self._last = now
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def log(self, text: str, log: Callable[[str], None] = log) -> None:
        """Print a line of result with `log`, the line of progress taken away first."""
        if self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        log(text)


def ended(program: str, action: Callable[[], None], interrupted: str) -> int:
    """Do `action`; return the exit status: 0 done, 2 invalid input, 130 interrupted, 141 closed output.

    What went wrong is said in one line on standard error; `interrupted` is what that says after a Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in any encoding
    try:
        action()
        sys.stdout.flush()
        return OK
    except EdgeError as error:
        said = one_line(str(error))
    except ModuleNotFoundError as error:
        said = (
            f"Python module {error.name!r} is not installed: expected the host's tools; "
            "install them with pip install '.[host]' in the project's folder"
        )
    except BrokenPipeError:
        _drop_output()  # or Python complains again at exit
        return CLOSED
    except KeyboardInterrupt:
        return _interrupted(program, interrupted)
    except MemoryError:
        said = "the memory is full: expected room to work; stop other programs, or raise the limit (ulimit -v)"
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # what is left in the buffer would be tried again at the exit
            _drop_output()
        said = f"{error.filename or 'output'} can't be written or read ({error.strerror}): {_hint(error.errno)}"
    except Exception as error:
        if was_interrupted(error):  # in the midst of an import: of a native module's, too, that made another one of it
            return _interrupted(program, interrupted)
        if not isinstance(error, (ImportError, SystemError)):
            raise
        reason = one_line(str(error))[:200]
        said = (
            f"a Python module can't be imported ({reason}): expected the host's tools and room to load them; free "
            "memory and raise limits (ulimit -v, ulimit -n), or install them again with pip install '.[host]'"
        )
    print(f"{program}: {said}", file=sys.stderr)
    return INVALID


def started(program: str, module: str, while_importing: Callable[[int, Any], None]) -> int:
    """Return the exit status of a process that does what `main` in `module` does; called by its own entry alone.

    Where it is not 0 the process ends here: Python's own end could wait for native threads that found no memory, or
    show a second Ctrl-C's traceback.

    Args:
        while_importing: what handles a Ctrl-C until the module is imported.
    """
    status: list[int] = []

    def act() -> None:
        main = __import__(module, fromlist=["main"]).main
        if _signal.getsignal(_signal.SIGINT) is while_importing:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        status.append(main())

    try:
        ending = ended(program, act, "give the same command again")
        ending = status[0] if status else ending
    except KeyboardInterrupt:  # another, while the first was told of
        ending = INTERRUPTED
    finally:
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    if ending:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):  # what is closed or full has been said, or can't be
                stream.flush()
        os._exit(ending)
    return ending


def _interrupted(program: str, what_now: str) -> int:
    print(f"\n{program}: interrupted; {what_now}", file=sys.stderr)
    return INTERRUPTED


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hint(number: int | None) -> str:
    if number in (errno.EMFILE, errno.ENFILE):
        return "close other programs, or raise the limit of open files (ulimit -n)"
    if number in (errno.ENOMEM, errno.EAGAIN):
        return "stop other programs, or raise their limits (ulimit -v, ulimit -u)"
    return "free some space" if number == errno.ENOSPC else "check the path and its permissions"
