"""Runs the whole stack: starts all of it at once, each waiting for what it needs; restarts what dies; stops in order in 10 s."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from infra.local.child import Backoff, Child, describe_exit
from infra.local.process import ProcessSpec
from infra.local.runfile import RunFile, ServiceEntry, creation_time, write_run_file
from infra.local.screen_log import ScreenLog
from libs.kit.errors import UserError
from libs.kit.tasks import run_all

SERVICE_STOP_SECONDS, SERVER_STOP_SECONDS = 5.5, 3.5
# A one-shot waits at its gate while the servers are prepared and start.
SERVER_START_SECONDS, ONE_SHOT_SECONDS = 60.0, 300.0
SLOW_START_SECONDS = 300.0
"""For a server that has not died: on a machine that is busy, the broker alone needs minutes."""
EXIT_CONFIGURATION = 2
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the stack: `prepare` runs before each start (in a thread), `is_ready` decides when others may start."""

    spec: Callable[[], ProcessSpec]
    prepare: Callable[[], None]
    is_ready: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What to run. `early` needs nothing, `one_shots` need the servers and must succeed, `services` need the one-shots' work.

    All of them are started at once, because programs take longer to load than servers to start; what needs something waits
    for it at a gate.
    """

    state_dir: Path
    run: RunFile
    servers: Sequence[Server]
    one_shots: Sequence[ProcessSpec]
    early: Sequence[ProcessSpec]
    services: Sequence[ProcessSpec]
    health_urls: dict[str, str]


_FOR_PEOPLE = "perpstream: "


class StackFailed(UserError):
    """The stack could not be started, or a service refused its configuration."""


@dataclass(slots=True)
class _Member:
    child: Child
    entry: ServiceEntry
    backoff: Backoff = field(default_factory=Backoff)
    was_ready: bool = False


class Supervisor:
    """Runs one `StackPlan` until `stop()`; `run()` returns after everything has ended."""

    def __init__(self, plan: StackPlan, log: ScreenLog) -> None:
        self._plan = plan
        self._log = log
        self._stopping = asyncio.Event()
        self._members: dict[str, _Member] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: UserError | None = None
        self._started = time.monotonic()

    def stop(self) -> None:
        """Begin to stop; a second call kills everything at once."""
        if self._stopping.is_set():
            for member in self._members.values():
                member.child.kill()
        self._stopping.set()

    async def run(self) -> None:
        """Start, watch, stop. Raises `UserError` when the start fails or a service refuses its configuration."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        start = asyncio.create_task(self._start_everything())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({start, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await self._stopping.wait()
        finally:
            stopping.cancel()
            start.cancel()
            self._stopping.set()
            await self._stop_everything()
        if self._failure is not None:
            raise self._failure

    async def _start_everything(self) -> None:
        # The reading ends stay open: who is started again finds the gate open.
        serving, open_serving = os.pipe()
        prepared, open_prepared = os.pipe()

        async def start_servers() -> None:
            await run_all(*(self._start_server(server) for server in self._plan.servers))
            os.close(open_serving)

        one_shots = (self._run_once(replace(spec, gate=serving)) for spec in self._plan.one_shots)
        await run_all(self._load_services(prepared), start_servers(), *one_shots)
        self._plan.run.state = "prepared"
        os.close(open_prepared)
        self._spawn(self._announce_readiness())

    async def _load_services(self, gate: int) -> None:
        for spec in self._plan.early:
            await self._supervise(spec)
        for spec in self._plan.services:
            await self._supervise(replace(spec, gate=gate))

    async def _start_server(self, server: Server) -> None:
        await asyncio.to_thread(server.prepare)
        spec = server.spec()
        await self._supervise(spec, server.prepare)
        began = time.monotonic()
        while not await asyncio.to_thread(server.is_ready):
            seconds = SERVER_START_SECONDS if self._members[spec.name].entry.restarts else SLOW_START_SECONDS
            if time.monotonic() - began > seconds:
                raise self._died(spec.name, f"is not ready after {seconds:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        self._log.system(f"{spec.name} is ready after {time.monotonic() - self._started:.1f} s")

    async def _run_once(self, spec: ProcessSpec) -> None:
        child = Child(spec, self._log_file(spec.name), self._log.line)
        await child.start()
        try:
            code = await asyncio.wait_for(child.ended(), ONE_SHOT_SECONDS)
        except TimeoutError:
            raise StackFailed(
                f"{spec.name} is not done after {ONE_SHOT_SECONDS:g} s", where=str(child.log_file), todo="see that log"
            ) from None
        finally:
            child.kill()
            child.close()
        if code != 0:
            error = StackFailed(_reason(child, code), where=str(child.log_file), todo="start again after that")
            error.exit_code = code if code > 0 else 1
            raise error

    async def _supervise(self, spec: ProcessSpec, prepare: Callable[[], None] | None = None) -> None:
        log_file = self._log_file(spec.name)
        entry = ServiceEntry(
            name=spec.name, health_url=self._plan.health_urls.get(spec.name), log_file=str(log_file.absolute())
        )
        member = _Member(Child(spec, log_file, self._log.line), entry)
        self._members[spec.name] = member
        self._plan.run.services.append(entry)
        await self._start_member(member)
        self._spawn(self._keep_alive(member, prepare))

    async def _start_member(self, member: _Member) -> None:
        await member.child.start()
        pid = member.child.pid
        member.entry.pid, member.entry.state = pid, "running"
        member.entry.started_at = creation_time(pid) if pid is not None else None
        self._publish()

    async def _keep_alive(self, member: _Member, prepare: Callable[[], None] | None) -> None:
        name = member.entry.name
        while True:
            began = time.monotonic()
            code = await member.child.ended()
            if self._stopping.is_set():
                return
            if code == EXIT_CONFIGURATION and not member.was_ready:
                self._give_up(member)
                return
            delay = member.backoff.after_life_of(time.monotonic() - began)
            member.entry.pid, member.entry.state = None, f"restarting after {describe_exit(code)}"
            member.entry.restarts += 1
            self._publish()
            self._log.system(f"{name} ended with {describe_exit(code)}; starts again in {delay:g} s; its last lines:")
            for line in member.child.last_lines:
                self._log.system(f"  {name}: {line}")
            await asyncio.sleep(delay)
            if prepare is not None:
                await asyncio.to_thread(prepare)
            if self._stopping.is_set():
                return
            await self._start_member(member)

    def _give_up(self, member: _Member) -> None:
        reason = member.child.last_lines[-1] if member.child.last_lines else "no reason given"
        self._failure = StackFailed(
            f"{member.entry.name} refuses its configuration: {reason.removeprefix(f'{member.entry.name}: ')}",
            where=member.entry.log_file,
            todo="see that log",
        )
        self._failure.exit_code = EXIT_CONFIGURATION
        self.stop()

    async def _announce_readiness(self) -> None:
        waiting = {name for name in self._members if name in self._plan.health_urls}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while waiting:
                for name in sorted(waiting):
                    if await _answers_ready(session, self._plan.health_urls[name]):
                        waiting.discard(name)
                        self._members[name].was_ready = True
                await asyncio.sleep(0.25)
        self._plan.run.state = "ready"
        self._publish()
        seconds = time.monotonic() - self._started
        self._log.system(f"all {len(self._members)} processes are ready after {seconds:.1f} s")

    async def _stop_everything(self) -> None:
        began = time.monotonic()
        self._plan.run.state = "stopping"
        self._publish()
        self._log.system("stopping")
        servers = {server.spec().name for server in self._plan.servers}
        stages = (
            ([m for name, m in self._members.items() if name not in servers], SERVICE_STOP_SECONDS),
            ([m for name, m in self._members.items() if name in servers], SERVER_STOP_SECONDS),
        )
        for members, seconds in stages:
            await asyncio.gather(*(self._stop_member(member, seconds) for member in reversed(members)))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._plan.run.state = "stopped"
        self._publish()
        self._log.system(f"everything stopped in {time.monotonic() - began:.1f} s")

    async def _stop_member(self, member: _Member, seconds: float) -> None:
        if not await member.child.stop(seconds):
            self._log.system(f"{member.entry.name} did not stop in {seconds:g} s and was killed")
        member.entry.pid, member.entry.state = None, "stopped"
        member.child.close()

    def _died(self, name: str, what: str) -> UserError:
        child = self._members[name].child
        tail = " | ".join(list(child.last_lines)[-3:]) or "no output"
        return StackFailed(f"{name} {what}: {tail}", where=str(child.log_file), todo="see that log")

    def _log_file(self, name: str) -> Path:
        folder = self._plan.state_dir / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"

    def _publish(self) -> None:
        with suppress(OSError):  # a full disk must not end the supervision
            write_run_file(self._plan.state_dir, self._plan.run)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_task_done)
        self._tasks.append(task)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._failure = (
            error
            if isinstance(error, UserError)
            else StackFailed(f"the supervisor failed: {error!r}", where="perpstream up", todo="report this")
        )
        self.stop()


def _reason(child: Child, code: int) -> str:
    """What a one-shot said last: its line for people with what follows it, else the end of its output."""
    lines = list(child.last_lines)
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith(_FOR_PEOPLE):
            return "; ".join([lines[index].removeprefix(_FOR_PEOPLE), *lines[index + 1 :]])
    return f"{child.spec.name} failed with {describe_exit(code)}: {' | '.join(lines[-3:])}"


async def _answers_ready(session: aiohttp.ClientSession, health_url: str) -> bool:
    try:
        async with session.get(f"{health_url}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
