"""Kept answers: one question for many who ask the same, no room for what is over, and no more bytes than it may have."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from functools import partial

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel

from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from services.gateway import caching
from services.gateway.asking import Shared, kept
from services.gateway.caching import AnswerCache
from services.gateway.shared import Gateway
from tests.services.processes import eventually
from tests.support.asgi import ask


class Words(BaseModel):
    """An answer of a chosen size."""

    text: str


async def words(letter: str, count: int = 1) -> Words:
    return Words(text=letter * count)


async def test_no_more_bytes_are_kept_than_may_be_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_BYTES", 3_000)
    cache = AnswerCache()
    for letter in "abcd":
        assert len((await cache.answer(letter, 60, partial(words, letter, 900))).body) > 900
    assert list(cache._kept) == ["b", "c", "d"]
    large = await cache.answer("large", 60, lambda: words("l", 5_000))
    assert len(large.body) > 5_000
    assert (list(cache._kept), cache._bytes) == ([], 0), "what has no room at all is sent, and not kept"


async def test_what_is_over_is_dropped_without_anybody_asking() -> None:
    cache = AnswerCache()
    await cache.answer("short", 0, lambda: words("s"))
    await cache.answer("long", lambda answer: 60 if answer == Words(text="l") else 0, lambda: words("l"))

    async def dropped() -> bool:
        return list(cache._kept) == ["long"]

    await eventually(dropped, 60, lambda: f"{list(cache._kept)} are kept")
    cache.forget()
    assert (list(cache._kept), cache._bytes) == ([], 0)


async def test_a_failure_is_everybodys_who_waits_and_is_not_kept() -> None:
    cache, asked = AnswerCache(), 0

    async def fail() -> Words:
        nonlocal asked
        asked += 1
        raise ZeroDivisionError

    found = await asyncio.gather(*(cache.answer("x", 60, fail) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [ZeroDivisionError] * 3
    assert (asked, list(cache._kept)) == (1, [])


@pytest.fixture
async def api() -> AsyncIterator[FastAPI]:
    engine = create_engine(DatabaseSettings(database_url="postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    application = FastAPI()
    application.state.gateway, application.state.asked = Gateway(engine, engine, ()), 0

    @application.get("/words")
    async def route(request: Request, shared: Shared, symbol: str = "", limit: int = 1) -> Response:
        async def made() -> Words:
            request.app.state.asked += 1
            return await words(symbol, limit)

        return await kept(request, shared, 60, made)

    yield application
    await engine.dispose()


async def test_the_same_question_in_other_letters_is_one_and_another_is_not(api: FastAPI) -> None:
    for query in ("symbol=A&limit=2", "limit=2&symbol=A", "symbol=%41&limit=2", "symbol=A&limit=2&_=17"):
        assert (await ask(api, f"/words?{query}")).json == {"text": "AA"}
    assert api.state.asked == 1
    for query, text in (("symbol=B&symbol=A", "A"), ("symbol=A&symbol=B", "B"), ("symbol=A%26limit=2", "A&limit=2")):
        assert (await ask(api, f"/words?{query}")).json == {"text": text}
    assert api.state.asked == 4


async def test_a_large_answer_is_packed_for_whom_it_suits_and_has_one_tag(api: FastAPI) -> None:
    plain = await ask(api, "/words?symbol=A&limit=5000")
    packed = await ask(api, "/words?symbol=A&limit=5000", accept_encoding="br, gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 200
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert plain.headers["etag"] == packed.headers["etag"]
    assert packed.headers["vary"] == "Accept-Encoding"
    for accepted in ("", "gzip"):
        again = await ask(
            api, "/words?symbol=A&limit=5000", accept_encoding=accepted, if_none_match=plain.headers["etag"]
        )
        assert (again.status, again.body) == (304, b"")
    small = await ask(api, "/words?symbol=A&limit=20", accept_encoding="gzip")
    assert (small.json, "content-encoding" in small.headers) == ({"text": "A" * 20}, False)
