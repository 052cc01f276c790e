"""The description of the stream: the file is that of the code, and what is really sent fits it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from libs.contracts.event import Event
from services.gateway.stream_facts import ROWS, SHAPES, fact_of, text_of
from services.gateway.stream_items import Following
from services.gateway.stream_messages import ChannelName
from services.gateway.stream_schema import DEFAULT_FILE, document, schema
from tests.golden.samples import EVENTS
from tests.services.gateway.house import House, open_house
from tests.services.gateway.listening import listening
from tests.services.gateway.test_stream import put

DOCUMENT = Path(__file__).parents[3] / "docs" / "stream.md"


def fits(value: Any, part: dict[str, Any]) -> None:
    """Raises `jsonschema.ValidationError`."""
    jsonschema.validate(value, {**part, "$defs": schema()["$defs"]})


def test_the_file_is_that_of_the_code() -> None:
    assert DEFAULT_FILE.read_text() == document(), "python -m services.gateway.stream_schema"


def test_every_channel_has_a_shape_and_stands_in_the_document() -> None:
    assert set(SHAPES) == set(get_args(ChannelName))
    text = DOCUMENT.read_text()
    assert [name for name in SHAPES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: str(kind.SCHEMA))
def test_an_item_of_each_kind_fits(kind: type[Event]) -> None:
    samples = [event for event in EVENTS if isinstance(event, kind)]
    assert samples
    for event in samples:
        fact = fact_of(event)
        assert fact is not None
        fits(json.loads(fact.item.text), schema()["items"][fact.channel])


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        yield opened


async def test_what_is_said_fits(house: House) -> None:
    _, device = await house.person()
    async with listening(device, welcome=False) as listener:
        fits(await listener.hear("welcome"), schema()["server"])
        for message in (
            {"type": "subscribe", "id": "s", "channel": "status"},
            {"type": "ping"},
            {"type": "unsubscribe", "id": "nothing"},
        ):
            fits(message, schema()["client"])
            await listener.say(**message)
        said = [await listener.hear() for _ in range(3)]
        put(house, "status", "kafka", text_of(Following(following=False, detail="away")))
        said.append(await listener.hear("changes"))
        await listener.say(type="unsubscribe", id="s")
        said.append(await listener.hear())
        for each in said:
            fits(each, schema()["server"])
        assert {each["type"] for each in said} == {"snapshot", "pong", "error", "changes", "unsubscribed"}
