"""What is wrong with a value, in our words: pydantic's are those of a library, and change with it."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is no known field",
    "string_type": "must be a text",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "finite_number": "must be a finite number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "value_error": "{error}",
    "assertion_error": "{error}",
    "path_type": "must be a path",
    "timezone_aware": "must have a time zone, like 2026-11-01T00:00:00Z",
}
_KINDS: Mapping[str, str] = {
    "int": "must be a whole number",
    "float": "must be a number",
    "decimal": "must be a number",
    "bool": "must be true or false",
    "datetime": "must be a time, like 2026-11-01T00:00:00Z",
    "date": "must be a day, like 2026-11-01",
    "dict": "must be an object of names and values",
    "model": "must be an object of names and values",
    "list": "must be a list",
    "tuple": "must be a list",
    "set": "must be a list",
}


def what_is_wrong(detail: ErrorDetails) -> str:
    """One of pydantic's errors as the end of a sentence whose subject is the value: "must be at most 100"."""
    kind, context = detail["type"], detail.get("ctx", {})
    template = _WORDS.get(kind) or _KINDS.get(kind.partition("_")[0])
    return template.format_map(_shown(context)) if template else "is nothing that may stand here"


def _shown(context: Mapping[str, Any]) -> dict[str, str]:
    """Numbers without a needless .0, everything else as it says itself."""
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in context.items()}
