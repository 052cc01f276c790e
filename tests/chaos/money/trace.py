"""A log of everything that was said in a run, with the venue's milliseconds; kept only when somebody wants to read it."""

from collections.abc import Callable
from dataclasses import dataclass, field

_LONGEST_LINE = 400


@dataclass
class Trace:
    """`tell` costs nothing while nobody listens."""

    now_ms: Callable[[], int]
    start_ms: int
    listens: bool = False
    lines: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str) -> None:
        """One line."""
        if self.listens:
            at = (self.now_ms() - self.start_ms) / 1000
            self.lines.append(f"{at:9.3f} {who:<11} {what[:_LONGEST_LINE]}")
