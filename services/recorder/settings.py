"""What two installations may want to differ in."""

from pydantic import Field

from libs.kit.settings import SettingsGroup


class RecorderSettings(SettingsGroup):
    """`recorder_collect_ms`: how long records are gathered for one transaction.

    `recorder_batch_records`: how many cut that short.
    """

    recorder_collect_ms: int = Field(200, ge=1, le=10_000)
    recorder_batch_records: int = Field(2000, ge=1, le=50_000)
    recorder_instance: str | None = Field(None, description="Static group membership: a name of its own per recorder")
