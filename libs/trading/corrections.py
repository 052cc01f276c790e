"""What stored figures of a closed trade should be, from its fills: pure, so that a recalculation says the same each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.trading.profit import Direction, Traded, profit_of

ZERO = Decimal(0)
_SAME = Decimal("0.00000001")
Figure = Decimal | float | int | None


@dataclass(frozen=True, slots=True)
class Correction:
    """A figure that is not what the fills say."""

    field: str
    before: Figure
    after: Figure


def paper_figures(
    direction: Direction, fills: Sequence[Mapping[str, Any]], funding: Decimal, stop_loss: Decimal
) -> dict[str, Figure]:
    """The figures of a closed paper trade. Fills as its row has them (text), the entry first; prices have slippage in them, and
    `gross` is what prices without it would have given. Raises `ValueError` without an entry and an exit, or for fills that are
    not to be read."""
    if len(fills) < 2:
        raise ValueError("it has no entry and exit")
    try:
        money = [{name: Decimal(fill[name]) for name in ("price", "quantity", "fee", "slippage")} for fill in fills]
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"its fills cannot be read: {error!r}") from None
    traded = [Traded(number == 0, fill["price"], fill["quantity"], fill["fee"]) for number, fill in enumerate(money)]
    profit = profit_of(direction, traded, funding)
    slippage = sum((fill["slippage"] for fill in money), ZERO)
    risk = abs(money[0]["price"] - stop_loss) * money[0]["quantity"]
    return {
        "entry_price": profit.entry_average,
        "exit_price": profit.exit_average,
        "risk": risk,
        "gross": profit.gross + slippage,
        "fees": profit.fees,
        "slippage": slippage,
        "net": profit.net,
        "net_r": float(profit.net / risk) if risk else None,
    }


def corrections(stored: Mapping[str, Any], right: Mapping[str, Figure]) -> list[Correction]:
    """The figures that differ by more than their eighth decimal, in their order."""
    return [Correction(name, stored[name], after) for name, after in right.items() if not _agree(stored[name], after)]


def _agree(before: Figure, after: Figure) -> bool:
    if before is None or after is None:
        return before is None and after is None
    return abs(Decimal(before) - Decimal(after)) <= _SAME
