"""Trading rules of the simulated perpetuals: real tick and step sizes for well-known names, plausible ones for the rest."""

import difflib
import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What exchangeInfo says of a symbol.

    `tick` and `step` are integers in units of 10^-price_decimals and 10^-quantity_decimals; every price and quantity of
    the simulator is an integer in those units.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    price_decimals: int
    tick: int
    quantity_decimals: int
    step: int
    onboard_ms: int = 1_569_398_400_000
    status: str = "TRADING"
    # When a perpetual is settled: in the year 2100, unless it is delisted.
    delivery_ms: int = 4_133_404_800_000

    @property
    def price_scale(self) -> int:
        """Units of one quote asset: 10^price_decimals."""
        return int(10**self.price_decimals)

    @property
    def quantity_scale(self) -> int:
        """Units of one base asset: 10^quantity_decimals."""
        return int(10**self.quantity_decimals)


@dataclass(frozen=True, slots=True)
class SymbolProfile:
    """A synthetic symbol: its rules, where its price lives, and how it moves.

    `base_price` in quote units, `minute_volatility` as a fraction per square root of a minute, `beta` against the common
    factor, `median_notional` of one aggregate trade in quote units, `open_interest` in base units.
    """

    rules: SymbolRules
    base_price: float
    minute_volatility: float
    beta: float
    median_notional: float
    open_interest: float


# symbol: (price, price decimals, tick, quantity decimals, step, volatility, beta, open interest)
_KNOWN: dict[str, tuple[float, int, int, int, int, float, float, float]] = {
    "BTCUSDT": (91_000.0, 2, 10, 3, 1, 0.00045, 0.9, 93_000.0),
    "ETHUSDT": (3_050.0, 2, 1, 3, 1, 0.00060, 1.1, 1_900_000.0),
    "SOLUSDT": (142.0, 4, 100, 2, 1, 0.00075, 1.2, 9_500_000.0),
    "BNBUSDT": (880.0, 3, 10, 2, 1, 0.00050, 0.8, 640_000.0),
    "XRPUSDT": (2.15, 4, 1, 1, 1, 0.00070, 1.1, 310_000_000.0),
    "DOGEUSDT": (0.158, 5, 1, 0, 1, 0.00080, 1.2, 2_400_000_000.0),
    "ADAUSDT": (0.472, 5, 10, 0, 1, 0.00075, 1.2, 430_000_000.0),
    "LINKUSDT": (13.4, 3, 1, 2, 1, 0.00075, 1.1, 21_000_000.0),
    "AVAXUSDT": (14.6, 4, 10, 0, 1, 0.00080, 1.2, 12_000_000.0),
    "LTCUSDT": (92.0, 2, 1, 3, 1, 0.00060, 0.9, 2_600_000.0),
}

# Further perpetuals of the venue; their rules are derived from their names.
_LISTED = frozenset({
    "AAVE", "APT", "ARB", "ATOM", "BCH", "DOT", "ETC", "FIL", "HBAR", "ICP", "INJ", "NEAR", "OP", "SUI", "TON", "TRX",
    "UNI", "XLM", "1000PEPE", "1000SHIB",
})  # fmt: skip
_GENERATED = re.compile(r"C\d{3,}")


def generated_symbols(count: int) -> tuple[str, ...]:
    """`count` symbol names: the well-known ones first, then `C004USDT`, `C005USDT`, …"""
    known = list(_KNOWN)[:count]
    return tuple(known + [f"C{index:03d}USDT" for index in range(len(known), count)])


def profile_of(symbol: str) -> SymbolProfile:
    """The profile of a perpetual that the simulated venue lists, quoted in USDT or USDC.

    Raises `ValueError` for any other name, as the venue would not know it either.
    """
    quote = next((q for q in ("USDT", "USDC") if symbol.endswith(q) and len(symbol) > len(q)), None)
    if quote is None:
        near = _near(symbol, [*_KNOWN, *(f"{name}USDT" for name in sorted(_LISTED))])
        raise ValueError(
            f"{symbol} is no USD-margined perpetual: its name must end in USDT or USDC; near: {', '.join(near) or 'none'}"
        )
    base = symbol[: -len(quote)]
    known = _KNOWN.get(base + "USDT")
    if known is None:
        if base not in _LISTED and not _GENERATED.fullmatch(base):
            near = _near(base, [name.removesuffix("USDT") for name in _KNOWN] + sorted(_LISTED))
            raise ValueError(f"the simulator lists no {symbol}; near: {', '.join(n + quote for n in near) or 'none'}")
        known = _derived(symbol)
    price, price_decimals, tick, quantity_decimals, step, volatility, beta, interest = known
    rules = SymbolRules(symbol, base, quote, price_decimals, tick, quantity_decimals, step)
    return SymbolProfile(rules, price, volatility, beta, 420.0, interest)


def _near(name: str, listed: list[str]) -> list[str]:
    return difflib.get_close_matches(name, listed, 3, 0.5)


def _derived(symbol: str) -> tuple[float, int, int, int, int, float, float, float]:
    digest = hashlib.sha256(symbol.encode()).digest()
    exponent = digest[0] % 6 - 2
    price = (1 + digest[1] / 32) * 10.0**exponent
    price_decimals = min(7, 4 - exponent)
    quantity_decimals = max(0, min(3, exponent + 1))
    volatility = 0.0005 + digest[2] / 255 * 0.0006
    return price, price_decimals, 1, quantity_decimals, 1, volatility, 0.8 + digest[3] / 255, 20_000_000.0 / price


def known_profile(symbol: str) -> SymbolProfile | None:
    """The profile of a well-known symbol, None for a name that would only be derived."""
    for quote in ("USDT", "USDC"):
        if symbol.endswith(quote) and symbol.removesuffix(quote) + "USDT" in _KNOWN:
            return profile_of(symbol)
    return None
