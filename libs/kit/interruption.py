"""What interrupts a command is one line and exit code 130, from its first moment on: imports take seconds on a busy machine."""

import signal
import sys
from collections.abc import Callable

EXIT_INTERRUPTED = 130


def interruptible(work: Callable[[], int | None], words: str = "interrupted") -> int:
    """The exit code of `work`, which imports what it needs; SIGTERM is taken like Ctrl-C until it minds both itself."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return work() or 0
    except KeyboardInterrupt:
        sys.stderr.write(f"perpstream: {words}\n")
        return EXIT_INTERRUPTED
    finally:
        # CPython ends itself by SIGINT, whatever its exit code, once an interruption has left text that was compiled to run, as
        # the definition of a dataclass is; it forgets that with the next such text (`run_eval_code_obj` in its pythonrun.c).
        exec("")  # noqa: S102
