"""Kafka's jars: read from a lock file, downloaded in parallel into a per-user cache, verified, and put in place atomically."""

import errno
import fcntl
import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from infra.local.settings import StackSettings
from libs.kit.errors import ConfigurationError, UnreachableError, UserError

LOCK_FILE = Path(__file__).parent.parent / "kafka" / "jars.lock"
KAFKA_VERSION = "4.1.1"
_PARALLEL_DOWNLOADS = 8
_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file: Maven coordinates, size in bytes, and the SHA-256 the file must have."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's base URL."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars of the lock file; each line is `group:artifact:version size sha256`."""
    jars = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            coordinates, size, sha256 = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group, artifact, version, int(size), sha256))
    return tuple(jars)


def ensure_jars(settings: StackSettings, console: Console | None = None, lock: Path = LOCK_FILE) -> Path:
    """The folder that holds every jar of the lock file, complete and verified; downloads what is missing or damaged.

    Raises `UnreachableError` when something must be downloaded and the repository does not answer, `UserError` when the cache
    cannot be written. Several processes may call it at once: one downloads, the others wait.
    """
    if settings.kafka_home is not None:
        return _jars_of_unpacked_kafka(settings.kafka_home)
    jars = read_lock(lock)
    folder = settings.cache_dir / f"kafka-{KAFKA_VERSION}-{_lock_digest(jars)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / ".lock"):
            missing = [jar for jar in jars if not _is_intact(folder / jar.file_name, jar)]
            if missing:
                _download_all(missing, folder, repository_url(settings), console or Console(stderr=True))
    except OSError as error:
        raise _disk_error(error, folder) from None
    return folder


def repository_url(settings: StackSettings) -> str:
    """The Maven repository's base URL without a trailing slash: the configured mirror, else the resolver library's default."""
    if settings.maven_mirror:
        return settings.maven_mirror.rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL

    return str(MAVEN_CENTRAL_URL).rstrip("/")


def _jars_of_unpacked_kafka(home: Path) -> Path:
    folder = home / "libs"
    if not any(folder.glob("kafka_2.13-*.jar")):
        raise ConfigurationError(
            "PERPSTREAM_KAFKA_HOME names no unpacked Kafka",
            where=str(folder),
            todo="point it at a folder whose libs/ holds kafka_2.13-*.jar, or unset it",
        )
    return folder


def _lock_digest(jars: tuple[Jar, ...]) -> str:
    return hashlib.sha256("".join(jar.sha256 for jar in jars).encode()).hexdigest()[:12]


def _is_intact(path: Path, jar: Jar) -> bool:
    if not path.exists() or path.stat().st_size != jar.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download_all(jars: list[Jar], folder: Path, base_url: str, console: Console) -> None:
    total = sum(jar.size for jar in jars)
    title = f"Apache Kafka {KAFKA_VERSION}, {len(jars)} jars"
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    give_up = threading.Event()
    with (
        Progress(*columns, console=console) as progress,
        ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool,
    ):
        task = progress.add_task(title, total=total)
        jobs = [pool.submit(_download, jar, folder, base_url, (progress, task, give_up)) for jar in jars]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            give_up.set()
            pool.shutdown(cancel_futures=True)
            raise


def _download(jar: Jar, folder: Path, base_url: str, report: tuple[Progress, TaskID, threading.Event]) -> None:
    progress, task, give_up = report
    url = f"{base_url}/{jar.repository_path}"
    for attempt in range(1, _ATTEMPTS + 1):
        received = 0
        partial = folder / f"{jar.file_name}.{os.getpid()}.part"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, partial.open("wb") as file:  # noqa: S310
                while not give_up.is_set() and (chunk := answer.read(_CHUNK)):
                    file.write(chunk)
                    received += len(chunk)
                    progress.advance(task, len(chunk))
            if _is_intact(partial, jar):
                partial.replace(folder / jar.file_name)
                return
            error: Exception = ValueError(f"checksum or size differs ({received} of {jar.size} bytes)")
        except (urllib.error.URLError, TimeoutError, ConnectionError, EOFError) as problem:
            error = problem
        finally:
            partial.unlink(missing_ok=True)
        progress.advance(task, -received)
        if give_up.is_set() or attempt == _ATTEMPTS or isinstance(error, urllib.error.HTTPError):
            raise _download_error(jar, base_url, error)


def _download_error(jar: Jar, base_url: str, error: Exception) -> UserError:
    reason = getattr(error, "reason", None) or error
    return UnreachableError(
        f"Kafka's jar {jar.file_name} cannot be downloaded: {reason}",
        where=base_url,
        todo="connect to the network once, set PERPSTREAM_MAVEN_MIRROR to a reachable Maven repository, "
        "or set PERPSTREAM_KAFKA_HOME to an unpacked Kafka",
    )


def _disk_error(error: OSError, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError("the disk is full", where=str(folder), todo="free 100 MB and start again")
    return UserError(
        f"the cache cannot be written: {error.strerror or error}",
        where=str(folder),
        todo="set PERPSTREAM_CACHE_DIR to a folder you may write",
    )
