"""Decimal text to scaled integers: exact, and fast enough for the trade path."""

import re
from collections.abc import Sequence
from decimal import Decimal
from math import gcd

from libs.kit.errors import BadMessage

_POWERS: tuple[int, ...] = tuple(10**n for n in range(32))
# Venues have 8 decimals at most; 18 are those of the smallest unit of any token, and 64 bits hold no more digits.
MOST_DECIMALS = 18
LONGEST_NUMBER = 64
# int() and Decimal() read more than venues write: underscores, blanks around, digits of other scripts.
_plain = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)").fullmatch
_plain_or_exponent = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?").fullmatch
_COLUMN_BYTES = b"0123456789.,"


def finite_decimal(text: str) -> Decimal:
    """A number as venues write it, exactly; an exponent of two digits is allowed. Raises `BadMessage` "bad_number"."""
    if len(text) > LONGEST_NUMBER or not _plain_or_exponent(text):
        raise BadMessage("bad_number", f"{text[:LONGEST_NUMBER]!r} is not a number")
    return Decimal(text)


def decimals_of_step(step: str) -> int:
    """Decimal places of a tick or step size, trailing zeros not counted: "0.10" has 1, "1.000" has 0.

    Raises `BadMessage` when the text is no plain decimal number, or finer than `MOST_DECIMALS`.
    """
    whole, _, fraction = step.partition(".")
    decimals = len(fraction.rstrip("0"))
    if not whole or whole[0] in "+-" or not _plain(step) or decimals > MOST_DECIMALS:
        raise BadMessage("bad_decimal", f"{step[:LONGEST_NUMBER]!r} is not a step size")
    return decimals


def scaled(text: str, decimals: int) -> int:
    """`text * 10**decimals` as an integer; `decimals` is at most 31.

    Raises `BadMessage` "bad_decimal" when the text is no plain decimal, "finer_than_scale" when digits would be lost.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isdigit() and digits.isascii()) and not _plain(text):
        raise BadMessage("bad_decimal", f"{text[:LONGEST_NUMBER]!r} is not a decimal number")
    surplus = len(fraction) - decimals
    try:
        if surplus == 0:
            return int(digits)
        if surplus < 0:
            return int(digits) * _POWERS[-surplus]
        if fraction[decimals:].strip("0"):
            raise BadMessage("finer_than_scale", f"{text[:LONGEST_NUMBER]} has more than {decimals} decimals")
        return int(whole + fraction[:decimals] or "0")
    except ValueError:  # more digits than int() reads
        raise BadMessage("bad_decimal", f"{text[:LONGEST_NUMBER]!r} is not a decimal number") from None


def scaled_column(texts: Sequence[str], decimals: int) -> list[int]:
    """`scaled` of each text; much faster for many texts with as many decimals as the scale or with equally many more.

    Raises as `scaled` does, for the first text that does not fit.
    """
    if not texts:
        return []
    try:
        widths = {len(text) - text.index(".") for text in texts}
        joined = ",".join(texts)
        numbers = list(map(int, joined.replace(".", "").split(",")))
    except ValueError:
        return [scaled(text, decimals) for text in texts]
    surplus = min(widths) - 1 - decimals
    plain = not joined.encode().translate(None, _COLUMN_BYTES)
    uniform = plain and len(widths) == 1 and surplus >= 0 and joined.count(".") == len(texts) == len(numbers)
    power = 10**surplus if uniform else 0
    if not uniform or (surplus and gcd(power, *numbers) != power):
        return [scaled(text, decimals) for text in texts]
    return [number // power for number in numbers] if surplus else numbers


def plain_number(number: Decimal) -> str:
    """As venues read numbers: without an exponent. Raises `ValueError` for one that is not finite."""
    if not number.is_finite():
        raise ValueError(f"{number} cannot be sent")
    return format(number, "f")
