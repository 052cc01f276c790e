"""What the guard remembers over restarts, in a file of its own: whole or not at all, and never taken for a fresh start."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import msgspec

from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.trading import AlertRaised
from libs.kit.errors import ConfigurationError
from libs.trading.risk.baselines import NO_DAY, Baselines
from libs.trading.risk.memory import from_bytes, to_bytes
from libs.trading.risk.policy import UNBROKEN, GuardState

MOST_UNSENT = 500
MOST_TRADES = 2_000


def waiting_alerts(alerts: tuple[AlertRaised, ...]) -> tuple[AlertRaised, ...]:
    """Those that are kept until they are handed over, the newest `MOST_UNSENT`: critical ones go last, so that a flood of refused
    commands pushes out none of a break."""
    surplus = len(alerts) - MOST_UNSENT
    for one in [each for each in alerts if each.severity != "critical"][: max(0, surplus)]:
        alerts = tuple(each for each in alerts if each is not one)
    return alerts[-MOST_UNSENT:]


class HeldTrade(msgspec.Struct, frozen=True):
    """What the executor last said of a position it holds. `risk_quote`: 1 R."""

    trade_id: str
    stop: Decimal | None
    risk_quote: Decimal | None
    entered_at_ms: int | None
    pnl_r: Decimal | None


class TradeEnd(msgspec.Struct, frozen=True):
    """A trade that is over. `time_ms`: when; PnL with fees and funding. Not `told`: its position has gone and nobody has said yet
    what came of it, so that what it last stood at counts."""

    time_ms: int
    pnl_quote: Decimal
    pnl_r: Decimal | None
    told: bool = True


class Entered(msgspec.Struct, frozen=True):
    """A trade's entry, and how far from the signal's price it was filled (0.01 %; above 0 is worse)."""

    time_ms: int
    slippage_bps: Decimal


class FlattenWish(msgspec.Struct, frozen=True):
    """A person's flatten that is not done yet; `symbol` None: everything. `since_ms`: when it was obeyed."""

    symbol: str | None
    command: CommandIssued
    since_ms: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `nonces`: of obeyed commands, with their expiry (ms); `offsets`: the next record of a topic, by its name and
    generation; `first_seen`: since when a position (SYMBOL:side) is open, ms; `stands_at`: its open result, R; `alerts` and
    `answers`: not told yet."""

    account: str
    state: GuardState = UNBROKEN
    baselines: Baselines = NO_DAY
    paused: bool = False
    locks: dict[str, int] = {}
    nonces: dict[str, int] = {}
    offsets: dict[str, int] = {}
    first_seen: dict[str, int] = {}
    held: dict[str, HeldTrade] = {}
    stands_at: dict[str, Decimal] = {}
    ended: dict[str, TradeEnd] = {}
    entered: dict[str, Entered] = {}
    wishes: tuple[FlattenWish, ...] = ()
    alerts: tuple[AlertRaised, ...] = ()
    answers: tuple[CommandAnswered, ...] = ()


class Keeper(Protocol):
    """Keeps the memory of one account."""

    def load(self) -> Memory:
        """What was kept; a fresh memory where nothing ever was. Raises `ConfigurationError` for what cannot be read."""
        ...

    def save(self, memory: Memory) -> None:
        """Keep it, durably. Raises `OSError`."""
        ...


class StateFile:
    """The keeper that is a file in a folder."""

    def __init__(self, folder: Path, account: str) -> None:
        self.path = folder / f"{account}.json"
        self._account = account

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Nobody else on this machine guards the account meanwhile. Raises `ConfigurationError` where somebody does."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._wrong(f"its folder cannot be used: {error.strerror}") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError(
                    f"another guard watches the account {self._account}",
                    where=str(self.path),
                    todo="end that one first, or name another account (PERPSTREAM_ACCOUNT)",
                ) from None
            yield
        finally:
            os.close(handle)

    def load(self) -> Memory:
        try:
            found = from_bytes(Memory, self.path.read_bytes())
        except FileNotFoundError:
            return Memory(account=self._account)
        except OSError as error:
            raise self._wrong(f"it cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise self._wrong(f"it is damaged: {error}") from None
        if found.account != self._account:
            raise self._wrong(f"it is of the account {found.account}, not of {self._account}")
        return found

    def save(self, memory: Memory) -> None:
        draft = self.path.with_suffix(".draft")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(handle, "wb", closefd=False) as file:
                file.write(to_bytes(memory))
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"the guard's state cannot be used: {what}",
            where=str(self.path),
            todo="restore it from a backup; if you delete it instead, breaks, locks and today's baselines are forgotten",
        )
