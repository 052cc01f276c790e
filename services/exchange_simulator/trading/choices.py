"""What an account may choose: leverage, margin type, position mode, multi-assets mode. Refusals have the venue's codes."""

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.trading import events
from services.exchange_simulator.trading.account import Account, MarginType
from services.exchange_simulator.trading.exchange import Exchange

MOST_LEVERAGE = 125


def set_leverage(exchange: Exchange, account: Account, symbol: str, leverage: int, now_ms: int) -> None:
    """Raises -4028, or -4161 for less leverage on an isolated position."""
    exchange.advance(now_ms)
    if not 1 <= leverage <= MOST_LEVERAGE:
        raise VenueError(-4028, f"Leverage {leverage} is not valid")
    chosen = account.of(symbol)
    if leverage < chosen.leverage and chosen.margin_type == "ISOLATED" and account.held(symbol):
        raise VenueError(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.")
    changed, chosen.leverage = leverage != chosen.leverage, leverage
    if changed:
        exchange.clearing.tell(account, now_ms, events.leverage_update(symbol, leverage, now_ms))


def set_margin_type(exchange: Exchange, account: Account, symbol: str, kind: MarginType, now_ms: int) -> None:
    """Raises -4046 where it is so already, -4047 and -4048 while there are orders or a position, -4168 with many assets."""
    exchange.advance(now_ms)
    chosen = account.of(symbol)
    if kind == chosen.margin_type:
        raise VenueError(-4046, "No need to change margin type.")
    if kind == "ISOLATED" and account.multi_assets:
        raise VenueError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    if account.book.open_orders(symbol):
        raise VenueError(-4047, "Margin type cannot be changed if there exists open orders.")
    if account.held(symbol):
        raise VenueError(-4048, "Margin type cannot be changed if there exists position.")
    chosen.margin_type = kind
    mark = exchange.clearing.mark(symbol, now_ms)
    concerned = [(account.position(symbol, side), mark) for side in account.sides]
    payload = events.account_update(account, "MARGIN_TYPE_CHANGE", [], concerned, now_ms)
    exchange.clearing.tell(account, now_ms, payload)


def set_mode(exchange: Exchange, account: Account, hedged: bool, now_ms: int) -> None:
    """One-way or hedge mode, for all symbols. Raises -4059 where it is so already, -4067 and -4068 while that is blocked."""
    exchange.advance(now_ms)
    if hedged == account.hedged:
        raise VenueError(-4059, "No need to change position side.")
    if account.book.open_orders() or account.book.open_algos():
        raise VenueError(-4067, "Position side cannot be changed if there exists open orders.")
    if account.held():
        raise VenueError(-4068, "Position side cannot be changed if there exists position.")
    account.hedged = hedged


def set_multi_assets(exchange: Exchange, account: Account, wanted: bool, now_ms: int) -> None:
    """Raises -4171 where it is so already, -4167 while a symbol is isolated."""
    exchange.advance(now_ms)
    if wanted == account.multi_assets:
        raise VenueError(-4171, "No need to change Multi-Assets mode.")
    if wanted and any(one.margin_type == "ISOLATED" for one in account.settings.values()):
        raise VenueError(-4167, "Unable to adjust to Multi-Assets mode with symbols of isolated-margin mode.")
    account.multi_assets = wanted
    exchange.clearing.tell(account, now_ms, events.assets_mode_update(wanted, now_ms))
