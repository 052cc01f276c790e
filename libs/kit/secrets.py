"""Text without the secrets that stand in its URLs: what people read and what is logged never shows them.

A driver takes its password from two places of a URL, before the host and among the parameters, and libraries that print URLs
mostly hide the first only.
"""

import re
from urllib.parse import unquote_plus

SECRET_WORDS = (
    "password",
    "passfile",
    "secret",
    "token",
    "api_key",
    "listenkey",
    "signature",
    "authorization",
    "webhook",
)
HIDDEN = "***"
# Up to the last @: a password may hold any character, and so may a name; what is hidden too much is hidden well.
_BEFORE_HOST = re.compile(r"(://[^\s:/]*:)\S+@")
# The punctuation of the sentence around a URL is not part of it.
_PARAMETER = re.compile(r"([?&])([^\s=?&]+)=([^\s&]*?)(?=[)\]}'\"<>,.:]*(?:[\s&]|$))")


def sounds_secret(name: str) -> bool:
    """Whether what has this name is nobody's to read."""
    return any(word in name.lower() for word in SECRET_WORDS)


def masked(text: str) -> str:
    """The text with every secret of its URLs replaced, be it before the host or the value of a parameter."""
    return _PARAMETER.sub(_hidden_value, _BEFORE_HOST.sub(rf"\1{HIDDEN}@", text))


def _hidden_value(found: re.Match[str]) -> str:
    mark, name, _ = found.groups()
    # The driver reads an escaped name as the plain one.
    return f"{mark}{name}={HIDDEN}" if sounds_secret(unquote_plus(name)) else found.group()
