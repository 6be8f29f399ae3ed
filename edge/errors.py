"""The one exception a user is meant to see, and how words from outside are shown."""


class EdgeError(Exception):
    """Something the user can mend: the message says what was found, what was expected and what to do.

    Command lines print it as one sentence and end with exit status 2; it never carries a traceback to a user.
    """


def one_line(text: str) -> str:
    """Return it with everything unprintable escaped: file names may hold line ends and a terminal's commands."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def was_interrupted(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind it: numpy and other native modules make an ImportError of one."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or (
            isinstance(error, ImportError) and "KeyboardInterrupt" in str(error)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False
