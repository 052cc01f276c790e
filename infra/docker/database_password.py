"""Makes the database password of the compose stack: random, once, into a file of the volume that only its users mount.

`python -m infra.docker.database_password FILE` leaves an existing file as it is.
"""

import os
import secrets
import sys
from pathlib import Path

PASSWORD_BYTES = 32


def ensure_password(path: Path) -> bool:
    """Write a new random password to `path` unless there is one; whether it was written. Atomic: never a half-written file."""
    if path.exists():
        return False
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o444)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(PASSWORD_BYTES))
    draft.replace(path)
    return True


if __name__ == "__main__":
    made = ensure_password(Path(sys.argv[1]))
    sys.stdout.write("made a database password\n" if made else "the database password is there\n")
