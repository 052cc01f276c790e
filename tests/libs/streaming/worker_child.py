"""Our worker around a small process function; used to see that our rule for failures holds on a real broker.

Arguments: lines file, shape, bootstrap, topic, group. Lines: "assigned:…", "revoked:…", and each value when its processing
ended well. #5 is poison.
"""

import asyncio
import signal
import sys
from pathlib import Path

from libs.kit.errors import BadMessage, TryAgain
from libs.kit.logging import configure_logging
from libs.streaming.faust_app import WorkerSettings, build_worker
from libs.streaming.records import Record


async def main(lines_file: str, shape: str, bootstrap: str, topic: str, group: str) -> None:
    configure_logging("worker", "warning")
    lines = Path(lines_file).open("a", buffering=1)  # noqa: SIM115, ASYNC230 - lives as long as the process
    tried: set[int] = set()

    async def process(record: Record) -> None:
        value = (record.value or b"").decode()
        if shape == "slow":
            print(f"begin:{value}", file=lines)
            await asyncio.sleep(0.3)
        if value == "5":
            if shape == "bad":
                raise BadMessage("poison", "as the test wants")
            if shape == "defect":
                raise ZeroDivisionError
            if shape == "again" and record.offset not in tried:
                tried.add(record.offset)
                raise TryAgain("not yet", after_seconds=0.05)
        print(value, file=lines)

    async def on_assigned(partitions: frozenset[int]) -> None:
        if shape == "no_recovery":
            raise LookupError("no snapshot")
        await asyncio.sleep(0.2)  # a recovery that takes its time: no record may arrive before it ends
        print(f"assigned:{','.join(map(str, sorted(partitions)))}", file=lines)

    async def on_revoked(partitions: frozenset[int]) -> None:
        print(f"revoked:{','.join(map(str, sorted(partitions)))}", file=lines)

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    instance = None if shape == "shared" else f"{group}-1"
    settings = WorkerSettings(bootstrap, group, topic, instance, session_timeout_seconds=6, commit_interval_seconds=0.2)
    await build_worker(settings, process, on_assigned, on_revoked).run(stopping)


asyncio.run(main(*sys.argv[1:]))
