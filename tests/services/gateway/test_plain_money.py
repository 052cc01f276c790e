"""Money is digits everywhere: in answers, in files, and on the stream; never "1.2E-7" or "0E-8"."""

import json
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.models.base import Answer, Money, plain
from services.gateway.paging import rows_as_csv
from services.gateway.stream_facts import ROWS, fact_of, text_of
from tests.golden.samples import EVENTS
from tests.services.recorder.timelines import mark_price


class Rate(Answer):
    """An answer with money in it."""

    rate: Money
    before: Money | None = None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=12))
def test_plain_is_the_same_number_in_digits(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert "E" not in plain(value)


def test_an_answer_has_digits() -> None:
    assert Rate(rate=Decimal("1.2E-7")).model_dump_json() == '{"rate":"0.00000012","before":null}'
    assert (
        Rate(rate=Decimal("0E-8"), before=Decimal("1E+3")).model_dump_json() == '{"rate":"0.00000000","before":"1000"}'
    )
    assert Rate.model_json_schema(mode="serialization")["properties"]["rate"]["type"] == "string"


async def test_a_file_has_digits() -> None:
    async def pages() -> AsyncIterator[list[Mapping[str, Any]]]:
        yield [{"rate": Decimal("0E-8"), "before": {"each": Decimal("1.2E-7")}}]

    assert [line async for line in rows_as_csv(Rate, pages())] == [
        "rate,before\r\n",
        '0.00000000,"{""each"":""0.00000012""}"\r\n',
    ]


def test_the_stream_has_digits_and_otherwise_the_same_text() -> None:
    small = {"b": [Decimal("1.2E-7"), {"z": 1, "a": None}], "a": (Decimal("0E-8"), "3E-1x", True, 1.5e-9)}
    assert text_of(small) == '{"a":["0.00000000","3E-1x",true,1.5e-9],"b":["0.00000012",{"a":null,"z":1}]}'
    fact = fact_of(msgspec.structs.replace(mark_price(1), funding_rate=Decimal("1E-8")))
    assert fact is not None
    assert json.loads(fact.item.text)["funding_rate"] == "0.00000001"
    for event in EVENTS:
        if type(event) in ROWS:
            found = fact_of(event)
            assert found is not None
            assert (
                json.loads(found.item.text) == json.loads(text_of([Decimal("0E-8"), ROWS[type(event)].shape(event)]))[1]
            )
