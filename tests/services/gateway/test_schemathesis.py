"""Schemathesis sends what the description allows and what it forbids, for a bounded time, and finds nothing."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from libs.store import sign_in_failures
from services.gateway.openapi import document
from tests.services.gateway.conftest import fill_database
from tests.services.gateway.house import PASSWORD, open_house

SECONDS = 40
# Each would end the session that the run itself comes with.
LEFT_OUT = ("postLogout", "postLogoutAll")
# What is said to other services is 503 here, where there is no broker; tests of commands and of strategies ask it with one.
NEEDS_BROKER = ("/api/live/", "/api/positions/", "/api/risk/", "/api/strategies/")
# What fits the description may still be no: a symbol that is unknown here, a wrong password, a code that opens nothing.
UNFITTING = ("positive_data_acceptance",)


def _left_out() -> list[str]:
    paths = json.loads(document())["paths"].items()
    said = [
        operation["operationId"]
        for path, operations in paths
        for method, operation in operations.items()
        if method != "get" and path.startswith(NEEDS_BROKER)
    ]
    assert len(said) >= 14
    return [*LEFT_OUT, *said]


async def test_schemathesis_finds_nothing(
    module_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its wrong passwords would lock its address, and nothing behind the lock would be tried.
    monkeypatch.setattr(sign_in_failures, "FREE_FAILURES", 10**9)
    await fill_database(module_database_url)
    async with open_house(module_database_url, tmp_path) as house:
        name, _ = await house.person("admin")
        asked = {"name": name, "password": PASSWORD, "given_to": "program"}
        token = (await house.device().post("/api/auth/login", asked)).body["tokens"]["access_token"]
        await house.enrol(house.device(token))
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{house.url}/api/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--max-time", str(SECONDS), "--seed", "20261129"),
            *("--checks", "all", "--exclude-checks", ",".join(UNFITTING), "--phases", "examples,coverage,fuzzing"),
            *("--suppress-health-check", "all", "--no-color", "--max-examples", "30"),
            *(part for each in _left_out() for part in ("--exclude-operation-id", each)),
        ]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said[-20_000:].replace(token, "TOKEN")
        assert "passed" in said or "No issues found" in said, said[-5_000:]
