"""From an admitted wish to a document with its entry: how much, by the backtester's rule of sizes, within the account's caps."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from libs.trading.execution.client_ids import INSTALLATION_LETTERS, ACCOUNT_LETTERS, SIGNAL_LETTERS, OrderTag, letters_of
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import OurOrder, Rules, Side, StateChange, Times, Trade, Trailing
from libs.trading.execution.levels import on_ticks
from libs.trading.execution.wish import EntryWish, Refusal, RefusalReason, refusal
from libs.trading.filters import SymbolFilters
from libs.trading.outcome import NotTakenReason
from libs.trading.sizing import NotSized, Stake, position_size

CALLBACK_STEP = Decimal("0.1")
LEAST_CALLBACK, MOST_CALLBACK = Decimal("0.1"), Decimal(10)
"""Percent, in steps of a tenth (reference facts, 6: 0.1 to 20 since October 2026, to 10 before; what both take)."""
ASSUMED_MAINTENANCE = Decimal("0.025")
"""Share of the notional that a position must keep: more than the first tiers of large contracts ask for, to be careful."""
_REASONS: dict[NotTakenReason, RefusalReason] = {
    "stop_passed": "stop_passed",
    "below_minimum_quantity": "below_minimum",
    "below_minimum_notional": "below_minimum",
    "above_leverage": "over_margin",
}


@dataclass(frozen=True, slots=True)
class Naming:
    """Whose orders they are: account and installation by name; only their letters stand in client ids."""

    account: str
    installation: str


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What a size needs: the symbol's filters for market orders, the order venue's price, what may be used for new positions
    (quote units), and the fees of the account (shares of the notional)."""

    filters: SymbolFilters
    price: Decimal
    available: Decimal
    taker_fee: Decimal = Decimal("0.0005")
    maker_fee: Decimal = Decimal("0.0002")
    maintenance: Decimal = ASSUMED_MAINTENANCE


def entered(wish: EntryWish, config: LiveConfig, terms: EntryTerms, naming: Naming, now_ms: int) -> Trade | Refusal:
    """A trade that is being entered, its entry meant and not sent yet; or why there is none."""
    raise NotImplementedError
