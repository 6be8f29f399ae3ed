"""The one exception a user is meant to see."""


class EdgeError(Exception):
    """Something the user can mend: the message says what was found, what was expected and what to do.

    Command lines print it as one sentence and end with exit status 2; it never carries a traceback to a user.
    """
