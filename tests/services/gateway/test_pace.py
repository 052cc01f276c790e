"""However fast commands are asked for, guard and executor hear few of them, and a flatten is always heard."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.commands import CommandIssued, CommandName, answered
from libs.trading.commands import COMMANDS, RISK_REDUCING
from libs.trading.issuing import Wish
from services.gateway import commands
from services.gateway.access import Person
from services.gateway.limits import Limit
from services.gateway.pace import MOST_FLATTENS, Pace
from tests.services.gateway.house import PASSWORD, Device, House, Said, open_house

IN_SESSION = Person("ada", "trader", frozenset({"read", "trade"}), "u1", "s1", None)
PROGRAM = Person("ada", "trader", frozenset({"read", "trade"}), "u1", None, "t1")


def still() -> Pace:
    """Budgets of one that never grow again."""
    return Pace(Limit(1e-9, 1, lambda: 0.0), Limit(1e-9, 1, lambda: 0.0))


def wish(name: CommandName) -> Wish:
    return Wish("main", name, {}, "")


def test_a_program_uses_up_nothing_of_its_owners_and_nothing_that_reduces_risk() -> None:
    pace = still()
    assert pace.wait(PROGRAM, wish("sync")) == 0
    assert pace.wait(PROGRAM, wish("sync")) > 0
    assert pace.wait(PROGRAM, wish("pause")) == 0
    assert pace.wait(PROGRAM, wish("close")) > 0
    assert [pace.wait(IN_SESSION, wish(name)) > 0 for name in ("sync", "flatten", "sync")] == [False, False, True]


def test_a_second_token_is_no_second_budget() -> None:
    pace = still()
    other = Person(PROGRAM.name, PROGRAM.role, PROGRAM.scopes, PROGRAM.user_id, None, "t2")
    assert [pace.wait(who, wish("pause")) > 0 for who in (PROGRAM, other)] == [False, True]


def test_what_is_said_in_a_minute_is_well_below_what_one_can_take() -> None:
    now = [0.0]
    pace = Pace(program=Limit(1, 20, lambda: now[0]))
    said = 0
    for tenth in range(600):
        now[0] = tenth / 10
        said += sum(not pace.wait(PROGRAM, wish(name)) for name in COMMANDS)
    assert said <= 2 * (20 + 60)
    assert {"flatten", "pause"} <= set(RISK_REDUCING)


@dataclass(slots=True)
class Listener:
    """Who hears the commands, and answers none by itself."""

    heard: list[CommandIssued] = field(default_factory=list)

    async def issue(self, command: CommandIssued) -> None:
        self.heard.append(command)

    @property
    def words(self) -> list[tuple[str, ...]]:
        return [(each.command, *each.arguments.values()) for each in self.heard]


@dataclass(frozen=True, slots=True)
class Scene:
    """A house in which one command of a kind may be said, and a program of a trader."""

    house: House
    listener: Listener
    program: Device

    async def flatten(self, symbol: str) -> Said:
        return await self.program.post("/api/risk/flatten", {"symbol": symbol, "confirmation": f"flatten {symbol}"})

    def answer(self, command: CommandIssued) -> None:
        """As its target would."""
        self.house.shared.words.answers.append(answered(command, "done", 1, accepted=True))


@pytest.fixture
async def scene(module_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(commands, "LONG_SECONDS", {})
    async with open_house(module_database_url, tmp_path) as house:
        house.application.state.pace, listener = still(), Listener()
        desk: Any = listener
        house.issuer.desk = desk
        _, device = await house.person("trader")
        asked = {"name": "p", "scopes": ["read", "trade"], "days": 1, "password": PASSWORD}
        program = house.device((await device.post("/api/auth/tokens", asked)).body["token"])
        yield Scene(house, listener, program)


async def test_beyond_the_pace_commands_are_refused_and_a_flatten_is_not(scene: Scene) -> None:
    assert (await scene.program.post("/api/risk/pause", {"confirmation": "pause"})).status == 202
    refused = await scene.program.post("/api/risk/pause", {"confirmation": "pause"})
    assert (refused.status, refused.body["detail"]) == (429, "too many commands: say the next one later")
    assert int(refused.headers["retry-after"]) >= 1
    for symbol in ("all", "BTCUSDT"):
        assert (await scene.flatten(symbol)).status == 202
    assert scene.listener.words == [("pause",), ("flatten", "all"), ("flatten", "BTCUSDT")]
    scene.answer(scene.listener.heard[1])
    again = await scene.flatten("all")  # the first one is done: this one may have something to close
    assert (again.status, len(scene.listener.heard)) == (202, 4)


async def test_a_flood_of_flattens_is_one_of_everything_and_few_of_symbols(scene: Scene) -> None:
    await scene.program.post("/api/risk/pause", {"confirmation": "pause"})
    told = [await scene.flatten("all") for _ in range(5)]
    assert {each.status for each in told} == {202}
    assert len({each.body["command_id"] for each in told}) == 1
    symbols = [(await scene.flatten(f"X{number}USDT")).status for number in range(MOST_FLATTENS + 5)]
    assert symbols == [202] * (MOST_FLATTENS - 1) + [429] * 6
    assert (await scene.flatten("X0USDT")).status == 202
    assert len(scene.listener.heard) == 1 + MOST_FLATTENS
