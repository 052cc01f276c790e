"""Structured logs: one line per event, UTC, JSON for machines or aligned text for people; secrets never reach a line."""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

LogFormat = Literal["console", "json"]
_SECRET_WORDS = ("password", "secret", "token", "api_key", "signature", "authorization", "webhook")
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
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@/]+@")


def _hidden(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in _SECRET_WORDS):
        return "***"
    if isinstance(value, Mapping):
        return {name: _hidden(str(name), content) for name, content in value.items()}
    return _URL_PASSWORD.sub(r"\1***@", value) if isinstance(value, str) else value


def _hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values of keys that sound secret, at any depth, and passwords inside URLs, exception texts included."""
    return {key: _hidden(key, value) for key, value in event.items()}


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
    handler.addFilter(_lower_expected)
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
