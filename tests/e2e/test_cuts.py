"""Connections are cut and the ingest is killed: the short version of `python -m tests.chaos.cuts`."""

from pathlib import Path

import pytest

from tests.chaos.cuts import Plan, run


@pytest.mark.e2e
def test_every_id_is_everywhere_once_and_the_gaps_agree_with_the_venues_own_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PERPSTREAM_SIM_RATE", "PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS"):
        monkeypatch.setenv(name, "1")  # put back afterwards
    outcome = run(Plan(trades=60_000, cuts=4, kills=2, symbols=3), tmp_path)
    assert outcome.problems == []
    found = dict(outcome.rows)
    assert int(found["trades in PostgreSQL"].replace(",", "")) >= 60_000
    assert not found["gaps found and filled"].startswith("0")
