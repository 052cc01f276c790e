"""The replay of a day in a process of its own: its memory ends with it, and it ends with whoever started it, or at its limit."""

import asyncio
import datetime as dt
import json
import sys
import tempfile
from pathlib import Path

import msgspec

from infra.local.process import ProcessSpec
from libs.kit.errors import UnreachableError
from services.backtester.drift import VERDICTS, Drift, not_comparable
from services.backtester.due import day_span

_ANSWERS = frozenset(verdict.exit_code for verdict in VERDICTS.values())


class ReplayFailed(Exception):
    """The process ended without a result; the text is its exit code and its last line."""


async def replayed_day(day: dt.date, limit_seconds: float) -> Drift:
    """What the check of the UTC day gives. Raises `UnreachableError` when a server was away, else `ReplayFailed`.

    Cancelled, it kills the process; one that takes longer than `limit_seconds` is killed too, and its day not comparable.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="perpstream-drift-") as folder:
            async with asyncio.timeout(limit_seconds):
                code, answer, said = await _run(json.dumps(_request(day, Path(folder))).encode())
    except TimeoutError:
        limit = f"{limit_seconds / 3600:g} h (PERPSTREAM_DRIFT_REPLAY_HOURS)"
        return not_comparable(f"the replay was killed, because it had not ended after {limit}", day_span(day))
    if code in _ANSWERS and answer:
        return msgspec.json.decode(answer, type=Drift)
    words = said.decode(errors="replace").strip().splitlines()
    why = words[-1].removeprefix("perpstream: ") if words else "it said nothing"
    if code == UnreachableError.exit_code:
        raise UnreachableError(why, todo="it is tried again")
    raise ReplayFailed(f"exit code {code}: {why}")


def _request(day: dt.date, folder: Path) -> dict[str, object]:
    """Holes of the log are no obstacle: the live engine saw them too, and whatever else is missing is looked for."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return {
        "kind": "drift",
        "json": True,
        "start": start.isoformat(),
        "end": (start + dt.timedelta(days=1)).isoformat(),
        "allow_gaps": True,
        "costs": {"funding": False},
        "output": str(folder),
    }


async def _run(request: bytes) -> tuple[int, bytes, bytes]:
    spec = ProcessSpec("drift", (sys.executable, "-m", "services.backtester", "-"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *spec.launch_argv(), stdin=pipe, stdout=pipe, stderr=pipe, env=spec.launch_environment()
    )
    try:
        answer, said = await process.communicate(request)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, answer, said
