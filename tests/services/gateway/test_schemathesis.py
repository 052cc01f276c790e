"""Schemathesis sends what the description allows and what it forbids, to every operation, and finds nothing."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from libs.store import sign_in_failures
from services.gateway.openapi import document
from tests.services.gateway.conftest import fill_database
from tests.services.gateway.house import PASSWORD
from tests.services.gateway.test_commands import Desk
from tests.services.gateway.test_commands import desk as desk_of_commands

# Counted and not timed, so that a slow machine tries the same. What the coverage phase tries follows from the description.
EXAMPLES = 3
# Each would end the session that the run itself comes with.
LEFT_OUT = ("postLogout", "postLogoutAll")
# What fits the description may still be no: a symbol that is unknown here, a wrong password, a code that opens nothing.
UNFITTING = ("positive_data_acceptance",)
PHASES = ("examples", "coverage", "fuzzing")
desk = desk_of_commands


async def token_of(desk: Desk) -> str:
    """Of an administrator whose second factor stays proven, with its session, until the end."""
    house = desk.house
    house.clock.stop()
    name, _ = await house.person("admin")
    asked = {"name": name, "password": PASSWORD, "given_to": "program"}
    token = str((await house.device().post("/api/auth/login", asked)).body["tokens"]["access_token"])
    await house.enrol(house.device(token))
    return token


def operations() -> set[str]:
    """Those of the description that are tried."""
    paths: dict[str, dict[str, Any]] = json.loads(document())["paths"]
    return {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation["operationId"] not in LEFT_OUT
    }


def tried(report: Path) -> dict[str, set[str]]:
    """The operations by phase to which requests went."""
    found: dict[str, set[str]] = {phase: set() for phase in PHASES}
    for line in report.read_text().splitlines():
        scenario = json.loads(line).get("ScenarioFinished")
        # What is left out, because the description has no example, has no interactions at all.
        if scenario is not None and scenario["recorder"].get("interactions"):
            found[scenario["phase"]].add(scenario["recorder"]["label"])
    return found


async def test_schemathesis_finds_nothing(
    desk: Desk, module_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its wrong passwords would lock its address, and nothing behind the lock would be tried.
    monkeypatch.setattr(sign_in_failures, "FREE_FAILURES", 10**9)
    desk.house.application.state.backtests.command = ("true",)
    await fill_database(module_database_url)
    token, report, described = await token_of(desk), tmp_path / "report.ndjson", tmp_path / "openapi.json"
    described.write_text(document())
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", str(described), "--url", desk.house.url),
        *("--header", f"Authorization: Bearer {token}", "--seed", "20261129", "--max-examples", str(EXAMPLES)),
        *("--checks", "all", "--exclude-checks", ",".join(UNFITTING), "--phases", ",".join(PHASES)),
        *("--suppress-health-check", "all", "--no-color", "--request-timeout", "600", "--continue-on-failure"),
        *("--report-ndjson-path", str(report)),
        *(part for each in LEFT_OUT for part in ("--exclude-operation-id", each)),
    ]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said[-20_000:].replace(token, "TOKEN")
    all_operations, found = operations(), tried(report)
    assert len(all_operations) > 80
    assert found["coverage"] == found["fuzzing"] == all_operations
    assert desk.obeyed, "what it tells is carried out"
