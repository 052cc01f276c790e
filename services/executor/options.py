"""Who this executor is, and its rhythm. Seconds are real ones."""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["paper", "demo", "production"]


@dataclass(frozen=True, slots=True)
class Options:
    """`installation`: the letters of this installation in client ids; `owner`: this process, in the lease."""

    account: str
    mode: Mode
    installation: str
    owner: str
    lease_look_seconds: float = 1.0
    renew_seconds: float = 2.0
    lease_margin_seconds: float = 1.0
    """Nothing is sent with less than this left of the lease: what is on its way then arrives before anybody else may trade."""
    request_seconds: float = 2.0
    """How long a request may be good at the venue."""
    look_seconds: float = 0.25
    """How often a position is looked at when nothing is heard of it."""
    reconcile_seconds: float = 10.0
    conditionals_seconds: float = 60.0
    """How often conditional orders of all symbols are read (40 of request weight), else of those in which anything of ours or
    theirs is known. A new order elsewhere is told by the user stream and looked for in all symbols at once; where that news was
    lost, the list of positions names the symbol of any other kind of order at the next comparison (reference facts, 6.4)."""
    guard_silent_seconds: float = 10.0
    guard_listen_seconds: float = 3.0
    """So long after a start the guard is listened for before anything but a missing stop is sent: it may have broken by then."""
    price_silent_seconds: float = 15.0
    report_seconds: float = 1.0
    trouble_pause_seconds: float = 0.5
