"""Structured logs: one line per event, UTC, JSON for machines or aligned text for people; secrets never reach a line."""

import logging
import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

from libs.kit.lean import without
from libs.kit.secrets import HIDDEN, masked, sounds_secret

# It would take rich, where it finds it, for tracebacks in colour that we never print: 3 MB in each of fifteen processes.
with without("rich"):
    import structlog

LogFormat = Literal["console", "json"]
_NOISY = (
    "aiokafka",
    "kafka",
    "faust",
    "mode",
    "sqlalchemy",
    "alembic",
    "asyncio",
    "numba",
    "uvicorn.access",
    "picows",
)
_CALM_SECONDS, _MOST_KINDS = 10.0, 1000


def _hidden(key: str, value: Any) -> Any:
    if sounds_secret(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {name: _hidden(str(name), content) for name, content in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(key, content) for content in value]
    return masked(value) if isinstance(value, str) else value


def _hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values of keys that sound secret, at any depth, and secrets inside URLs, exception texts included."""
    return {key: _hidden(key, value) for key, value in event.items()}


class _Calm(logging.Filter):
    """Of the lines in which a library says the same, one in ten seconds passes and tells how many did not: a client that looks
    for an absent broker hundreds of times a second would bury everything else, its cause included."""

    def __init__(self, libraries: tuple[str, ...]) -> None:
        super().__init__()
        self._libraries = libraries
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in self._libraries:
            return True
        key, now = (record.name, record.levelno, str(record.msg)), time.monotonic()
        since, unsaid = self._said.get(key, (now - _CALM_SECONDS, 0))
        if now - since < _CALM_SECONDS:
            self._said[key] = since, unsaid + 1
            return False
        if len(self._said) >= _MOST_KINDS:
            self._said.clear()
        self._said[key] = now, 0
        if unsaid:
            record.msg = f"{record.getMessage()} (and {unsaid} more of its kind)"
            record.args = ()
        return True


def _lower_unreadable_request(record: logging.LogRecord) -> bool:
    """Our HTTP server calls it a defect, with a traceback, when a client sends what is no request."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name == "aiohttp.server" and any(kind.__name__ == "HttpProcessingError" for kind in type(error).__mro__):
        record.msg, record.args = f"a request cannot be read: {str(error)[:200]!r}", ()
        record.exc_info, record.exc_text = None, None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True


def _lower_expected(record: logging.LogRecord) -> bool:
    """Kafka's client calls it an error that a fresh broker has no group coordinator yet; it asks again, and gets one."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    if any(type(item).__name__ == "GroupCoordinatorNotAvailableError" for item in arguments):
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    return record.levelno >= logging.getLogger().level


def configure_logging(service: str, level: str = "info", log_format: LogFormat = "console") -> None:
    """Route structlog and the standard library's logging to stderr in one format; call once, from a service's start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    colours = log_format == "console" and "NO_COLOR" not in os.environ and sys.stderr.isatty()
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=colours, pad_event_to=32, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                renderer,
            ],
        )
    )
    for calming in (_lower_expected, _lower_unreadable_request, _Calm(_NOISY)):
        handler.addFilter(calming)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger bound to a component name; pass facts as keyword arguments, not inside the text."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(component=name)
    return logger
