"""What an account holds: positions, balances, the account as a whole, in the versions that clients ask for."""

from dataclasses import dataclass
from decimal import Decimal

from services.exchange_simulator.private.calls import Call, SignedEndpoint
from services.exchange_simulator.private.choices import bracket_cap
from services.exchange_simulator.private.shapes import Body
from services.exchange_simulator.trading.account import (
    MAINTENANCE,
    Account,
    Margin,
    Position,
    margin,
    money,
    position_margin,
)
from services.exchange_simulator.trading.events import fixed, plain
from services.exchange_simulator.trading.orders import ZERO

_FEE_TIER = {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True}
_PRICE = Decimal("1E-8")


@dataclass(frozen=True, slots=True)
class _Worth:
    """An account at one moment: the marks of what binds margin, and what that comes to."""

    account: Account
    marks: dict[str, Decimal]
    margin: Margin

    @property
    def free(self) -> Decimal:
        return self.margin.available(self.account.wallet())


def _worth(call: Call) -> _Worth:
    marks = call.house.exchange.clearing.marks(call.account, call.at)
    return _Worth(call.account, marks, margin(call.account, marks))


def _shown(call: Call, symbol: str | None) -> list[Position]:
    """Positions that are held, or that an open order is about."""
    account = call.account
    concerned = {(one.symbol, one.side) for one in account.held(symbol)}
    concerned |= {(one.request.symbol, one.request.position_side) for one in account.book.open_orders(symbol)}
    return [account.positions.get(key, Position(*key)) for key in sorted(concerned)]


def _ordered(account: Account, position: Position) -> tuple[Decimal, Decimal]:
    """What open buy and sell orders of a position are worth."""
    sums = {"BUY": ZERO, "SELL": ZERO}
    for one in account.book.open_orders(position.symbol):
        if one.request.position_side == position.side:
            sums[one.request.side] += one.remaining * one.request.price
    return sums["BUY"], sums["SELL"]


def _order_margin(account: Account, position: Position) -> Decimal:
    leverage = account.of(position.symbol).leverage
    resting = [one for one in account.book.open_orders(position.symbol) if not one.request.reduce_only]
    bound = (one.remaining * one.request.price for one in resting if one.request.position_side == position.side)
    return money(sum(bound, ZERO) / leverage)


def liquidation_price(worth: _Worth, position: Position) -> Decimal:
    """Where the wallet and everything else that is held leave no more than the maintenance margin; 0 where that is nowhere."""
    if not position.amount:
        return ZERO
    mark, amount = worth.marks[position.symbol], position.amount
    others = worth.margin.unrealised - position.unrealised(mark)
    kept = worth.margin.maintenance - money(abs(amount) * mark * MAINTENANCE)
    cushion = worth.account.wallet() + others - kept
    found = (amount * position.entry - cushion) / (amount - abs(amount) * MAINTENANCE)
    return max(ZERO, found.quantize(_PRICE))


def _position(call: Call, worth: _Worth, position: Position) -> Body:
    """A row of positionRisk v3."""
    account, asset = call.account, call.rules(position.symbol).quote_asset
    mark = worth.marks.get(position.symbol) or call.house.exchange.clearing.mark(position.symbol, call.at)
    held, ordered = position_margin(account, position, mark), _order_margin(account, position)
    bids, asks = _ordered(account, position)
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": fixed(position.amount, call.rules(position.symbol).quantity_decimals),
        "entryPrice": plain(position.entry.quantize(_PRICE)),
        "breakEvenPrice": plain(position.break_even.quantize(_PRICE)),
        "markPrice": fixed(mark, 8),
        "unRealizedProfit": fixed(position.unrealised(mark), 8),
        "liquidationPrice": plain(liquidation_price(worth, position)),
        "isolatedMargin": "0",
        "notional": fixed(position.amount * mark, 8),
        "marginAsset": asset,
        "isolatedWallet": "0",
        "initialMargin": fixed(held + ordered, 8),
        "maintMargin": fixed(money(abs(position.amount) * mark * MAINTENANCE), 8),
        "positionInitialMargin": fixed(held, 8),
        "openOrderInitialMargin": fixed(ordered, 8),
        "adl": 1 if position.amount else 0,
        "bidNotional": plain(bids),
        "askNotional": plain(asks),
        "updateTime": position.updated_ms,
    }


def position_risk(call: Call) -> list[Body]:
    """GET /fapi/v3/positionRisk: symbols with a position or an open order only."""
    worth = _worth(call)
    return [_position(call, worth, one) for one in _shown(call, call.optional_symbol())]


def _every(call: Call, symbol: str | None) -> list[Position]:
    account = call.account
    symbols = [symbol] if symbol else call.house.prices.symbols
    keys = [(one, side) for one in symbols for side in account.sides]
    return [account.positions.get(key, Position(*key)) for key in keys]


def position_risk_v2(call: Call) -> list[Body]:
    """GET /fapi/v2/positionRisk: every symbol, with what was chosen for it."""
    worth = _worth(call)
    rows = []
    for position in _every(call, call.optional_symbol()):
        chosen = call.account.of(position.symbol)
        rows.append(
            _position(call, worth, position)
            | {
                "leverage": str(chosen.leverage),
                "marginType": "isolated" if chosen.margin_type == "ISOLATED" else "cross",
                "isAutoAddMargin": "false",
                "maxNotionalValue": str(bracket_cap(chosen.leverage)),
            }
        )
    return rows


# --- balances and the whole account -----------------------------------------------------------------------------------


def _assets(call: Call) -> list[str]:
    return sorted({"USDT", *call.account.balances})


def balance(call: Call) -> list[Body]:
    """GET /fapi/v3/balance, and v2."""
    worth = _worth(call)
    return [
        {
            "accountAlias": "SgAa",
            "asset": asset,
            "balance": fixed(call.account.wallet(asset), 8),
            "crossWalletBalance": fixed(call.account.wallet(asset), 8),
            "crossUnPnl": fixed(worth.margin.unrealised if asset == "USDT" else ZERO, 8),
            "availableBalance": fixed(_free(worth, asset), 8),
            "maxWithdrawAmount": fixed(_free(worth, asset), 8),
            "marginAvailable": True,
            "updateTime": call.account.changed_ms,
        }
        for asset in _assets(call)
    ]


def _free(worth: _Worth, asset: str) -> Decimal:
    return worth.free if asset == "USDT" else worth.account.wallet(asset)


def _asset(call: Call, worth: _Worth, asset: str) -> Body:
    """A row of `assets`: positions and orders bind USDT only."""
    wallet, bound = call.account.wallet(asset), worth.margin if asset == "USDT" else Margin(ZERO, ZERO, ZERO, ZERO)
    return {
        "asset": asset,
        "walletBalance": fixed(wallet, 8),
        "unrealizedProfit": fixed(bound.unrealised, 8),
        "marginBalance": fixed(wallet + bound.unrealised, 8),
        "maintMargin": fixed(bound.maintenance, 8),
        "initialMargin": fixed(bound.positions + bound.orders, 8),
        "positionInitialMargin": fixed(bound.positions, 8),
        "openOrderInitialMargin": fixed(bound.orders, 8),
        "crossWalletBalance": fixed(wallet, 8),
        "crossUnPnl": fixed(bound.unrealised, 8),
        "availableBalance": fixed(_free(worth, asset), 8),
        "maxWithdrawAmount": fixed(_free(worth, asset), 8),
        "marginAvailable": True,
        "updateTime": call.account.changed_ms,
    }


def _totals(worth: _Worth) -> Body:
    wallet, bound = worth.account.wallet(), worth.margin
    return {
        "totalInitialMargin": fixed(bound.positions + bound.orders, 8),
        "totalMaintMargin": fixed(bound.maintenance, 8),
        "totalWalletBalance": fixed(wallet, 8),
        "totalUnrealizedProfit": fixed(bound.unrealised, 8),
        "totalMarginBalance": fixed(wallet + bound.unrealised, 8),
        "totalPositionInitialMargin": fixed(bound.positions, 8),
        "totalOpenOrderInitialMargin": fixed(bound.orders, 8),
        "totalCrossWalletBalance": fixed(wallet, 8),
        "totalCrossUnPnl": fixed(bound.unrealised, 8),
        "availableBalance": fixed(worth.free, 8),
        "maxWithdrawAmount": fixed(worth.free, 8),
    }


def _account_position(call: Call, worth: _Worth, position: Position) -> Body:
    row = _position(call, worth, position)
    names = ("symbol", "positionSide", "positionAmt", "isolatedMargin", "notional", "isolatedWallet", "initialMargin")
    body = {name: row[name] for name in (*names, "maintMargin", "updateTime")}
    return body | {"unrealizedProfit": row["unRealizedProfit"]}


def account_v3(call: Call) -> Body:
    """GET /fapi/v3/account."""
    worth = _worth(call)
    return {
        **_totals(worth),
        "assets": [_asset(call, worth, one) for one in _assets(call)],
        "positions": [_account_position(call, worth, one) for one in _shown(call, None)],
    }


def account_v2(call: Call) -> Body:
    """GET /fapi/v2/account: every symbol, and what the account may do."""
    worth = _worth(call)
    positions = []
    for position in _every(call, None):
        chosen, row = call.account.of(position.symbol), _position(call, worth, position)
        bids, asks = row["bidNotional"], row["askNotional"]
        names = ("entryPrice", "breakEvenPrice", "positionInitialMargin", "openOrderInitialMargin")
        more = {"leverage": str(chosen.leverage), "isolated": chosen.margin_type == "ISOLATED"}
        more |= {"maxNotional": str(bracket_cap(chosen.leverage)), "bidNotional": bids, "askNotional": asks}
        positions.append(_account_position(call, worth, position) | {name: row[name] for name in names} | more)
    return {
        **_FEE_TIER,
        "updateTime": 0,
        "multiAssetsMargin": call.account.multi_assets,
        **_totals(worth),
        "assets": [_asset(call, worth, one) for one in _assets(call)],
        "positions": positions,
    }


ENDPOINTS = (
    SignedEndpoint("GET", "/fapi/v3/positionRisk", position_risk, 5),
    SignedEndpoint("GET", "/fapi/v2/positionRisk", position_risk_v2, 5),
    SignedEndpoint("GET", "/fapi/v3/balance", balance, 5),
    SignedEndpoint("GET", "/fapi/v2/balance", balance, 5),
    SignedEndpoint("GET", "/fapi/v3/account", account_v3, 5),
    SignedEndpoint("GET", "/fapi/v2/account", account_v2, 5),
)
