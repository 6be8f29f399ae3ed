"""How the host's commands end: `edge-compress` and `edge-deploy`. `edge-infer`, which starts lightly, has its own."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

from edge.errors import EdgeError, one_line

OK, MENDABLE, INTERRUPTED, CLOSED = 0, 2, 130, 141


def say(text: str) -> None:
    """Print lines on standard output, all that is not printable in them escaped: files and their names are others'."""
    print("\n".join(map(one_line, text.split("\n"))), flush=True)


def ended(program: str, action: Callable[[], None], interrupted: str) -> int:
    """Do `action`; return the exit status: 0 done, 2 something to mend, 130 interrupted, 141 closed output.

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
        print(f"{program}: {one_line(str(error))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(
            f"{program}: Python module {error.name!r} is not installed: expected the host's tools; "
            "install them with pip install '.[host]' in the project's folder",
            file=sys.stderr,
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at exit
        return CLOSED
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted; {interrupted}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the path and its permissions"
        try:
            sys.stdout.flush()
        except OSError:  # what is left in the buffer would be tried again at the exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(
            f"{program}: {error.filename or 'output'} can't be written or read ({error.strerror}): {hint}",
            file=sys.stderr,
        )
    return MENDABLE
