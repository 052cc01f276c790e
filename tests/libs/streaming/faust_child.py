"""A bare Faust worker with one of the agent shapes whose behaviour we depend on; used to see what Faust itself does.

Arguments: lines file, shape, bootstrap, topic, group. Lines: the values whose processing ended well. #5 is poison.
"""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import faust

POISON = b"5"


class Poison(Exception):
    """The defect."""


def define(app: Any, topic: Any, shape: str, lines: Any) -> None:
    if shape == "take_exit":

        @app.agent(topic)  # type: ignore[untyped-decorator]
        async def batches(stream: Any) -> None:
            async for values in stream.take(4, within=0.2):
                if POISON in values:
                    os._exit(70)
                for value in values:
                    print(value.decode(), file=lines)

    else:

        @app.agent(topic)  # type: ignore[untyped-decorator]
        async def single(stream: Any) -> None:
            async for value in stream:
                if value in (POISON, 5):
                    raise Poison
                print(value.decode() if isinstance(value, bytes) else value, file=lines)


async def main(lines_file: str, shape: str, bootstrap: str, topic_name: str, group: str) -> None:
    lines = Path(lines_file).open("a", buffering=1)  # noqa: SIM115, ASYNC230 - lives as long as the process
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    serializer = "json" if shape == "undecodable" else "raw"
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        broker_commit_interval=0.2,
        consumer_auto_offset_reset="earliest",
        stream_recovery_delay=0,
        consumer_group_instance_id=f"{group}-1",
    )
    topic = app.topic(topic_name, value_type=None if serializer == "json" else bytes, value_serializer=serializer)
    define(app, topic, shape, lines)
    await app.start()
    await app.wait_for_stopped(stopping.wait())
    await app.stop()


asyncio.run(main(*sys.argv[1:]))
