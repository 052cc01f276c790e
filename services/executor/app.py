"""Wiring: settings, database and topics; then the executor on paper, or with its account at a venue."""

from importlib import import_module

from libs.kit.installation import installation_name
from libs.kit.service import ServiceContext
from libs.kit.settings import (
    AccountSettings,
    CommandKeySettings,
    DatabaseSettings,
    InstallationSettings,
    KafkaSettings,
    SymbolSettings,
    VenueSettings,
    load_settings,
)
from libs.store.engine import check_reachable, create_engine
from libs.store.schema_version import require_current
from services.executor.outlet import KafkaOutlet
from services.executor.wiring import BOOKS, COMPARED, LEASE, NAME, STATEMENT, TOPICS, VENUE, Settings, Wiring


async def main(context: ServiceContext) -> None:
    """Trade, or on paper refuse, until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    account = load_settings(AccountSettings)
    settings = Settings(
        kafka=load_settings(KafkaSettings),
        account=account,
        venue=load_settings(VenueSettings),
        keys=load_settings(CommandKeySettings),
        symbols=load_settings(SymbolSettings).symbols,
        installation=installation_name(load_settings(InstallationSettings).installation_file),
    )
    context.expect(LEASE, BOOKS, VENUE, COMPARED, STATEMENT, TOPICS)
    engine = create_engine(load_settings(DatabaseSettings), application=f"perpstream {NAME}")
    try:
        await check_reachable(engine)
        await require_current(engine)
        wiring = Wiring(context, settings, engine, KafkaOutlet())
        if account.execution_mode == "paper":
            await import_module("services.executor.on_paper").refuse(wiring)
        else:
            await import_module("services.executor.at_venue").trade(wiring)
    finally:
        await engine.dispose()
