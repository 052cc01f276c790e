"""/sim/trading: the ledger, and every account as it is, past every fault. No exchange has this."""

from aiohttp import web

from services.exchange_simulator.private.house import House
from services.exchange_simulator.private.shapes import Body, algo_found, order_found, trade
from services.exchange_simulator.rest.errors import VenueError, reply
from services.exchange_simulator.rest.parameters import Parameters
from services.exchange_simulator.trading.account import Account
from services.exchange_simulator.trading.events import plain

_MOST_ENTRIES = 10_000


class Truth:
    """Reading changes nothing but that the accounts have heard of the market until now."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[web.RouteDef]:
        """Everything under /sim/trading."""
        return [
            web.get("/sim/trading/accounts", self._accounts),
            web.get("/sim/trading/accounts/{name}", self._account),
            web.get("/sim/trading/ledger", self._ledger),
        ]

    async def _accounts(self, _: web.Request) -> web.Response:
        self._house.advance()
        return reply([self._summary(account) for account in self._house.exchange.accounts.values()])

    async def _account(self, request: web.Request) -> web.Response:
        self._house.advance()
        account = self._house.exchange.accounts.get(request.match_info["name"])
        if account is None:
            return reply(
                {"error": "there is no account of that name", "todo": "GET /sim/trading/accounts lists them"}, 404
            )
        rules, book = self._house.prices.rules, account.book
        body = self._summary(account) | {
            "orders": [order_found(one, rules[one.request.symbol]) for one in book.orders.values()],
            "algo_orders": [algo_found(one, rules[one.request.symbol]) for one in book.algos.values()],
            "trades": [trade(one, rules[one.order.request.symbol]) for one in book.fills],
            "income": [
                {"type": one.kind, "symbol": one.symbol, "asset": one.asset, "amount": plain(one.amount)}
                | {"time": one.time_ms, "transaction": one.transaction, "trade": one.trade_id}
                for one in account.income
            ],
        }
        return reply(body)

    def _summary(self, account: Account) -> Body:
        return {
            "account": account.name,
            "at": self._house.exchange.until_ms,
            "hedged": account.hedged,
            "balances": {asset: plain(amount) for asset, amount in account.balances.items()},
            "positions": [
                {"symbol": one.symbol, "side": one.side, "amount": plain(one.amount), "entry": plain(one.entry)}
                | {"realised": plain(one.realised), "updated_ms": one.updated_ms}
                for one in account.held()
            ],
            "open_orders": len(account.book.open_orders()),
            "open_algo_orders": len(account.book.open_algos()),
        }

    async def _ledger(self, request: web.Request) -> web.Response:
        self._house.advance()
        try:
            asked = Parameters(request.query)
            after, limit = asked.integer("after") or 0, asked.integer("limit") or _MOST_ENTRIES
        except VenueError:
            what = "after and limit are whole numbers"
            return reply({"error": what, "detail": request.query_string, "todo": "ask for ?after=0&limit=100"}, 400)
        return reply(self._house.ledger.after(after, min(limit, _MOST_ENTRIES)))
