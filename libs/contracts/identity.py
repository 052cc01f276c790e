"""Deterministic ids: the same facts give the same id, in every process and every replay."""

from hashlib import blake2b


def digest(*parts: object) -> str:
    """20 hexadecimal digits (80 bits) of BLAKE2b over the parts, joined by a separator that no part may contain.

    Raises `ValueError` if a part contains the separator, because two different facts could then share an id.
    """
    texts = [str(part) for part in parts]
    if any("|" in text for text in texts):
        raise ValueError("an id part must not contain '|'")
    return blake2b("|".join(texts).encode(), digest_size=10).hexdigest()


def signal_id(strategy: str, version: int, symbol: str, evaluation_time_ms: int) -> str:
    """The id of one strategy's verdict on one symbol at one evaluation (ARCHITECTURE rule 5)."""
    return digest("signal", strategy, version, symbol, evaluation_time_ms)


def indicator_id(symbol: str, evaluation_time_ms: int) -> str:
    """The id of one symbol's feature row at one evaluation."""
    return digest("indicator", symbol, evaluation_time_ms)


def liquidation_id(symbol: str, side: str, trade_time_ms: int, quantity: object, average_price: object) -> str:
    """Liquidations have no venue id; two connections deliver byte-identical copies, so their content is the key."""
    return digest("liquidation", symbol, side, trade_time_ms, quantity, average_price)


def rate_id(symbol: str, event_time_ms: int) -> str:
    """The id of a mark price that was read from where it was kept without one; it is in no log."""
    return f"rate:{symbol}:{event_time_ms}"
