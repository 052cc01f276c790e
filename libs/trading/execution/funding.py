"""What a trade has paid in funding: lines of the statement, counted up to its last fill, whenever they become known."""

import msgspec

from libs.trading.execution.document import ZERO, FundingLine, Trade
from libs.trading.execution.facts import FundingPaid, FundingRead
from libs.trading.execution.sums import holding_of


def with_reading(trade: Trade, fact: FundingRead) -> Trade:
    """Every line up to then is here."""
    return msgspec.structs.replace(trade, funding_read_ms=max(trade.funding_read_ms, fact.at_ms))


def with_line(trade: Trade, fact: FundingPaid) -> Trade:
    """A line counts once."""
    if any(line.transaction_id == fact.transaction_id for line in trade.fundings):
        return trade
    line = FundingLine(fact.transaction_id, fact.paid, fact.time_ms)
    return with_funding(msgspec.structs.replace(trade, fundings=(*trade.fundings, line)))


def with_funding(trade: Trade) -> Trade:
    """The sum of those lines that are ours. A line is of whoever held the symbol then: once nothing of ours is left, later ones
    are a stranger's; that this was so may become known after the line."""
    if not trade.fundings:
        return trade
    holding = holding_of(trade)
    is_over = bool(trade.fills) and holding.left == ZERO and not holding.missing
    ended_ms = max(fill.time_ms for fill in trade.fills) if is_over else None
    ours = [line for line in trade.fundings if ended_ms is None or line.time_ms <= ended_ms]
    paid, ids = sum((line.paid for line in ours), ZERO), tuple(line.transaction_id for line in ours)
    return trade if ids == trade.funding_ids else msgspec.structs.replace(trade, funding=paid, funding_ids=ids)
