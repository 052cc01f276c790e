"""Live equals replay after cuts, a hole, kills and edits: the short version of `make chaos ARGS=parity`."""

from pathlib import Path

import pytest

from tests.chaos.parity import Plan, run


@pytest.mark.e2e
def test_the_log_and_the_tables_give_the_signals_that_were_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PERPSTREAM_STRATEGIES_DIR", "PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS"):
        monkeypatch.setenv(name, "1")  # put back afterwards
    outcome = run(Plan(rounds=3), tmp_path)
    assert outcome.problems == []
    found = dict(outcome.rows)
    assert int(found["signals said"].replace(",", "")) > 20
    assert int(found["versions of v51 among them"]) >= 3
    assert int(found["holes in band"]) > 0
