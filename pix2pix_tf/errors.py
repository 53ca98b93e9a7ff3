"""The one exception that the command line shows as a single line."""


class InputError(ValueError):
    """What a person gave cannot be used; the message says what was expected and received.

    The command line prints the message without a traceback and exits with code 1. Any other
    exception is a defect of the program and keeps its traceback.
    """
