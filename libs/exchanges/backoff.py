"""Exponential back-off with full jitter, so that many clients do not return in step."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits grow from `first_seconds` by factor 2 to `longest_seconds`; each is drawn from the upper half of its range."""

    first_seconds: float = 0.2
    longest_seconds: float = 30.0
    attempt: int = 0

    def next_seconds(self) -> float:
        """The next wait."""
        ceiling = min(self.longest_seconds, self.first_seconds * 2.0 ** min(self.attempt, 30))
        self.attempt += 1
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """A success: start small again."""
        self.attempt = 0
