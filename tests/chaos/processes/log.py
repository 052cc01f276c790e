"""A run's fault log: what was done, to whom and when, as JSON lines that can be read while the run goes on."""

import json
from dataclasses import dataclass
from pathlib import Path

from libs.kit.clock import SystemClock


@dataclass
class FaultLog:
    """`start_ms`: when the run's plan begins, wall time."""

    path: Path
    start_ms: int = 0

    def tell(self, what: str, **details: object) -> None:
        """One line, with ms from the run's start."""
        line = {"at_ms": SystemClock().now_ms() - self.start_ms, "what": what, **details}
        with self.path.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")
