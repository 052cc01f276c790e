"""What market faults did, for the ledger: per symbol the ids around the change, and what it was before and is now."""

from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.faults.market import AlteredMarket
from services.exchange_simulator.symbols import SymbolRules


class MarketAccount:
    """Writes one entry a symbol when a market fault begins, and one when it ends."""

    def __init__(self, desk: FaultDesk, market: AlteredMarket) -> None:
        self._desk = desk
        self._market = market
        desk.on_begin.append(self._begun)
        desk.on_end.append(self._ended)

    def _begun(self, armed: Armed) -> None:
        if isinstance(armed.fault, plan.MarketFault):
            for symbol in armed.fault.symbols or self._market.symbols:
                armed.affected += 1
                self._write(armed, symbol, "begins", armed.begin_ms)

    def _ended(self, armed: Armed) -> None:
        if isinstance(armed.fault, plan.MarketFault) and armed.end_ms is not None and armed.end_ms > armed.begin_ms:
            for symbol in armed.fault.symbols or self._market.symbols:
                self._write(armed, symbol, "ends", armed.end_ms)

    def _write(self, armed: Armed, symbol: str, what: str, moment_ms: int) -> None:
        """`last_id`: of the last trade before the moment; ids go on from there without a gap."""
        before = self._market.newest_trades(symbol, 1, moment_ms - 1)
        facts: dict[str, object] = {"what": what, "last_id": int(before.ids[-1]) if len(before) else None}
        if not isinstance(armed.fault, plan.Halt):
            facts["was"] = _stated(self._market.rules_at(symbol, moment_ms - 1))
            facts["is"] = _stated(self._market.rules_at(symbol, moment_ms))
        self._desk.ledger.add(moment_ms, armed.number, armed.fault.kind, symbol=symbol, detail=facts)


def _stated(rules: SymbolRules) -> dict[str, object]:
    return {"status": rules.status, "price_decimals": rules.price_decimals, "tick": rules.tick}
