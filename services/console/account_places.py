"""Where guard and executor keep what they know of an account, so that the command line speaks of the same."""

from pathlib import Path

from infra.local.options import simulated_account_places
from libs.kit.settings import AuditSettings, InstallationSettings, load_settings
from services.console.output import running, state_dir


def kept_places(folder: Path | None) -> tuple[Path, Path]:
    """The folder of audits and the file of the installation's name: those of guard and executor."""
    run = running(folder)
    if run is not None and run.simulator_url is not None:
        places = simulated_account_places(state_dir(folder))
        return Path(places["PERPSTREAM_AUDIT_DIR"]), Path(places["PERPSTREAM_INSTALLATION_FILE"])
    return load_settings(AuditSettings).audit_dir, load_settings(InstallationSettings).installation_file
