"""The compose file: every service of the process list, no secret, nothing published beyond this machine."""

import re
import stat
from pathlib import Path

import pytest

from infra.docker.database_password import ensure_password
from infra.local.procfile import read_procfile

ROOT = Path(__file__).parents[3]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES = dict(
    re.findall(r"^  (\w+):(?: #.*)?\n((?:    .*\n|\n)+)", COMPOSE.partition("\nservices:\n")[2], re.MULTILINE)
)


def test_it_runs_the_services_of_the_process_list() -> None:
    for name, command in read_procfile().items():
        assert f"command: [python, -m, {command[-1]}]" in SERVICES[name]


def test_every_published_port_is_on_the_loopback_address() -> None:
    published = re.findall(r"ports: \[(.*)\]", COMPOSE)
    assert len(published) == 4
    assert all(re.fullmatch(r'"127\.0\.0\.1:\$\{PERPSTREAM_\w+:-\d+\}:\d+"', port) for port in published)


def test_no_password_stands_in_it() -> None:
    assert not re.search(r"password(?!_file|:ro)\w*\s*[:=]\s*\S", COMPOSE, re.IGNORECASE)
    assert "POSTGRES_PASSWORD_FILE" in SERVICES["postgres"]
    assert not re.search(r"://[^\s@/]+:[^\s@/]+@", COMPOSE)


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_servers_have_named_volumes_and_health_checks(name: str) -> None:
    assert "healthcheck:" in SERVICES[name]
    assert re.search(rf'"{name}:/', SERVICES[name])


def test_whoever_reads_strategies_sees_the_folder_that_people_edit() -> None:
    assert re.findall(r"volumes: &with-strategies (\[.*\])", SERVICES["prepare"]) == [
        '["secrets:/run/perpstream:ro", "./strategies:/app/strategies:ro"]'
    ]
    assert "volumes: *with-strategies" in SERVICES["strategy_watch"]


def test_whoever_asks_the_venue_counts_its_requests_in_the_shared_volume() -> None:
    asking = [path.parent.name for path in ROOT.glob("services/*/app.py") if "open_venue(" in path.read_text()]
    assert len(asking) >= 3
    shared = "requests:" + re.findall(r"PERPSTREAM_REQUESTS_DIR: (\S+)", COMPOSE)[0]
    assert f'"{shared}"' in SERVICES["trade_ingest"]
    for name in asking:
        assert "asking-venue" in re.findall(r"volumes: [&*](\S+)", SERVICES[name])


def test_the_password_is_random_and_made_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert ensure_password(first)
    assert ensure_password(second)
    password = first.read_text()
    assert len(password) >= 40
    assert password != second.read_text()
    assert not ensure_password(first)
    assert first.read_text() == password
    assert stat.S_IMODE(first.stat().st_mode) & 0o222 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
