"""A gate at which a loaded program waits for what it needs: whoever starts it hands down one end of a pipe.

`infra.local` starts all processes of the stack at once and opens the gates by closing its own ends.
"""

import os

GATE_VARIABLE = "PERPSTREAM_START_GATE"


def wait_at_gate() -> None:
    """Return once the other end of the pipe that `GATE_VARIABLE` names is closed; at once when there is no such variable."""
    gate = os.environ.pop(GATE_VARIABLE, None)
    if gate is not None:
        with os.fdopen(int(gate), "rb") as pipe:
            pipe.read()
