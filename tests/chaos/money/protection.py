"""How long each position had no stop that covers it while somebody could have placed one: read from the exchange itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from libs.trading.execution.client_ids import read_client_id
from services.exchange_simulator.trading.account import Account, Position
from services.exchange_simulator.trading.orders import SIGN, ZERO
from tests.chaos.money.findings import Finding

LONGEST_BARE_MS = 5_000


def covered(account: Account, position: Position) -> bool:
    """Whether conditional orders that wait close all of it, wherever their trigger is; a stop lies on the losing side."""
    total = ZERO
    for algo in account.book.open_algos(position.symbol):
        request = algo.request
        closes = SIGN[request.side] * position.amount < 0 and request.position_side == position.side
        if not closes or not request.is_stop:
            continue
        if request.close_position:
            return True
        total += request.quantity if request.reduce_only else ZERO
    return total >= abs(position.amount)


def is_strangers(account: Account, position: Position) -> bool:
    """Whether a position was begun by somebody else's order: from flat, or by turning ours around."""
    amount, strangers = ZERO, False
    for fill in account.book.fills:
        request = fill.order.request
        if (request.symbol, request.position_side) != (position.symbol, position.side):
            continue
        before, amount = amount, amount + SIGN[request.side] * fill.quantity
        if not before or before * amount < 0:
            tag = read_client_id(request.client_id)
            strangers = tag is None or tag.leg != "entry"
    return strangers


@dataclass
class Protection:
    """`excuse`: why nobody can be blamed now, None while somebody can; asked with whether a stranger has opened the position,
    which is not everybody's to protect. An excuse begins the count anew, as the first recovery
    does. `longest_ms`: of all positions, in the whole run."""

    account: Callable[[], Account]
    excuse: Callable[[bool], str | None]
    findings: list[Finding] = field(default_factory=list)
    longest_ms: int = 0
    excused_ms: dict[str, int] = field(default_factory=dict)
    _bare: dict[tuple[str, str], int] = field(default_factory=dict)
    _blamed: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _last_ms: int = 0

    def tick(self, now_ms: int) -> None:
        """Look at all positions; call it at every change and a few times a second."""
        account = self.account()
        passed, self._last_ms = now_ms - self._last_ms if self._last_ms else 0, now_ms
        held = {(position.symbol, position.side): position for position in account.held()}
        for key in [key for key in self._bare if key not in held or covered(account, held[key])]:
            del self._bare[key]
            self._blamed.pop(key, None)
        for key, position in held.items():
            if covered(account, position):
                continue
            if (excuse := self.excuse(is_strangers(account, position))) is not None:
                self._bare[key] = now_ms
                self.excused_ms[excuse] = self.excused_ms.get(excuse, 0) + passed
                continue
            bare_ms = now_ms - self._bare.setdefault(key, now_ms)
            self.longest_ms = max(self.longest_ms, bare_ms)
            if bare_ms > LONGEST_BARE_MS and key not in self._blamed:
                self._blamed[key] = position.amount
                what = (
                    f"{position.symbol}: {position.amount} without a covering stop for more than {LONGEST_BARE_MS} ms"
                )
                self.findings.append(Finding("bare_position", what, now_ms))
