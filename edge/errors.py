"""The one exception a user is meant to see, what an answer warns of, and how words from outside are shown."""

from collections import namedtuple

FULL = "the memory is full: use smaller images or a smaller model"


class EdgeError(Exception):
    """Invalid input or configuration: the message says what was found, what was expected and what to do.

    Command lines print it as one sentence and end with exit status 2; it never carries a traceback to a user.

    Attributes:
        code: for programs, "area.what" (docs/answers.md lists them); "invalid" where none was given.
    """

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


class ImageWarning(namedtuple("ImageWarning", ("code", "message"))):  # typing costs a cold start
    """What makes an answer doubtful though it was given: `code` for programs, `message` for people, both str."""

    __slots__ = ()


def one_line(text: str) -> str:
    """Return it with everything unprintable escaped: file names may hold line ends and a terminal's commands."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def brief(text: str, most: int = 200) -> str:
    """Return at most so many characters of it on one line, and how many there were, for display."""
    return one_line(text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)")


def quoted(path: str) -> str:
    """Return a path as a shell's word. `one_line` then leaves it one: what it escapes stands in $'...', as in bash."""
    path = f"./{path}" if path.startswith("-") else path
    if path.isascii() and path and all(letter.isalnum() or letter in "@%+=:,./_-" for letter in path):
        return path
    if path.isprintable():
        return "'" + path.replace("'", "'\"'\"'") + "'"
    return "$'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"


def was_interrupted(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind it: numpy and other native modules make an ImportError of one."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or (
            isinstance(error, ImportError) and "KeyboardInterrupt" in str(error)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False
