"""Audits of a flatten without a guard: kept line by line, forwarded once, and never in the way."""

from decimal import Decimal
from pathlib import Path

import pytest

from libs.contracts.codec import decode_as, encode_value
from libs.contracts.trading import AlertRaised
from libs.exchanges.flatten_audit import AuditFile, AuditHead, alert_of, forward_audits, read_audit, waiting_audits
from libs.exchanges.flatten_orders import FlattenStep

HEAD = AuditHead(account="main", issued_by="ada", reason="", began_ms=1_767_225_600_000, symbols=("BTCUSDT",))
CLOSED = FlattenStep(1, "closed", "BTCUSDT", "g1-x", Decimal("0.010"), "as|asked")


def written(folder: Path, *steps: FlattenStep, head: AuditHead = HEAD) -> AuditFile:
    file = AuditFile(folder, head)
    for step in steps:
        file(step)
    return file


def test_every_step_is_on_the_disk_before_the_file_is_closed(tmp_path: Path) -> None:
    file = written(tmp_path, CLOSED)
    [audit] = waiting_audits(tmp_path)
    assert (audit.head, list(audit.steps), file.trouble) == (HEAD, [CLOSED], None)
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.close()


def test_a_line_that_was_cut_off_costs_that_line_alone(tmp_path: Path) -> None:
    path = written(tmp_path, CLOSED, CLOSED).path
    path.write_bytes(path.read_bytes()[:-9])
    audit = read_audit(path)
    assert audit is not None
    assert list(audit.steps) == [CLOSED]
    assert "it did not come to its end" in alert_of(audit).detail
    path.write_bytes(b"{")
    assert (read_audit(path), waiting_audits(tmp_path)) == (None, [])


async def test_what_could_not_be_published_waits_on(tmp_path: Path) -> None:
    later = AuditHead(account="main", issued_by="ada", reason="", began_ms=HEAD.began_ms + 1, symbols=None)
    written(tmp_path, FlattenStep(2, "flat", ""), head=later).close()
    written(tmp_path, CLOSED).close()
    told: list[AlertRaised] = []

    async def one_of_two(alert: AlertRaised) -> None:
        if told:
            raise ConnectionError
        told.append(alert)

    with pytest.raises(ConnectionError):
        await forward_audits(tmp_path, one_of_two)
    [left] = waiting_audits(tmp_path)
    assert (told[0].title, left.head) == ("ada closed BTCUSDT of account main without the guard", later)


async def test_what_is_still_being_written_is_forwarded_when_it_is_whole(tmp_path: Path) -> None:
    told: list[AlertRaised] = []

    async def publish(alert: AlertRaised) -> None:
        told.append(alert)

    file = written(tmp_path, CLOSED)
    assert await forward_audits(tmp_path, publish) == 0
    file(FlattenStep(2, "flat", ""))
    file.close()
    assert await forward_audits(tmp_path, publish) == 1
    assert "did not come to its end" not in told[0].detail


def test_an_alert_of_a_long_run_is_short_and_can_be_sent(tmp_path: Path) -> None:
    file = written(tmp_path, *[CLOSED] * 500, FlattenStep(9, "flat", ""))
    audit = read_audit(file.path)
    assert audit is not None
    alert = alert_of(audit)
    assert decode_as(AlertRaised, encode_value(alert)) == alert
    assert "(482 more); flat" in alert.detail
