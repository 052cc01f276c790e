"""The folder of channels while it changes: where somebody breaks a file, its messages wait until it is mended."""

from pathlib import Path

from libs.contracts.topics import ALERT
from libs.kit.service import ServiceContext
from libs.kit.settings import NotificationSettings, ProcessSettings
from services.notifier.app import CHANNELS
from services.notifier.intake import Intake
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
