"""GET /fapi/v1/exchangeInfo: the symbols and their filters, in the types that typed clients insist on."""

from collections.abc import Mapping

from services.exchange_simulator.payloads import decimal_text
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.account import CLEARANCE_FEE
from services.exchange_simulator.trading.filters import (
    MIN_NOTIONAL,
    MOST_MARKET_STEPS,
    MOST_OPEN_ORDERS,
    MOST_STEPS,
    MOST_TICKS,
    PRICE_BAND,
)

# A real answer's serverTime was 37 hours old; clients must not set their clocks by it.
STALE_BY_MS = 37 * 3_600_000


def exchange_info(rules: Mapping[str, SymbolRules], now_ms: int, weight_limit: int) -> dict[str, object]:
    """The whole answer."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms - STALE_BY_MS,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            _rate_limit("ORDERS", "MINUTE", 1, 1200),
            _rate_limit("ORDERS", "SECOND", 10, 300),
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"},
            {"asset": "USDC", "marginAvailable": True, "autoAssetExchange": "-10000"},
            {"asset": "BNB", "marginAvailable": True, "autoAssetExchange": "-10"},
        ],
        "symbols": [_symbol(rule) for rule in rules.values()],
    }


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol(rule: SymbolRules) -> dict[str, object]:
    return {
        "symbol": rule.symbol,
        "pair": rule.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": rule.delivery_ms,
        "onboardDate": rule.onboard_ms,
        "status": rule.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rule.base_asset,
        "quoteAsset": rule.quote_asset,
        "marginAsset": rule.quote_asset,
        "pricePrecision": rule.price_decimals,
        "quantityPrecision": rule.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"] if rule.base_asset in ("BTC", "LTC", "DOGE") else ["Layer-1"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": f"{CLEARANCE_FEE:.6f}",
        "marketTakeBound": str(PRICE_BAND),
        "filters": _filters(rule),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def _filters(rule: SymbolRules) -> list[dict[str, object]]:
    tick = decimal_text(rule.tick, rule.price_decimals)
    step = decimal_text(rule.step, rule.quantity_decimals)
    lots = {"minQty": step, "stepSize": step}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": decimal_text(rule.tick * MOST_TICKS, rule.price_decimals),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "maxQty": decimal_text(rule.step * MOST_STEPS, rule.quantity_decimals), **lots},
        {
            "filterType": "MARKET_LOT_SIZE",
            "maxQty": decimal_text(rule.step * MOST_MARKET_STEPS, rule.quantity_decimals),
            **lots,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": MOST_OPEN_ORDERS},
        {"filterType": "MIN_NOTIONAL", "notional": str(MIN_NOTIONAL)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{1 + PRICE_BAND:.4f}",
            "multiplierDown": f"{1 - PRICE_BAND:.4f}",
            "multiplierDecimal": "4",
        },
    ]
