"""A run's fault log: what was done, to whom and when, as JSON lines that can be read while the run goes on."""

import json
from dataclasses import dataclass
from pathlib import Path

from libs.kit.clock import SystemClock


@dataclass
class FaultLog:
    """`start_ms`: wall time of the folder's making, and from the end of the warm-up on, of the plan's beginning."""

    path: Path
    start_ms: int

    def tell(self, what: str, **details: object) -> None:
        """One line, with ms from there."""
        line = {"at_ms": SystemClock().now_ms() - self.start_ms, "what": what, **details}
        with self.path.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")
