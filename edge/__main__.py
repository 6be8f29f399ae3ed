"""The process `edge-infer`.

Ctrl-C ends it at once and without a word, whatever is being imported: a KeyboardInterrupt would do so only where it
comes out. numpy makes an ImportError of it, and where nothing can catch it (a callback of C code, the interpreter's own
end) Python prints a traceback. So this comes first, and imports nothing that takes time.
"""

import _signal  # what `signal` wraps in Python code, whose import could be interrupted
import os


def end_quietly(number, frame):  # type: ignore[no-untyped-def]  # types would have to be imported
    os._exit(130)


if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # else it is ignored: `nohup`
    _signal.signal(_signal.SIGINT, end_quietly)


def is_full() -> bool:
    """Return whether there is no memory to ask it with, or none left."""
    try:
        from edge.shortage import lacks_memory

        return lacks_memory()
    except Exception:
        return True


def main() -> None:
    """Run the command and end the process with its exit status."""
    # numpy's OpenBLAS would start a thread for each core, which nothing here uses, and waits for them where there is no
    # memory for one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from edge.cli import main as command

        status = command()
    except Exception:
        if not is_full():
            raise
        os.write(2, b"edge-infer: the memory is full: use smaller images or a smaller model\n")
        status = 2
    # What is written is flushed. The interpreter's own end could wait for threads that found no memory.
    os._exit(status)


if __name__ == "__main__":
    main()
