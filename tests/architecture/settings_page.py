"""docs/settings.md, generated from the settings classes: `python -m tests.architecture.settings_page` writes it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libs.kit.settings import SettingsGroup

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/settings.md"
TITLE = """# Settings

Generated from the settings classes by `make docs`; a test fails when it drifts. Every setting is
an environment variable, read once when a process starts. A wrong value is one line that names the variable, and nothing is
started. The command line (`perpstream up --help`) sets most of them for the services that it starts.
"""


def groups() -> list[type[SettingsGroup]]:
    """Every settings class of the project: the kit's, the embedded stack's and each service's own."""
    modules = ["libs.kit.settings", "infra.local.settings"]
    modules += [f"services.{path.parent.name}.settings" for path in sorted(ROOT.glob("services/*/settings.py"))]
    for name in modules:
        importlib.import_module(name)
    found = [kind for kind in _below(SettingsGroup) if kind.__module__ in modules]
    return sorted(dict.fromkeys(found), key=lambda kind: modules.index(kind.__module__))


def _below(kind: type[SettingsGroup]) -> Iterator[type[SettingsGroup]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def own_fields(kind: type[SettingsGroup]) -> dict[str, FieldInfo]:
    """Variable name to field, of the fields that the class itself declares."""
    prefix = kind.model_config.get("env_prefix", "")
    fields = {name: field for name, field in kind.model_fields.items() if name in kind.__annotations__}
    return {f"{prefix}{name}".upper(): field for name, field in fields.items()}


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "per user"
    if value is None or value == ():
        return ""
    return f"`{','.join(map(str, value)) if isinstance(value, tuple) else value}`"


def settings_page() -> str:
    """The page's text."""
    parts = [TITLE]
    for kind in groups():
        fields = own_fields(kind)
        if not fields:
            continue
        module = kind.__module__.removesuffix(".settings")
        owner = "the command line" if module == "infra.local" else module.rpartition(".")[2].replace("kit", "shared")
        parts += [f"## {owner}: {kind.__name__}\n", " ".join((kind.__doc__ or "").split()) + "\n"]
        rows = [f"| `{name}` | {_default(field)} | {field.description or ''} |" for name, field in fields.items()]
        parts += ["| variable | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(settings_page())
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
