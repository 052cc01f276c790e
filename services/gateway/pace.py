"""How fast one person, and one person's programs, tell guard and executor something: well below what those can take.

Every command costs its target a check of its signature, a remembered nonce and a row. Whoever found an API token must not keep
the guard busy, and not keep the token's owner, who is signed in, from being heard.
"""

from dataclasses import dataclass, field

from libs.trading.commands import RISK_REDUCING
from libs.trading.issuing import Wish
from services.gateway.access import Person
from services.gateway.limits import Limit, TooMany

MOST_FLATTENS = 10
"""Beyond the pace a symbol is flattened only while fewer are under way; everything always is."""
_TOO_FAST = "too many commands: say the next one later"


@dataclass(slots=True)
class Pace:
    """A budget for each person and for their programs; what reduces risk has one of its own, which nothing else uses up."""

    person: Limit = field(default_factory=lambda: Limit(per_second=5, at_once=60))
    program: Limit = field(default_factory=lambda: Limit(per_second=1, at_once=20))

    def wait(self, person: Person, wish: Wish) -> float:
        """0 when it may be said now, which is counted; else after how many seconds."""
        limit = self.person if person.token_id is None else self.program
        kind = "reduces risk" if wish.name in RISK_REDUCING else "other"
        return limit.wait(f"{person.user_id} {kind}")


def too_fast(seconds: float) -> TooMany:
    """What is answered then."""
    return TooMany(seconds, _TOO_FAST)
