"""Where a risk rule warns and where it breaks, as a setting that a rule ships and its owner may change."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Limit = Annotated[Decimal, Field(ge=0, le=1_000_000_000)] | None


class Thresholds(BaseModel):
    """In the rule's unit; reached is exceeded. None: it never warns, or never breaks; both None: the rule is off."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    warning: Limit = None
    breach: Limit = None

    @property
    def are_off(self) -> bool:
        """Whether there is nothing to look at."""
        return self.warning is None and self.breach is None

    def are_ordered(self, is_floor: bool) -> bool:
        """Whether the warning comes no later than the break."""
        if self.warning is None or self.breach is None:
            return True
        return self.warning >= self.breach if is_floor else self.warning <= self.breach


def at(warning: str, breach: str) -> Thresholds:
    """Thresholds from text. Raises pydantic's `ValidationError` for what is no number."""
    return Thresholds(warning=Decimal(warning), breach=Decimal(breach))
