"""WebSocket frames as bytes: single messages, and whole batches of aggTrade messages by one compiled loop.

A server may send unmasked frames, so a batch for many subscribers is encoded once and written as it is.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from services.exchange_simulator.market import TradeWindow
from services.exchange_simulator.symbols import SymbolRules

_TEXT, _PING, _PONG, _CLOSE = 0x81, 0x89, 0x8A, 0x88
# An aggTrade message is at most: two names, eight numbers of 20 digits, and the fixed text.
_LONGEST = 512
Bytes = NDArray[np.uint8]


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


def text_frame(payload: bytes) -> bytes:
    """One unmasked text message."""
    return _frame(_TEXT, payload)


def ping_frame(payload: bytes) -> bytes:
    """A ping with at most 125 bytes of payload."""
    return _frame(_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping, with its payload."""
    return _frame(_PONG, payload)


def close_frame(code: int, reason: str) -> bytes:
    """A close frame (RFC 6455 section 5.5.1)."""
    return _frame(_CLOSE, code.to_bytes(2, "big") + reason.encode()[:120])


def payloads_of(frames: bytes) -> list[bytes]:
    """The payloads of unmasked text frames that stand one behind the other, none longer than 65,535 bytes."""
    payloads, place = [], 0
    while place < len(frames):
        size, start = frames[place + 1], place + 2
        if size == 126:
            size, start = int.from_bytes(frames[place + 2 : place + 4], "big"), place + 4
        payloads.append(frames[start : start + size])
        place = start + size
    return payloads


def enveloped(stream: str, payload: bytes) -> bytes:
    """The combined-stream form of a payload."""
    return b'{"stream":"' + stream.encode() + b'","data":' + payload + b"}"


@njit(cache=True, nogil=True)
def _put(out: Bytes, place: int, text: Bytes, start: int, stop: int) -> int:
    """Copy text[start:stop]; bounds instead of a slice, whose reference counting would cost more than the copy."""
    for i in range(start, stop):
        out[place + i - start] = text[i]
    return place + stop - start


@njit(cache=True, nogil=True)
def _put_integer(out: Bytes, place: int, value: int, at_least: int) -> int:
    """Digits of a non-negative integer, padded with zeros to `at_least` digits."""
    digits = 1
    power = 10
    while value >= power and digits < 19:
        power *= 10
        digits += 1
    digits = max(digits, at_least)
    for i in range(digits - 1, -1, -1):
        out[place + i] = 48 + value % 10
        value //= 10
    return place + digits


@njit(cache=True, nogil=True)
def _put_decimal(out: Bytes, place: int, value: int, decimals: int) -> int:
    if decimals == 0:
        return _put_integer(out, place, value, 1)
    scale = 1
    for _ in range(decimals):
        scale *= 10
    place = _put_integer(out, place, value // scale, 1)
    out[place] = 46
    return _put_integer(out, place + 1, value % scale, decimals)


@njit(cache=True, nogil=True)
def _close_frame_header(out: Bytes, start: int, end: int) -> int:
    """Write the header of a message whose payload stands at start+4..end; a short one moves down two bytes."""
    size = end - start - 4
    out[start] = 0x81
    if size < 126:
        out[start + 1] = size
        for i in range(size):
            out[start + 2 + i] = out[start + 4 + i]
        return end - 2
    out[start + 1] = 126
    out[start + 2] = size >> 8
    out[start + 3] = size & 255
    return end


@njit(cache=True, nogil=True)
def _encode(numbers: NDArray[np.int64], maker: NDArray[np.bool_], symbols: NDArray[np.int32], wanted: NDArray[np.bool_],
            texts: Bytes, spans: NDArray[np.int64], parts: Bytes, marks: NDArray[np.int64], out: Bytes) -> int:  # fmt: skip
    """Encode rows of wanted symbols. `numbers`: event, id, price, quantity, non-RPI, first, last, trade time by column.

    `texts`/`spans` hold per symbol head, name part and the two scales; `parts`/`marks` the fixed pieces.
    """
    place = 0
    for row in range(len(symbols)):
        s = symbols[row]
        if not wanted[s]:
            continue
        start = place
        price_decimals, quantity_decimals = spans[s, 3], spans[s, 4]
        place = _put(out, start + 4, texts, spans[s, 0], spans[s, 1])
        place = _put_integer(out, place, numbers[0, row], 1)
        place = _put(out, place, texts, spans[s, 1], spans[s, 2])
        place = _put_integer(out, place, numbers[1, row], 1)
        place = _put(out, place, parts, marks[0], marks[1])
        place = _put_decimal(out, place, numbers[2, row], price_decimals)
        place = _put(out, place, parts, marks[1], marks[2])
        place = _put_decimal(out, place, numbers[3, row], quantity_decimals)
        if numbers[4, row] >= 0:
            place = _put(out, place, parts, marks[2], marks[3])
            place = _put_decimal(out, place, numbers[4, row], quantity_decimals)
        place = _put(out, place, parts, marks[3], marks[4])
        place = _put_integer(out, place, numbers[5, row], 1)
        place = _put(out, place, parts, marks[4], marks[5])
        place = _put_integer(out, place, numbers[6, row], 1)
        place = _put(out, place, parts, marks[5], marks[6])
        place = _put_integer(out, place, numbers[7, row], 1)
        flag = 6 if maker[row] else 7
        place = _put(out, place, parts, marks[flag], marks[flag + 1])
        tail = 8 if numbers[4, row] >= 0 else 9
        place = _put(out, place, parts, marks[tail], marks[tail + 1])
        place = _close_frame_header(out, start, place)
    return place


class AggTradeEncoder:
    """Turns trade windows into WebSocket frames, for raw connections or with the combined-stream envelope.

    Rows whose non-RPI quantity is unknown (-1) come from captures older than the fields `nq` and `st`, and get neither.
    """

    def __init__(self, rules: Sequence[SymbolRules], combined: bool) -> None:
        texts, spans = bytearray(), np.zeros((len(rules), 5), np.int64)
        for index, rule in enumerate(rules):
            envelope = f'{{"stream":"{rule.symbol.lower()}@aggTrade","data":' if combined else ""
            spans[index, 0] = len(texts)
            texts += f'{envelope}{{"e":"aggTrade","E":'.encode()
            spans[index, 1] = len(texts)
            texts += f',"s":"{rule.symbol}","a":'.encode()
            spans[index, 2:] = (len(texts), rule.price_decimals, rule.quantity_decimals)
        end = "}}" if combined else "}"
        pieces = (
            ',"p":"',
            '","q":"',
            '","nq":"',
            '","f":',
            ',"l":',
            ',"T":',
            ',"m":true',
            ',"m":false',
            f',"st":1{end}',
            end,
        )
        self._texts = np.frombuffer(bytes(texts), np.uint8)
        self._spans = spans
        self._parts = np.frombuffer("".join(pieces).encode(), np.uint8)
        self._out = np.empty(0, np.uint8)
        self._marks = np.cumsum([0, *(len(piece) for piece in pieces)]).astype(np.int64)

    def frames(self, window: TradeWindow, wanted: NDArray[np.bool_]) -> bytes:
        """All frames of the wanted symbols' rows, one behind the other."""
        trades = window.trades
        if not len(trades):
            return b""
        columns = (trades.event_ms, trades.ids, trades.prices, trades.quantities, trades.non_rpi)
        numbers = np.stack((*columns, trades.first_ids, trades.last_ids, trades.trade_ms))
        if len(self._out) < len(trades) * _LONGEST:
            self._out = np.empty(len(trades) * _LONGEST * 2, np.uint8)
        size = _encode(
            numbers,
            trades.maker,
            window.symbol_index,
            wanted,
            self._texts,
            self._spans,
            self._parts,
            self._marks,
            self._out,
        )
        return self._out[:size].tobytes()
