"""Waiting for a command that another request says: told what is known, also where that request has failed."""

import asyncio
from pathlib import Path

import pytest

from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.errors import UnreachableError
from libs.streaming.commands import CommandDesk
from libs.trading.issuing import Wish
from services.gateway.issuing import Issuer, issuer_key, nonce_of
from services.gateway.newest import Newest
from tests.services.gateway.house import NO_BROKER


async def test_who_waits_for_a_request_that_fails_is_told_so(tmp_path: Path) -> None:
    desk = CommandDesk(NO_BROKER, COMMAND, COMMAND_RESULT, service="gateway")
    issuer = Issuer(desk, issuer_key(tmp_path), Newest())
    command = issuer.signed(Wish("main", "pause", {}, "anna"), nonce_of("anna", "12345678"))
    issuer.begin(command)
    waiting = asyncio.create_task(issuer.hear(command.event_id, 600))
    assert not (await asyncio.wait((waiting,), timeout=0))[0]
    issuer.give_up(command)
    with pytest.raises(UnreachableError, match="has failed"):
        await waiting
