"""The folder of channels while it changes: where somebody breaks a file, its messages wait until it is mended."""

from pathlib import Path

from libs.contracts.topics import ALERT
from libs.kit.service import ServiceContext
from libs.kit.settings import NotificationSettings, ProcessSettings
from libs.store.notices import give_up_channel
from services.notifier.absent import hand_over, recall
from services.notifier.app import CHANNELS
from services.notifier.intake import Intake, instant
from services.notifier.watching import Files
from tests.fakes.channels import ListeningChannel
from tests.services.notifier.conftest import Desk, alert, drain


def files_of(folder: Path) -> Files:
    context = ServiceContext("notifier", ProcessSettings())
    context.expect(CHANNELS)
    return Files(context, NotificationSettings(channels_dir=folder), lambda _, __: None)


async def test_what_is_critical_waits_for_a_channel_whose_file_is_broken(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "desk.url"
    file.write_text("json://localhost/sesame")
    file.chmod(0o600)
    files = files_of(tmp_path)
    (tmp_path / "no name at all.url").touch(0o600)
    file.chmod(0o644)
    files.look()
    assert files.channels == {}
    assert files.names == {"desk"}, "what can never be a channel's name is none"
    desk.intake = Intake(desk.engine, desk.clock, files, desk._wake)
    await desk.hear(ALERT, alert(1))
    assert [(row.channel, row.state) for row in await desk.rows()] == [("desk", "waiting")]
    file.chmod(0o600)
    files.look()
    assert files.channels.keys() == {"desk"}
    channel = ListeningChannel()
    await drain(desk.sender(channel))
    assert [one.title for one in channel.told] == ["alert 1"]


async def test_a_file_that_is_broken_at_the_start_is_waited_for_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    file = tmp_path / "desk.url"
    file.touch(0o600)
    files = files_of(tmp_path)
    assert files.names == {"desk"}
    file.unlink()
    files.look()
    assert files.names == frozenset()


async def test_what_is_critical_waits_for_a_channel_whose_file_is_gone(desk: Desk, tmp_path: Path) -> None:
    file, aside = tmp_path / "desk.url", tmp_path / "aside"
    file.write_text("json://localhost/sesame")
    file.chmod(0o600)
    files = files_of(tmp_path)
    await drain(desk.sender(ListeningChannel()))
    file.rename(aside)
    files.look()
    assert (set(files.names), set(files.gone)) == (set(), {"desk"})
    desk.intake = Intake(desk.engine, desk.clock, files, desk._wake)
    await desk.hear(ALERT, alert(1), alert(2, "warning"))
    assert [(row.channel, row.event_id) for row in await desk.rows()] == [("desk", "alert-1")]
    after_a_restart = files_of(tmp_path)
    await recall(desk.engine, after_a_restart)
    assert after_a_restart.gone == {"desk"}
    desk.intake = Intake(desk.engine, desk.clock, after_a_restart, desk._wake)
    await desk.hear(ALERT, alert(3))
    aside.rename(file)
    after_a_restart.look()
    assert (set(after_a_restart.names), set(after_a_restart.gone)) == ({"desk"}, set())
    channel = ListeningChannel()
    await drain(desk.sender(channel))
    assert [one.title for one in channel.told] == ["alert 1", "alert 3"]


async def test_nothing_waits_for_a_channel_that_a_person_forgot(desk: Desk, tmp_path: Path) -> None:
    files = files_of(tmp_path)
    await drain(desk.sender(ListeningChannel()))
    await recall(desk.engine, files)
    desk.intake = Intake(desk.engine, desk.clock, files, desk._wake)
    await desk.hear(ALERT, alert(1))
    now = instant(desk.clock.now_ms())
    assert await give_up_channel(desk.engine, "desk", now) == 1
    assert await give_up_channel(desk.engine, "nobody", now) is None
    await recall(desk.engine, files)
    assert files.gone == frozenset()
    assert [(row.state, row.last_error) for row in await desk.rows()] == [("dead", "its channel was forgotten")]


async def test_what_is_critical_and_came_before_any_channel_is_for_the_first(desk: Desk) -> None:
    desk.channels.clear()
    await desk.hear(ALERT, alert(1), alert(2, "warning"))
    assert [(row.channel, row.event_id) for row in await desk.rows()] == [("*", "alert-1")]
    assert await hand_over(desk.engine, []) == 0
    assert await hand_over(desk.engine, ["desk", "mail"]) == 1
    desk.channels = {name: ListeningChannel(name) for name in ("desk", "mail")}
    await desk.hear(ALERT, alert(1))
    assert sorted(row.channel for row in await desk.rows("waiting")) == ["desk", "mail"], "each once"
    for channel in (ListeningChannel("desk"), ListeningChannel("mail")):
        await drain(desk.sender(channel))
        assert [one.title for one in channel.told] == ["alert 1"]
