"""What the bot lets people do: only what reduces risk, whatever they type, and only those whose role may."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.commands import CommandAnswered, answered
from libs.kit.clock import ManualClock
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.kit.settings import DatabaseSettings
from libs.store.audit import AuditFilter, AuditRow, audit_rows
from libs.store.engine import create_engine, read_session
from libs.trading.commands import COMMANDS, RISK_REDUCING, read_command
from libs.trading.issuing import Wish, signed_command
from services.notifier.bot.desk import CONFIRM_SECONDS, READING, ChatDesk, Person, Reply
from services.notifier.bot.file import read_bot_file
from services.notifier.bot.trail import ChatTrail
from services.notifier.bot.wishes import CHANGING, Meant, NotUnderstood, meant
from tests.fakes.signers import PaperSigner
from tests.services.notifier.conftest import NOON, Desk
from tests.services.processes import eventually

TRADER = Person("11", "ada", "channel 1", "trader")
VIEWER = Person("12", "eve", "channel 1", "viewer")
NOBODY = Person("13", "bob", "channel 1", None)


@dataclass
class Writing:
    """Answers every question and obeys every command; keeps them."""

    issued: list[tuple[Meant, str]] = field(default_factory=list)
    trouble: UserError | None = None
    known: Mapping[str, object] | None = None

    async def answer(self, command: str, typed: Mapping[str, str]) -> str:
        return f"answer to {command}"

    async def before(self, what: Meant) -> Mapping[str, object] | None:
        return self.known

    async def issue(self, what: Meant, reason: str) -> CommandAnswered:
        if self.trouble is not None:
            raise self.trouble
        self.issued.append((what, reason))
        command = signed_command(Wish("main", what.name, what.arguments, reason), PaperSigner(), NOON, "0" * 32)
        return answered(command, f"{what.name} is done", NOON, accepted=True)


@pytest.fixture(name="told")
def _told() -> Writing:
    return Writing()


@pytest.fixture(name="chat")
def _chat(desk: Desk, told: Writing) -> ChatDesk:
    return ChatDesk("main", ChatTrail(desk.engine), desk.clock, told, told)


def test_no_command_that_raises_risk_is_reducing() -> None:
    assert all(not COMMANDS[name].raises_risk for name in RISK_REDUCING)


@settings(deadline=None)
@given(
    st.one_of(st.sampled_from([*COMMANDS, *CHANGING, *READING]), st.text(max_size=20)),
    st.dictionaries(
        st.sampled_from(["symbol", "percent", "hours", "until_ms", "price", "share"]),
        st.one_of(
            st.sampled_from(["btcusdt", "all", "50", "nan", "inf", "-1", "1e9", "24h", "0.1%"]), st.text(max_size=30)
        ),
    ),
)
def test_whatever_is_typed_gives_only_commands_that_reduce_risk(command: str, typed: dict[str, str]) -> None:
    try:
        found = meant(command, typed, "main", NOON)
    except NotUnderstood:
        return
    assert found.name in RISK_REDUCING
    read_command(signed_command(Wish("main", found.name, found.arguments), PaperSigner(), NOON, "0" * 32))


def test_shares_and_times_are_what_was_typed() -> None:
    assert meant("close", {"symbol": "ethusdt", "percent": "25%"}, "main", NOON).arguments == {
        "symbol": "ETHUSDT",
        "share": "0.25",
    }
    assert meant("lock", {"symbol": "BTCUSDT", "hours": "2"}, "main", NOON).arguments["until_ms"] == str(
        NOON + 7_200_000
    )
    assert meant("flatten", {}, "main", NOON).arguments == {"symbol": "all"}


async def test_a_trader_confirms_and_the_command_says_who(chat: ChatDesk, told: Writing, desk: Desk) -> None:
    reply = await chat.ask(TRADER, "flatten", {"symbol": "BTCUSDT"})
    assert "Close BTCUSDT of main at market?" in reply.text
    assert reply.confirm is not None
    assert told.issued == [], "nothing before it is confirmed"
    assert await chat.press(TRADER, reply.confirm, confirmed=True) == Reply("flatten is done")
    ((what, reason),) = told.issued
    assert (what.name, what.arguments) == ("flatten", {"symbol": "BTCUSDT"})
    assert reason == "Discord: ada (11) in channel 1"
    assert await chat.press(TRADER, reply.confirm, confirmed=True) == Reply("This question is over. Ask again.")
    assert len(told.issued) == 1, "once"
    assert await desk.count("SELECT count(*) FROM notice_commands WHERE person = 'ada' AND command = 'flatten'") == 3


async def test_who_may_not_may_not(chat: ChatDesk, told: Writing, desk: Desk) -> None:
    assert "no role" in (await chat.ask(NOBODY, "status", {})).text
    assert (await chat.ask(VIEWER, "status", {})).text == "answer to status"
    for command in CHANGING:
        assert await chat.ask(VIEWER, command, {"symbol": "BTCUSDT"}) == Reply("You have no role that may do this.")
    reply = await chat.ask(TRADER, "pause", {})
    assert reply.confirm is not None
    other = Person("14", "dan", "channel 1", "trader")
    assert (await chat.press(other, reply.confirm, confirmed=True)).text == "Somebody else was asked."
    fallen = Person("11", "ada", "channel 1", "viewer")
    assert (await chat.press(fallen, reply.confirm, confirmed=True)).text == "You have no role that may do this."
    assert told.issued == []
    assert await desk.count("SELECT count(*) FROM notice_commands WHERE step = 'refused'") == 6


async def test_a_question_is_over_after_a_minute_or_a_no(chat: ChatDesk, told: Writing, desk: Desk) -> None:
    first, second = await chat.ask(TRADER, "pause", {}), await chat.ask(TRADER, "pause", {})
    assert first.confirm is not None
    assert second.confirm is not None
    assert (await chat.press(TRADER, first.confirm, confirmed=False)).text == "Nothing was done."
    desk.later(seconds=CONFIRM_SECONDS + 1)
    assert "too late" in (await chat.press(TRADER, second.confirm, confirmed=True)).text
    assert told.issued == []


async def test_what_nobody_knows_is_said_so(chat: ChatDesk, told: Writing) -> None:
    told.trouble = UnreachableError(
        "risk_guard has not answered pause within 15 s", todo="look before you say it again"
    )
    reply = await chat.ask(TRADER, "pause", {})
    assert reply.confirm is not None
    assert "It is not known whether this was done" in (await chat.press(TRADER, reply.confirm, confirmed=True)).text
    told.trouble = ConfigurationError("the key notifier cannot be read", todo="perpstream keys new")
    again = await chat.ask(TRADER, "pause", {})
    assert again.confirm is not None
    assert "Nothing was done" in (await chat.press(TRADER, again.confirm, confirmed=True)).text


async def test_a_database_that_is_away_does_not_keep_anybody_from_flattening(told: Writing, desk: Desk) -> None:
    await desk.engine.dispose()

    gone = create_engine(DatabaseSettings(database_url="postgresql+asyncpg://nobody@127.0.0.1:9/none"))
    trail = ChatTrail(gone)
    chat = ChatDesk("main", trail, ManualClock(NOON), told, told)
    reply = await chat.ask(TRADER, "flatten", {})
    assert reply.confirm is not None
    assert (await chat.press(TRADER, reply.confirm, confirmed=True)).text == "flatten is done"
    await asyncio.wait_for(gone.dispose(), 10)
    trail.engine = desk.engine
    paying = asyncio.ensure_future(trail.pay())

    async def paid() -> bool:
        return len(await audited(desk)) == 3

    try:
        await eventually(paid, 30, lambda: f"three rows, and not {trail.owed}")
    finally:
        paying.cancel()
    assert [row.after["step"] for row in await audited(desk) if row.after] == ["asked", "confirmed", "answered"]
    assert await desk.count("SELECT count(*) FROM notice_commands") == 3


async def test_every_step_that_would_change_something_is_in_the_audit(
    chat: ChatDesk, told: Writing, desk: Desk
) -> None:
    told.known = {"paused": False}
    reply = await chat.ask(TRADER, "pause", {})
    assert reply.confirm is not None
    await chat.press(TRADER, reply.confirm, confirmed=True)
    rows = await audited(desk)
    assert {(row.who, row.action, row.target, row.address) for row in rows} == {
        ("Discord: ada (11)", "command.pause", "main", "Discord: channel 1")
    }
    steps = [(row.after["step"], row.before, row.after["paused"]) for row in rows if row.after]
    assert steps == [
        ("asked", told.known, False),
        ("confirmed", told.known, False),
        ("answered", told.known, True),
    ]
    assert rows[-1].after is not None
    assert (rows[-1].after["detail"], len(rows[-1].after["command_id"])) == ("pause is done", 20)


async def test_what_is_refused_cancelled_or_not_known_is_in_the_audit_and_questions_are_not(
    chat: ChatDesk, told: Writing, desk: Desk
) -> None:
    await chat.ask(NOBODY, "status", {})
    await chat.ask(VIEWER, "status", {})
    assert await audited(desk) == []
    await chat.ask(NOBODY, "flatten", {"symbol": "BTCUSDT"})
    await chat.ask(VIEWER, "close", {"symbol": "BTCUSDT"})
    told.known = {"held": {"ETHUSDT": "long 2"}}
    for confirmed in (False, True):
        told.trouble = UnreachableError("nobody has answered", todo="look")
        reply = await chat.ask(TRADER, "flatten", {"symbol": "ETHUSDT"})
        assert reply.confirm is not None
        await chat.press(TRADER, reply.confirm, confirmed=confirmed)
    rows = [(row.who, row.action, row.target, row.after["step"]) for row in await audited(desk) if row.after]
    ada = "Discord: ada (11)"
    assert rows == [
        ("Discord: bob (13)", "command.flatten", "BTCUSDT", "refused"),
        ("Discord: eve (12)", "command.close", "BTCUSDT", "refused"),
        *(
            (ada, "command.flatten", "ETHUSDT", step)
            for step in ("asked", "cancelled", "asked", "confirmed", "unknown")
        ),
    ]
    last = (await audited(desk))[-1]
    assert (last.before, last.after and last.after["held"]) == (told.known, "not known")


async def audited(desk: Desk) -> list[AuditRow]:
    """The audit, the oldest first."""
    async with read_session(desk.engine) as session:
        return (await audit_rows(session, AuditFilter()))[::-1]


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("{", 0o600, "no JSON"),
        ('{"token": "sesame", "server": "1", "roles": {}}', 0o600, "roles"),
        ('{"token": "sesame", "server": "1", "roles": {"2": "admin"}}', 0o600, "roles.2"),
        (
            '{"token": "sesame", "server": "1", "roles": {"2": "viewer"}, "api": "https://evil.example"}',
            0o600,
            "this machine",
        ),
        ('{"token": "sesame", "server": "1", "roles": {"2": "viewer"}}', 0o644, "mode 644"),
    ],
)
def test_a_file_that_is_wrong_says_where_without_the_token(tmp_path: Path, text: str, mode: int, says: str) -> None:
    path = tmp_path / "bot.json"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigurationError) as found:
        read_bot_file(path)
    assert says in str(found.value)
    assert "sesame" not in str(found.value)


def test_roles_are_the_servers_and_the_most_of_them_counts(tmp_path: Path) -> None:
    path = tmp_path / "bot.json"
    path.write_text('{"token": "sesame", "server": "1", "roles": {"2": "viewer", "3": "trader"}}')
    path.chmod(0o600)
    file = read_bot_file(path)
    assert "sesame" not in repr(file)
    held: list[set[str]] = [set(), {"2"}, {"2", "3"}, {"9"}]
    assert [file.role_of(roles) for roles in held] == [None, "viewer", "trader", None]
