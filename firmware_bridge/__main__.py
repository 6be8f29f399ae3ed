"""The process `edge-deploy`; `python -m firmware_bridge` is the same.

A Ctrl-C while modules are imported ends it at once with a sentence: native modules make other exceptions of a
KeyboardInterrupt, or a traceback. So this comes first, and imports nothing that takes time.
"""

import _signal  # what `signal` wraps in Python code, whose import could be interrupted
import os


def end_at_once(number, frame):  # type: ignore[no-untyped-def]  # types would have to be imported
    os.write(2, b"\nedge-deploy: interrupted; give the same command again\n")
    os._exit(130)


if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else it is ignored: `nohup`
    _signal.signal(_signal.SIGINT, end_at_once)


def main() -> int:
    """Run the command line as a process of its own; return the exit status."""
    from edge.command import started

    return started("edge-deploy", "firmware_bridge.cli", end_at_once)


if __name__ == "__main__":
    raise SystemExit(main())
