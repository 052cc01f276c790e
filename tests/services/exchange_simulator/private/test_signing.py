"""Who is let in: keys, signatures over the raw bytes, and clocks."""

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.private.keys import ACCOUNTS_FILE, ApiKey, open_accounts, read_accounts
from tests.services.exchange_simulator.running import running
from tests.services.exchange_simulator.trader import Answer, Trader, trader

BALANCE = "/fapi/v3/balance"
SETTINGS = {"symbols": ("BTCUSDT",), "rate": 20.0}


def test_the_venues_own_example_verifies() -> None:
    key = ApiKey(key="k", secret="2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")
    payload = b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
    signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert key.signed(payload, signature)
    assert key.signed(payload, signature.upper())
    assert not key.signed(payload + b" ", signature)


async def test_a_request_is_signed_over_query_and_body_as_they_came(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        path, now = "/fapi/v1/leverage", me.now_ms()
        query, body = f"timestamp={now}&symbol=BTCUSDT", "leverage=7&recvWindow="
        in_query = await me.raw("POST", f"{path}?{query}&signature={me.signature(query + body)}", body)
        in_body = await me.raw("POST", path, f"{query}&{body}&signature={me.signature(f'{query}&{body}')}")
        joined = await me.raw("POST", f"{path}?{query}&signature={me.signature(f'{query}&{body}')}", body)
        # The query's value of a name that both have counts.
        twice = await me.raw(
            "POST", f"{path}?{query}&signature={me.signature(query + 'symbol=NO&' + body)}", f"symbol=NO&{body}"
        )
        quoted = query.replace("BTCUSDT", "%42TCUSDT")
        escaped = await me.raw("POST", f"{path}?{quoted}&signature={me.signature(quoted + body)}", body)
        assert [one.status for one in (in_query, in_body, twice, escaped)] == [200] * 4
        assert (joined.status, joined.body["code"]) == (400, -1022)


async def _without_key(me: Trader) -> Answer:
    async with me.venue.http.get(f"{me.venue.url}{BALANCE}") as answer:
        return Answer(answer.status, await answer.json(), {})


async def _unknown_key(me: Trader) -> Answer:
    stranger = me.key.model_copy(update={"key": "f" * 64})
    return await Trader(me.venue, stranger).send("GET", BALANCE)


async def _unsigned(me: Trader) -> Answer:
    return await me.raw("GET", f"{BALANCE}?timestamp={me.now_ms()}")


async def _wrongly_signed(me: Trader) -> Answer:
    return await me.raw("GET", f"{BALANCE}?timestamp={me.now_ms()}&signature={'0' * 64}")


def _signed(query: Callable[[Trader], str]) -> Callable[[Trader], Awaitable[Answer]]:
    async def send(me: Trader) -> Answer:
        text = query(me)
        return await me.raw("GET", f"{BALANCE}?{text}&signature={me.signature(text)}")

    return send


REFUSED: dict[str, tuple[Callable[[Trader], Awaitable[Answer]], int, int]] = {
    "no key": (_without_key, 401, -2014),
    "unknown key": (_unknown_key, 401, -2015),
    "no signature": (_unsigned, 400, -1102),
    "wrong signature": (_wrongly_signed, 400, -1022),
    "empty signature": (lambda me: me.raw("GET", f"{BALANCE}?timestamp={me.now_ms()}&signature="), 400, -1105),
    "no timestamp": (_signed(lambda _: "recvWindow=5000"), 400, -1102),
    "empty timestamp": (_signed(lambda _: "timestamp="), 400, -1105),
    "letters for a timestamp": (_signed(lambda _: "timestamp=now"), 400, -1100),
    "a name twice": (_signed(lambda me: f"timestamp={me.now_ms()}&timestamp={me.now_ms()}"), 400, -1101),
    "too old": (_signed(lambda me: f"timestamp={me.now_ms() - 6000}"), 400, -1021),
    "too old for its window": (_signed(lambda me: f"timestamp={me.now_ms() - 600}&recvWindow=500"), 400, -1021),
    "ahead": (_signed(lambda me: f"timestamp={me.now_ms() + 2500}"), 400, -1021),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_who_is_not_let_in_is_told_why(case: str, tmp_path: Path) -> None:
    send, status, code = REFUSED[case]
    async with running(tmp_path, **SETTINGS) as venue:
        answer = await send(trader(venue))
        assert (answer.status, answer.body["code"]) == (status, code)
        assert isinstance(answer.body["msg"], str)


async def test_time_counts_by_the_clock_that_the_venue_shows(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await venue.fault("clock_skew", by_ms=-20_000)
        right = me.now_ms() + 20_000
        assert await me.code("GET", BALANCE, timestamp=right) == -1021
        shown = (await venue.get("/fapi/v1/time"))["serverTime"]
        assert (await me.send("GET", BALANCE, timestamp=shown)).status == 200


async def test_ed25519_keys_and_rights_come_from_a_file(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    reader = {"key": "reader", "secret": "s", "rights": {"futures": False}}
    accounts = [
        {
            "name": "main",
            "balances": {"USDT": "500", "BNB": "1"},
            "keys": [{"key": "ed", "public_key": public}, reader],
        },
        {"name": "other", "keys": [{"key": "o", "secret": "s"}]},
    ]
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(accounts))
    async with running(tmp_path / "state", accounts=path, **SETTINGS) as venue:
        me = trader(venue)
        query = urlencode({"timestamp": me.now_ms()})
        signature = quote(base64.b64encode(private.sign(query.encode())).decode(), safe="")
        answer = await me.raw("GET", f"{BALANCE}?{query}&signature={signature}")
        assert {row["asset"]: row["balance"] for row in answer.body} == {"BNB": "1.00000000", "USDT": "500.00000000"}
        wrong = quote(base64.b64encode(private.sign(b"something else")).decode(), safe="")
        assert (await me.raw("GET", f"{BALANCE}?{query}&signature={wrong}")).body["code"] == -1022

        reading = Trader(venue, ApiKey.model_validate(reader))
        assert await reading.ok("GET", BALANCE)
        assert await reading.code("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=3) == -2015
        rights = await reading.ok("GET", "/sapi/v1/account/apiRestrictions")
        assert (rights["enableReading"], rights["enableFutures"], rights["enableWithdrawals"]) == (True, False, False)

        other = Trader(venue, ApiKey(key="o", secret="s"))
        assert [row["balance"] for row in await other.ok("GET", BALANCE)] == ["10000.00000000"]


def test_a_folder_without_accounts_gets_one_with_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    [first] = open_accounts(tmp_path, None).plans
    assert (tmp_path / ACCOUNTS_FILE).stat().st_mode & 0o777 == 0o600
    assert open_accounts(tmp_path, None).plans == (first,)
    other = tmp_path / "other"
    other.mkdir()
    [second] = open_accounts(other, None).plans
    assert len(first.keys[0].secret) == 64
    assert first.keys[0].secret != second.keys[0].secret
    assert first.keys[0].secret not in repr(first)


@pytest.mark.parametrize(("content", "complaint"), [
    ("[", "wrong"),
    ('[{"name": "a", "keys": [{"key": "k"}]}]', "one of them"),
    ('[{"name": "a", "keys": [{"key": "k", "public_key": "x"}]}]', "PEM"),
    ('[{"name": "a"}, {"name": "a"}]', "twice"),
    ('[{"name": "a", "keys": [{"key": "k", "secret": "s"}, {"key": "k", "secret": "t"}]}]', "twice"),
])  # fmt: skip
def test_a_wrong_file_of_accounts_is_refused_by_name(content: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        read_accounts(path)
    assert refused.value.advice.where == str(path)
