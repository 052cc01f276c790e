"""Jars come complete or not at all: damaged ones are fetched again, and no network is one clear line."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.jars import Jar, ensure_jars, read_lock
from infra.local.ports import free_port
from infra.local.settings import StackSettings
from libs.kit.errors import ConfigurationError, UnreachableError, UserError

CONTENT = {"alpha": b"A" * 200_000, "beta": b"B" * 1000, "gamma": b"C"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """A Maven repository with three artifacts on a local port."""
    root = tmp_path / "repository"
    for name, content in CONTENT.items():
        folder = root / "org" / "example" / name / "1.0"
        folder.mkdir(parents=True)
        (folder / f"{name}-1.0.jar").write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "jars.lock"
    lines = [f"org.example:{n}:1.0 {len(c)} {hashlib.sha256(c).hexdigest()}" for n, c in CONTENT.items()]
    path.write_text("# comment\n" + "\n".join(lines) + "\n")
    return path


def _settings(tmp_path: Path, mirror: str) -> StackSettings:
    return StackSettings(cache_dir=tmp_path / "cache", maven_mirror=mirror)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.stem.removesuffix("-1.0"): path.read_bytes() for path in folder.glob("*.jar")}


def test_a_cold_cache_is_filled_and_a_warm_one_needs_no_network(repository: str, lock: Path, tmp_path: Path) -> None:
    folder = ensure_jars(_settings(tmp_path, repository + "/"), lock=lock)
    assert _files(folder) == CONTENT
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert ensure_jars(_settings(tmp_path, nowhere), lock=lock) == folder


@pytest.mark.parametrize("damage", [b"", b"A" * 199_999, b"X" * 200_000])
def test_a_half_finished_or_damaged_jar_is_fetched_again(
    repository: str, lock: Path, tmp_path: Path, damage: bytes
) -> None:
    settings = _settings(tmp_path, repository)
    folder = ensure_jars(settings, lock=lock)
    (folder / "alpha-1.0.jar").write_bytes(damage)
    (folder / "beta-1.0.jar").unlink()
    assert _files(ensure_jars(settings, lock=lock)) == CONTENT
    assert not list(folder.glob("*.part"))


def test_a_cold_cache_without_network_is_one_line(lock: Path, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError) as caught:
        ensure_jars(_settings(tmp_path, nowhere), lock=lock)
    line = str(caught.value.advice)
    assert "\n" not in line
    assert nowhere in line
    assert "PERPSTREAM_MAVEN_MIRROR" in line
    assert "PERPSTREAM_KAFKA_HOME" in line


def test_wrong_content_from_the_repository_is_never_put_in_place(repository: str, lock: Path, tmp_path: Path) -> None:
    lock.write_text(lock.read_text().replace(hashlib.sha256(CONTENT["gamma"]).hexdigest(), "0" * 64))
    with pytest.raises(UnreachableError, match="checksum"):
        ensure_jars(_settings(tmp_path, repository), lock=lock)
    assert not list((tmp_path / "cache").rglob("gamma*"))


def test_a_cache_that_cannot_be_written_is_one_line(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(UserError, match="PERPSTREAM_CACHE_DIR"):
        ensure_jars(_settings(tmp_path, "http://127.0.0.1:1"), lock=lock)


def test_an_unpacked_kafka_is_used_as_it_is(tmp_path: Path) -> None:
    libs = tmp_path / "kafka" / "libs"
    libs.mkdir(parents=True)
    settings = StackSettings(kafka_home=tmp_path / "kafka")
    with pytest.raises(ConfigurationError, match="PERPSTREAM_KAFKA_HOME"):
        ensure_jars(settings)
    (libs / "kafka_2.13-4.1.1.jar").touch()
    assert ensure_jars(settings) == libs


def test_the_lock_file_names_the_broker_and_its_log_binding() -> None:
    jars = {jar.artifact: jar for jar in read_lock()}
    assert jars["kafka_2.13"].version == "4.1.1"
    assert jars["log4j-slf4j-impl"].version == jars["log4j-core"].version
    assert Jar("a.b", "c", "1", 0, "").repository_path == "a/b/c/1/c-1.jar"
