"""What happens between servers and services: a database serves one market, and says so in one line."""

import os
import subprocess
import sys

import pytest

from infra.local.options import ROOT

pytestmark = pytest.mark.integration


def prepare(bootstrap: str, database_url: str, market: str) -> "subprocess.CompletedProcess[str]":
    variables = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
        "PERPSTREAM_DATABASE_URL": database_url,
        "PERPSTREAM_MARKET_SOURCE": market,
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "services.console.preparation"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_database_of_another_market_is_refused(empty_kafka: str, database_url: str) -> None:
    for _ in range(2):
        done = prepare(empty_kafka, database_url, "recording a.gz, times kept")
        assert done.returncode == 0, done.stderr
    refused = prepare(empty_kafka, database_url, "venue binance")
    assert refused.returncode == 2
    assert "belongs to another market: recording a.gz, times kept, not venue binance" in refused.stderr
    assert "Traceback" not in refused.stderr
