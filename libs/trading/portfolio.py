"""An account's rules: what is risked, how many positions, the day's loss in R, and the risk guard's states."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.contracts.trading import RiskLevel
from libs.trading.machine import layout as at
from libs.trading.machine import risk as machine
from libs.trading.outcome import NotTakenReason
from libs.trading.reasons import NOT_TAKEN_REASONS, RISK_LEVELS
from libs.trading.sizing import money

Limit = Decimal | None


class PortfolioRules(BaseModel):
    """How an account is traded. R is `risk_per_trade` (quote units); limits are losses in R, None: off.

    `daily_loss_r` looks at what was realised on the UTC day, costs included, and ends that day's entries. The guard looks at
    realised plus unrealised every `guard_interval_ms`: from `warning_r` on it warns (entries go on), at `circuit_break_r` it
    stops entries for the cooldown, and closes everything if `flatten`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    starting_balance: Decimal = Field(default=Decimal(10_000), gt=0, le=1_000_000_000)
    risk_per_trade: Decimal = Field(default=Decimal(100), gt=0, le=10_000_000)
    max_positions: int = Field(default=4, ge=1, le=1_000)
    daily_loss_r: Limit = Field(default=Decimal(5), gt=0, le=1000)
    warning_r: Limit = Field(default=Decimal(3), gt=0, le=1000)
    circuit_break_r: Limit = Field(default=Decimal(6), gt=0, le=1000)
    cooldown_minutes: int = Field(default=60, ge=1, le=1_440)
    flatten: bool = False
    guard_interval_ms: int = Field(default=5_000, ge=1_000, le=60_000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warning_r is not None and self.circuit_break_r is not None and self.warning_r > self.circuit_break_r:
            raise ValueError("warning_r must not be above circuit_break_r")
        if 60_000 % self.guard_interval_ms:
            raise ValueError("guard_interval_ms must divide a minute")
        return self

    @property
    def guarded(self) -> bool:
        """Whether the guard can do anything."""
        return self.warning_r is not None or self.circuit_break_r is not None

    def describe(self) -> tuple[str, ...]:
        """The rules, one line each, for the top of a report."""
        guard = f"warning at \u2212{self.warning_r} R" if self.warning_r is not None else "no warning"
        if self.circuit_break_r is not None:
            then = ", everything is closed" if self.flatten else ""
            guard += f", circuit break at \u2212{self.circuit_break_r} R for {self.cooldown_minutes} minutes{then}"
        daily = "no limit" if self.daily_loss_r is None else f"no entries after \u2212{self.daily_loss_r} R"
        risk, balance = self.risk_per_trade.normalize(), self.starting_balance.normalize()
        return (
            f"risk: {risk:f} a trade (1 R) of {balance:f}; at most {self.max_positions} positions, one a symbol",
            f"daily loss (UTC day, realised): {daily}",
            f"risk guard (realised and unrealised): {guard}",
        )

    def table(self) -> NDArray[np.int64]:
        """The rules as the compiled rules read them (`layout`); the columns for marks are the simulation's."""
        row = np.zeros(at.RULE_COLUMNS, np.int64)
        row[at.RISK], row[at.MOST_POSITIONS] = money(self.risk_per_trade), self.max_positions
        row[at.DAILY_LOSS] = self._loss(self.daily_loss_r)
        row[at.WARNING_LOSS], row[at.BREAK_LOSS] = self._loss(self.warning_r), self._loss(self.circuit_break_r)
        row[at.COOLDOWN_MS], row[at.FLATTEN] = self.cooldown_minutes * 60_000, self.flatten
        row[at.MARK_MS] = self.guard_interval_ms
        return row

    def _loss(self, limit: Limit) -> int:
        return at.NEVER if limit is None else money(limit * self.risk_per_trade)


@dataclass(frozen=True, slots=True)
class RiskState:
    """What the rules remember of an account. `day` counts UTC days since 1970; `realised` is the day's result in quote units;
    `day_over`: its loss has reached the limit; `break_until_ms`: when a circuit break may end; `positions`: ordered or open."""

    balance: Decimal
    day: int = 0
    realised: Decimal = Decimal(0)
    day_over: bool = False
    level: RiskLevel = "normal"
    break_until_ms: int = 0
    positions: int = 0


def book_result(rules: PortfolioRules, state: RiskState, now_ms: int, amount: Decimal) -> RiskState:
    """The state after money came or went (quote units): a fill's result, its fee, funding."""
    account = _account(state)
    machine.realise(account, rules.table(), now_ms, money(amount))
    return risk_state(account)


def look(rules: PortfolioRules, state: RiskState, now_ms: int, unrealised: Decimal) -> RiskState:
    """The state after the guard's look at what is unrealised now (quote units)."""
    account = _account(state)
    machine.guard(account, rules.table(), now_ms, money(unrealised))
    return risk_state(account)


def entry_refused(rules: PortfolioRules, state: RiskState, now_ms: int, locked: bool) -> NotTakenReason | None:
    """Why no position may be opened now, or None. `locked`: the symbol has an order or a position already."""
    return NOT_TAKEN_REASONS.get(int(machine.admitted(_account(state), rules.table(), now_ms, locked)))


def new_account(balance: Decimal) -> NDArray[np.int64]:
    """An account's row before anything has happened."""
    return _account(RiskState(balance))


def _account(state: RiskState) -> NDArray[np.int64]:
    row = np.zeros(at.ACCOUNT_COLUMNS, np.int64)
    row[at.BALANCE], row[at.DAY], row[at.REALISED] = money(state.balance), state.day, money(state.realised)
    row[at.LATCHED], row[at.LEVEL] = state.day_over, RISK_LEVELS.index(state.level)
    row[at.BREAK_UNTIL], row[at.TAKEN], row[at.MISSING_MS] = state.break_until_ms, state.positions, -1
    return row


def risk_state(row: NDArray[np.int64]) -> RiskState:
    """What an account's row remembers."""
    return RiskState(
        balance=quote(row[at.BALANCE]),
        day=int(row[at.DAY]),
        realised=quote(row[at.REALISED]),
        day_over=bool(row[at.LATCHED]),
        level=RISK_LEVELS[int(row[at.LEVEL])],
        break_until_ms=int(row[at.BREAK_UNTIL]),
        positions=int(row[at.TAKEN]),
    )


def quote(amount: int) -> Decimal:
    """Whole money (10**-8) in quote units."""
    return Decimal(int(amount)).scaleb(-at.MONEY_DECIMALS)
