"""docs/api.md: what it tells people to type works as it stands there."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.services.gateway.house import PASSWORD
from tests.services.gateway.test_commands import Desk
from tests.services.gateway.test_commands import desk as desk_of_commands

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
desk = desk_of_commands


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
async def token(desk: Desk) -> str:
    name, _ = await desk.house.person("trader")
    asked = {"name": name, "password": PASSWORD, "given_to": "program"}
    answer = await desk.house.device().post("/api/auth/login", asked)
    return str(answer.body["tokens"]["access_token"])


async def test_every_example_works(desk: Desk, token: str) -> None:
    first, *examples = blocks()
    assert len(examples) == 4
    assert shutil.which("curl"), "the examples are curl's"
    text = first.replace("http://127.0.0.1:8000", desk.house.url) + "".join(examples)
    variables = {**os.environ, "TOKEN": token}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", text, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=variables
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert {type(each).__name__ for each in desk.obeyed} == {"Pause", "Lock", "Close", "Flatten"}
