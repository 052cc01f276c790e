"""What keeps the account from opening anything, now: asked before a size, before a page, and before a request."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from libs.contracts.trading import RiskStateChanged
from libs.trading.execution.admission import EntryMarket, Quote, Standing
from libs.trading.execution.checklist import Check
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.decision import Permits
from libs.trading.execution.reconciliation import Reconciled
from libs.trading.execution.wish import REFUSALS, RefusalReason
from services.executor.pages import Pages

APART: frozenset[str] = frozenset(("reconciliation", "prices", "clock"))
"""Lines of the checklist that are asked on their own here, each time anew: prices are compared for each signal."""
MISSED_RECONCILIATIONS = 3
MOST_AHEAD_SECONDS = 5.0
"""A word of the guard that is of a later time than this says nothing of now."""
Blocked = tuple[RefusalReason, str]


def _untold(_symbol: str) -> Quote | None:
    return None


@dataclass(slots=True)
class Permission:
    """`quote`: the order venue's newest price of a symbol; `guard`: its newest record; `compared`: the last comparison with the
    venue, None before the first; `checks`: of the checklist, None before the first; `looked`: when the last comparison was
    complete (monotonic s); `cooling`: until when symbols rest (ms of the venue); `busy`: symbols with a trade that is
    not over. `broke`: by the books, the guard's last word was a break; `listening_until`: monotonic s, until when a
    word of the guard that is newer is waited for. Both count until it is heard."""

    pages: Pages
    config: LiveConfig
    quote: Callable[[str], Quote | None] = _untold
    guard: RiskStateChanged | None = None
    compared: Reconciled | None = None
    checks: tuple[Check, ...] | None = None
    looked: float = float("-inf")
    agreed_ms: int = 0
    is_heard: bool = False
    broke: bool = False
    listening_until: float = float("-inf")
    cooling: dict[str, int] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)

    def standing(self) -> Standing:
        """The account now, as the checks of an entry want it."""
        return Standing(
            blocked=tuple(self._blocked()),
            busy=frozenset(self.busy),
            cooling=self.cooling,
            locked=self._locks,
            foreign=self._kept_out,
        )

    def permits(self, symbol: str) -> Permits:
        """What may be sent for a symbol now; what is open goes on being protected and left, whatever the guard says."""
        only_stops = self._is_broken()
        reason = next((reason for reason, _ in self._blocked()), None) or self._of_symbol(symbol)
        market = EntryMarket(self.quote(symbol), self.config.max_price_gap_bps, self.config.strategies)
        return Permits(entries=reason is None, only_stops=only_stops, why_not=reason or "", market=market)

    def _is_broken(self) -> bool:
        """Whether a break stands, or may stand, for all that is known."""
        if self.guard is not None:
            return self.guard.level == "circuit_break"
        return self.broke or self.pages.clock.monotonic() < self.listening_until

    def latest_word_ms(self) -> int:
        """The latest time of which a word of the guard may be."""
        clock = self.pages.clock
        return clock.now_ms() + int(MOST_AHEAD_SECONDS * 1000 * clock.speed)

    def reasons(self) -> tuple[str, ...]:
        """Why nothing may be opened, in sentences; none when something may."""
        return tuple(
            f"{REFUSALS[reason]}: {detail}" if detail else REFUSALS[reason] for reason, detail in self._blocked()
        )

    @property
    def is_clean(self) -> bool:
        """Whether books and venue agree, as far as the account may be entered."""
        return self.compared is not None and self.compared.is_clean(self.config.foreign_policy)

    @property
    def _locks(self) -> dict[str, int]:
        return self.guard.locks if self.guard is not None else {}

    @property
    def _kept_out(self) -> frozenset[str]:
        found = self.compared
        return frozenset() if found is None else found.symbols_kept_out(self.config.foreign_policy)

    def _of_symbol(self, symbol: str) -> RefusalReason | None:
        if symbol in self._kept_out:
            return "foreign"
        if not self.config.may_trade(symbol):
            return "not_enabled"
        return "locked" if self._locks.get(symbol, 0) > self.pages.clock.now_ms() else None

    def _blocked(self) -> Iterable[Blocked]:
        """The gravest first."""
        yield from self._ourselves()
        yield from self._guarded()
        yield from self._compared()
        for check in self.checks or ():
            if check.state == "failed" and check.name not in APART:
                yield "not_ready", check.sentence

    def _ourselves(self) -> Iterable[Blocked]:
        if self.pages.seconds_left <= 0:
            yield "not_ready", "the lease of the account is not held"
        if self.pages.trouble is not None:
            yield "not_ready", self.pages.trouble
        if not self.pages.clock.is_known:
            yield "not_ready", "the venue's time is in doubt"
        if not self.is_heard:
            yield "not_ready", "the account's user stream is not open"
        if self.checks is None:
            yield "not_ready", "the checklist was not gone through yet"

    def _guarded(self) -> Iterable[Blocked]:
        guard, clock = self.guard, self.pages.clock
        if guard is None:
            yield "guard_silent", "it has not been heard yet"
            return
        silent = (clock.now_ms() - guard.event_time_ms) / 1000 / clock.speed
        if guard.event_time_ms > self.latest_word_ms():
            yield "guard_silent", f"its time is {-silent:.0f} s ahead of the venue's"
        elif silent > self.pages.options.guard_silent_seconds:
            yield "guard_silent", f"for {silent:.0f} s"
        elif not guard.entries_allowed:
            yield "risk_blocked", "; ".join(guard.reasons[:3])

    def _compared(self) -> Iterable[Blocked]:
        options = self.pages.options
        if self.compared is None:
            yield "not_ready", "books and venue were not compared yet"
            return
        since = self.pages.clock.monotonic() - self.looked
        if since > MISSED_RECONCILIATIONS * options.reconcile_seconds:
            yield "not_ready", f"books and venue were compared {since:.0f} s ago"
        for finding in self.compared.keeping_out(self.config.foreign_policy):
            reason: RefusalReason = "foreign" if finding.meaning.keeps_out == "policy" else "not_ready"
            yield reason, f"{finding.symbol or 'account'}: {finding.detail}"
