"""What ends a command early, told as one line to the user instead of a traceback."""

FAILED = 1
"""Exit status: the run failed or was canceled, or the server refused the request."""

USAGE = 2
"""Exit status: the command was not used correctly."""


class Problem(Exception):
    """A command cannot go on.

    Args:
        message: What is wrong, in one line.
        hint: What to do about it, if there is anything to do.
        exit_status: `FAILED` or `USAGE`.
    """

    def __init__(self, message: str, hint: str | None = None, exit_status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_status = exit_status
