"""The picture of a signal's last hours: a PNG of a known size, whatever the prices are."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.notify.chart import Bar, Picture, draw

STEP = 300_000
price = st.floats(1e-7, 1e7, allow_nan=False)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(price, price), min_size=1, max_size=60), st.dictionaries(st.text(max_size=8), price, max_size=5)
)
def test_any_prices_make_a_picture(prices: list[tuple[float, float]], levels: dict[str, float]) -> None:
    bars = [Bar(1_700_000_000_000 + number * STEP, a, max(a, b), min(a, b), b) for number, (a, b) in enumerate(prices)]
    named = {name: Decimal(str(level)) for name, level in levels.items()}
    assert size(draw(Picture("BTCUSDT · 4 h", bars, STEP, named))) == (800, 420)


def test_levels_change_the_picture_and_no_bars_are_no_picture() -> None:
    bars = [Bar(1_700_000_000_000, 1.0, 2.0, 0.5, 1.5)]
    assert draw(Picture("t", bars, STEP, {})) != draw(Picture("t", bars, STEP, {"stop": Decimal("0.7")}))
    with pytest.raises(ValueError, match="no candles"):
        draw(Picture("t", [], STEP, {}))
