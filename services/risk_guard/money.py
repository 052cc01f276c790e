"""What the account is worth, and what the day has made of it: wallet and statement of the venue, the day's baselines.

A wallet that was read and differs from what was told may have changed by a transfer that nobody has told: it counts only once the
statement has been asked, so that a withdrawal is never taken for a loss.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.trading import Balance, IncomeEntry
from libs.exchanges.user_events import AccountTold
from libs.exchanges.worth import QUOTE
from libs.kit.durations import DAY_MS
from libs.trading.risk.baselines import NO_DAY, Baselines, EquitySeen, MoneyMoved, figures, fold
from libs.trading.risk.inputs import Figure
from services.risk_guard.fees import FeeBook
from services.risk_guard.moment import Moment

TRANSFER_KINDS = frozenset(
    (
        *("TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "STRATEGY_UMFUTURES_TRANSFER"),
        *("COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "AUTO_EXCHANGE", "WELCOME_BONUS"),
    )
)
TRANSFER_REASONS = frozenset(
    (
        *("DEPOSIT", "WITHDRAW", "WITHDRAW_REJECT", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW", "ASSET_TRANSFER"),
        *("COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "AUTO_EXCHANGE"),
    )
)
TOLD, SAME_TRANSFER_MS = "told", 10_000
LATE_MS = 2_100
"""A question may be answered with what was true two seconds ago (reference facts, 9): so long an event is the newer word."""


@dataclass(slots=True)
class MoneyBook:
    """Amounts in `QUOTE`. `baselines` is remembered over restarts. `fees`: those in other assets, which the wallet does not tell;
    `_others`: wallets of other assets, that say when one of those was not heard of."""

    baselines: Baselines = NO_DAY
    wallet: Decimal | None = None
    wallet_at_ms: int = 0
    _told_at_ms: int | None = None
    _unexplained: tuple[Decimal, int] | None = None
    changes: int = 0
    fees: FeeBook = field(default_factory=FeeBook)
    _others: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    _missed: bool = False
    _statement: "_Statement | None" = None
    _listed: set[tuple[int, Decimal]] = field(default_factory=set)

    def wants_statement(self, now: Moment) -> bool:
        """Whether the statement has to be read before the wallet counts, or the day's result is known."""
        is_old = self._statement is None or self._statement.day != now.now_ms // DAY_MS
        return is_old or self._missed or self._unexplained is not None

    def told(self, event: AccountTold, at_ms: int) -> None:
        """An event with the wallet after a change, and its reason."""
        self._others |= {asset: (amount, at_ms + LATE_MS) for asset, amount in event.wallets.items() if asset != QUOTE}
        after = event.wallets.get(QUOTE)
        if after is None:
            return
        self.changes += 1
        if event.reason in TRANSFER_REASONS and self.wallet is not None and after != self.wallet:
            amount = after - self.wallet
            if self._statement is not None:
                self._statement = replace(self._statement, wallet=self._statement.wallet + amount)
            if not self._is_listed(amount, event.event_ms):
                self._move(MoneyMoved(event.event_ms, f"{TOLD}:{event.event_ms}:{amount}", amount))
        self.wallet, self.wallet_at_ms, self._unexplained = after, at_ms, None
        self._told_at_ms = at_ms

    def read(self, asked_at_ms: int, balances: Sequence[Balance]) -> None:
        """The venue's balances. Older than the last word, perhaps, or without a line of `QUOTE`, which is no balance of 0:
        they change nothing."""
        self._read_others(asked_at_ms, balances)
        lines = [one.wallet for one in balances if one.asset == QUOTE]
        if asked_at_ms < self.wallet_at_ms or not lines:
            return
        found = sum(lines, Decimal(0))
        if found != self.wallet and self._told_at_ms is not None and asked_at_ms < self._told_at_ms + LATE_MS:
            return
        if self.wallet is None or found != self.wallet:
            self._unexplained = found, asked_at_ms
        else:
            self.wallet_at_ms, self._unexplained = asked_at_ms, None

    def stated(self, day: int, entries: Iterable[IncomeEntry]) -> None:
        """The statement from the beginning of UTC day `day` up to now; `changes` has not changed since the wallet was read."""
        today = [one for one in entries if one.time_ms // DAY_MS == day]
        self.fees.stated(day, today)
        self._missed = False
        lines = [one for one in today if one.asset == QUOTE]
        for line in sorted(lines, key=lambda one: one.time_ms):
            if line.kind in TRANSFER_KINDS:
                self._listed.add((line.time_ms, line.amount))
                if not self._was_told(line):
                    self._move(MoneyMoved(line.time_ms, f"{line.kind}:{line.transaction_id}", line.amount))
        if self._unexplained is not None:
            (self.wallet, self.wallet_at_ms), self._unexplained = self._unexplained, None
        if self.wallet is not None:
            made = sum((one.amount for one in lines if one.kind not in TRANSFER_KINDS), Decimal(0))
            self._statement = _Statement(day, self.wallet, made)

    def see(self, unrealised: Figure, now: Moment) -> None:
        """Fold the equity of this moment into the day's baselines."""
        equity = self.equity(unrealised, now)
        if equity.value is not None:
            self.baselines = fold(self.baselines, EquitySeen(now.now_ms, equity.value))

    def balance(self, now: Moment) -> Figure:
        """The wallet, unknown while a change of it is not explained."""
        if self.wallet is None or self._unexplained is not None:
            return Figure()
        return Figure(self.wallet, now.at_ms - self.wallet_at_ms)

    def equity(self, unrealised: Figure, now: Moment) -> Figure:
        """Wallet and open results together, as old as the older of both."""
        balance = self.balance(now)
        if balance.value is None or unrealised.value is None:
            return Figure()
        ages = [age for age in (balance.age_ms, unrealised.age_ms) if age is not None]
        return Figure(balance.value + unrealised.value, max(ages, default=None))

    def realised_today(self, now: Moment) -> Figure:
        """What the day's trading has made of the wallet: results, fees and funding in `QUOTE`, without transfers; less what fees
        in other assets were worth. It lacks those that cannot be valued yet."""
        day = now.now_ms // DAY_MS
        balance, statement, (fees, lacks) = self.balance(now), self._statement, self.fees.paid(day)
        if balance.value is None or statement is None or statement.day != day:
            return Figure()
        return Figure(statement.made + balance.value - statement.wallet - fees, balance.age_ms, lacks)

    def peak_and_moved(self, now: Moment) -> tuple[Figure, Figure]:
        """The day's highest equity and what was moved, as old as the last equity."""
        peak, moved = figures(self.baselines, now.now_ms)
        if peak.value is None:
            return peak, moved
        age_ms = now.at_ms - self.wallet_at_ms
        return Figure(peak.value, age_ms), Figure(moved.value, age_ms)

    def _read_others(self, asked_at_ms: int, balances: Sequence[Balance]) -> None:
        """A wallet of another asset that has changed without a word of it: the statement says whether that was a fee."""
        for one in balances:
            known, from_ms = self._others.get(one.asset, (one.wallet, asked_at_ms))
            if one.asset != QUOTE and asked_at_ms >= from_ms:
                self._missed |= one.wallet != known
                self._others[one.asset] = one.wallet, asked_at_ms

    def _move(self, moved: MoneyMoved) -> None:
        self.baselines = fold(self.baselines, moved)

    def _was_told(self, line: IncomeEntry) -> bool:
        """Whether an event has told of this line already, under an id of ours."""
        for known in self.baselines.transfers:
            parts = known.split(":")
            if (
                parts[0] == TOLD
                and Decimal(parts[2]) == line.amount
                and abs(int(parts[1]) - line.time_ms) <= SAME_TRANSFER_MS
            ):
                return True
        return False

    def _is_listed(self, amount: Decimal, event_ms: int) -> bool:
        return any(listed == amount and abs(time_ms - event_ms) <= SAME_TRANSFER_MS for time_ms, listed in self._listed)


@dataclass(frozen=True, slots=True)
class _Statement:
    """What the statement said of UTC day `day`: `made` without transfers, while the wallet was `wallet`, which moves with what is
    transferred later."""

    day: int
    wallet: Decimal
    made: Decimal
