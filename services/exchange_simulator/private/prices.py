"""The market as trading asks it: with the rules of the moment at which a command is, so that it can be repeated later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.exchange_simulator.faults.market import AlteredMarket
from services.exchange_simulator.market import Funding, MarkPrice, TradeColumns, TradeWindow
from services.exchange_simulator.symbols import SymbolRules


@dataclass(slots=True)
class PricesAt:
    """`at_ms`: the moment. Prices come in units of today's decimals, whatever the moment."""

    market: AlteredMarket
    at_ms: int = 0

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.market.symbols

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        today = self.market.rules
        return _RulesAt(self, today) if self.market.is_altered else today

    def rules_of(self, today: SymbolRules) -> SymbolRules:
        then = self.market.rules_at(today.symbol, self.at_ms)
        finer = 10 ** (today.price_decimals - then.price_decimals)
        return replace(today, status=then.status, tick=then.tick * finer)

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        return self.market.newest_trades(symbol, limit, now_ms)

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        return self.market.window(after_ms, until_ms, wanted)

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        return self.market.mark_price(symbol, now_ms)

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        return self.market.fundings(symbol, start_ms, end_ms, now_ms)


class _RulesAt(Mapping[str, SymbolRules]):
    def __init__(self, prices: PricesAt, today: Mapping[str, SymbolRules]) -> None:
        self._prices, self._today = prices, today

    def __getitem__(self, symbol: str) -> SymbolRules:
        return self._prices.rules_of(self._today[symbol])

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._today)

    def __len__(self) -> int:
        return len(self._today)
