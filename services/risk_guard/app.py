"""Wiring: settings; then the guard of an account at a venue, or on paper one that has nothing to guard."""

from importlib import import_module

from libs.kit.service import ServiceContext
from libs.kit.settings import AccountSettings, load_settings


async def main(context: ServiceContext) -> None:
    """Guard until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin; for that it needs neither
    Kafka nor the database."""
    account = load_settings(AccountSettings)
    # On paper nothing of a venue is imported: the whole stack has to fit into little memory.
    where = "on_paper" if account.execution_mode == "paper" else "at_venue"
    await import_module(f"services.risk_guard.{where}").guard(context, account)
