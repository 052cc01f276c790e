"""The port to the executor's books: whatever is decided is a page, and a page stands before anything is sent.

One executor an account writes at a time: it holds a lease with an epoch, by the database's clock, and every page proves it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade

Place = tuple[str, int]
"""Topic and partition."""
GUARD_BROKE, GUARD_WORKS = "guard_break", "guard_break_over"
"""Kinds of events: the guard has told of a circuit break, and of its end."""


class LeaseLost(Exception):
    """Somebody else trades this account now, or we were away for too long: nothing was written, and nothing may be sent."""


class NonceTaken(Exception):
    """The books hold this command's nonce already, from an earlier page: nothing was written, and the command is a repetition."""

    def __init__(self, nonce: str) -> None:
        super().__init__(f"the nonce {nonce} was used before")
        self.nonce = nonce


class ConfigTaken(Exception):
    """The books hold another configuration under this version: nothing was written; read them before a change."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} of the configuration is another one")
        self.version = version


@dataclass(frozen=True, slots=True)
class Lease:
    """`epoch` grows with each owner. `until`: of our monotonic clock, s, counted from before the question was asked, so that it
    is over here no later than there."""

    account: str
    owner: str
    epoch: int
    until: float


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that happened to a trade or the account, for people and audits. `event_id` is deterministic: twice is once."""

    event_id: str
    kind: str
    time_ms: int
    detail: Mapping[str, object]
    trade_id: str | None = None


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A command that counts from this page on, whatever became of it: its nonce is never taken again."""

    command_id: str
    nonce: str
    issuer: str
    command: str
    arguments: Mapping[str, str]
    reason: str
    accepted: bool
    result: str
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A line of the venue's income statement, in its own words; `amount` in units of `asset`, above 0: received."""

    kind: str
    symbol: str
    amount: Decimal
    asset: str
    time_ms: int
    transaction_id: int
    trade_id: str = ""
    info: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """Every line that the venue has for [since_ms, until_ms). It tells some of them late: `until_ms` is some minutes ago."""

    since_ms: int
    until_ms: int
    lines: Sequence[StatementLine]


@dataclass(frozen=True, slots=True)
class Page:
    """What is written together, or not at all. `offsets`: the next record to read of each place. `config`: a new version of what
    may trade, by the last accepted `change_config` among `obeyed`. Trades are whole documents; the later of two counts. Of the
    statement, a line that is there already stays."""

    trades: Sequence[Trade] = ()
    events: Sequence[LiveEvent] = ()
    obeyed: Sequence[Obeyed] = ()
    offsets: Mapping[Place, int] = field(default_factory=dict)
    config: LiveConfig | None = None
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the books say at a start: trades that are not over, newest configuration, where reading goes on, and nonces that
    have not expired yet. `ended`: ids of trades that are over already, of the last days, so that no signal is entered twice.
    `statement_until_ms`: where its next page begins; 0 before the first. `lately`: documents that ended within a day (refused
    ones within minutes), or with a fee that nobody has valued: their symbols may rest still, what was to be told of them may
    have been lost, and late news of them may still come. `guard_broke`: the newest event of the guard tells of a break."""

    trades: Sequence[Trade]
    ended: frozenset[str]
    config: LiveConfig | None
    offsets: Mapping[Place, int]
    nonces: Mapping[str, int]
    statement_until_ms: int = 0
    lately: Sequence[Trade] = ()
    guard_broke: bool = False


class Books(Protocol):
    """What the executor keeps. All calls raise `UnreachableError` while the database is away.

    After such an error from `write` nobody knows whether the page stands: nothing of it may be sent, until either the same page
    was written again (which changes nothing where it stands already) or a new process has loaded what does.
    """

    async def acquire(self, owner: str) -> Lease | None:
        """The lease with the next epoch, or None while somebody else holds it."""
        ...

    async def renew(self, lease: Lease) -> Lease:
        """Hold it on. Raises `LeaseLost`."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let the next one have it at once; a lease that is lost already stays so."""
        ...

    async def load(self, lease: Lease) -> Kept:
        """Everything that a start needs. Raises `LeaseLost`."""
        ...

    async def write(self, lease: Lease, page: Page) -> None:
        """One transaction; the same page again is no change. Raises `LeaseLost`, `NonceTaken`, `ConfigTaken`; nothing was written
        then."""
        ...

    async def has_trade(self, trade_id: str) -> bool:
        """Whether the books hold it, whatever its state."""
        ...
