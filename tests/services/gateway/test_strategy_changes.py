"""Strategies over the API: looked at, put in force, withdrawn; with a real Kafka and no engine, which then has not answered."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.store.audit import AuditFilter, audit_rows
from libs.store.engine import read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.strategies.log import read_standing
from tests.services.gateway.house import House, open_house

DEFINITION: dict[str, Any] = json.loads((Path(__file__).parents[3] / "strategies" / "v51.json").read_text())


@pytest.fixture
async def house(module_database_url: str, empty_kafka: str, tmp_path: Path) -> AsyncIterator[House]:
    await ensure_topics(empty_kafka, 1)
    async with open_house(module_database_url, tmp_path, bootstrap=empty_kafka) as opened:
        yield opened


async def test_a_strategy_is_looked_at_put_in_force_changed_and_withdrawn(house: House) -> None:
    name, admin = await house.person("admin")
    _, trader = await house.person("trader")
    looked = await trader.post("/api/strategies/validate", {"definition": DEFINITION})
    assert (looked.body["problems"], looked.body["version_in_force"]) == ([], None)
    assert (await trader.post("/api/strategies/activate", {"definition": DEFINITION})).status == 403
    refused = await admin.post("/api/strategies/activate", {"definition": DEFINITION})
    assert refused.body["type"] == "second-factor-needed"
    await house.enrol(admin)
    said = await admin.post("/api/strategies/activate", {"definition": DEFINITION, "reason": "first"})
    assert (said.status, said.body["state"]) == (200, "unanswered"), said.body
    again = await admin.post("/api/strategies/activate", {"definition": DEFINITION})
    assert again.body["state"] == "unchanged"
    other = {**DEFINITION, "threshold": DEFINITION["threshold"] + 1}
    looked = await trader.post("/api/strategies/validate", {"definition": other})
    assert [each["field"] for each in looked.body["differences"]] == ["threshold"]
    assert "raise version" in looked.body["problems"][0]
    assert (await admin.post("/api/strategies/activate", {"definition": other})).status == 400
    strategy = DEFINITION["name"]
    withdrawal = {"confirmation": f"withdraw {strategy}", "reason": "it loses"}
    assert (await trader.post(f"/api/strategies/{strategy}/withdraw", {"confirmation": "yes"})).status == 400
    assert (await trader.post(f"/api/strategies/{strategy}/withdraw", withdrawal)).status == 200
    assert (await trader.post(f"/api/strategies/{strategy}/withdraw", withdrawal)).status == 404
    word = (await read_standing(house.issuer.desk.bootstrap)).last[strategy]
    assert (word.enabled, word.reason, word.of_folder) == (False, "it loses", False)
    async with read_session(house.engine) as session:
        rows = await audit_rows(session, AuditFilter(who=name))
    unanswered, activated = rows[:2]
    assert (activated.action, activated.before) == ("strategy.activate", None)
    assert activated.after is not None
    assert activated.after["changes"] == said.body["changes"]
    assert (unanswered.action, unanswered.target) == ("strategy.unanswered", strategy)
    assert unanswered.after == {"of": "strategy.activate", "result": ""}


async def test_the_audit_keeps_what_an_activation_changed_and_a_withdrawal_ended(house: House) -> None:
    name, admin = await house.person("admin")
    await house.enrol(admin)
    before = DEFINITION["threshold"]
    other = {**DEFINITION, "threshold": before + 1, "version": DEFINITION["version"] + 1}
    for definition in (DEFINITION, other):
        assert (await admin.post("/api/strategies/activate", {"definition": definition})).status == 200
    strategy = DEFINITION["name"]
    withdrawal = {"confirmation": f"withdraw {strategy}", "reason": "it loses"}
    assert (await admin.post(f"/api/strategies/{strategy}/withdraw", withdrawal)).status == 200
    async with read_session(house.engine) as session:
        rows = await audit_rows(session, AuditFilter(who=name))
    _, withdrawn, _, activated, *_ = rows
    assert activated.before
    assert activated.after
    assert activated.before["fields"]["threshold"] == before
    assert activated.after["fields"]["threshold"] == before + 1
    assert activated.after["changes"]
    assert withdrawn.before == {"version": other["version"], "enabled": True}
    assert withdrawn.after == {"version": other["version"], "enabled": False, "reason": "it loses"}


async def test_what_is_no_strategy_says_where(house: House) -> None:
    _, trader = await house.person("trader")
    looked = await trader.post("/api/strategies/validate", {"definition": {"name": "x"}})
    assert looked.status == 200
    assert any("$." in line for line in looked.body["problems"]), looked.body
