"""The best bid and ask that a market without an order book shows: one tick around its last trade."""

from services.exchange_simulator.market import TradeColumns
from services.exchange_simulator.payloads import BookTicker, decimal_text
from services.exchange_simulator.symbols import SymbolRules


def book_after(trades: TradeColumns, rules: SymbolRules) -> BookTicker:
    """The book after the last row of `trades` (at least one): a taker sell printed at the bid, a taker buy at the ask."""
    price, maker, trade_id = int(trades.prices[-1]), bool(trades.maker[-1]), int(trades.ids[-1])
    bid = price if maker else max(rules.tick, price - rules.tick)
    lots = (trade_id * 7919 % 400 + 1, trade_id * 104_729 % 400 + 1)
    return BookTicker(
        symbol=rules.symbol,
        update_id=trade_id * 10,
        bid=decimal_text(bid, rules.price_decimals),
        bid_quantity=decimal_text(lots[0] * rules.step * 10, rules.quantity_decimals),
        ask=decimal_text(bid + rules.tick, rules.price_decimals),
        ask_quantity=decimal_text(lots[1] * rules.step * 10, rules.quantity_decimals),
        time_ms=int(trades.trade_ms[-1]),
    )
