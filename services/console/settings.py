"""What the preparation of a stack needs to know beyond its servers: which market the facts will come from."""

from pydantic import Field

from libs.kit.settings import SettingsGroup


class PreparationSettings(SettingsGroup):
    """Read by `python -m services.console.preparation`, once before the services start."""

    market_source: str | None = Field(
        None, description="The market in words; a database that holds another one is refused"
    )
