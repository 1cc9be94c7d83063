"""Structured logs on standard error, with everything that looks like a key or a secret link cut out last of all."""

import logging
import logging.config
import re
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

# Any Anthropic key, whole or cut: what follows the prefix is the secret.
_ANTHROPIC_KEY = re.compile(r"sk-ant-[A-Za-z0-9_\-]{4,}")
_BEARER = re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=\-]{8,}")
# Addresses that open something by themselves: who has the link joins, or chooses the password. And what an identity
# provider hands back.
_SECRET_LINK = re.compile(r"(/invitations/|/password/reset/key/)[^/\s\"'?]+")
_SECRET_PARAMETER = re.compile(r"([?&](?:code|state)=)[^&\s\"']+")
_SECRET_FIELDS = frozenset({"api_key", "x-api-key", "authorization", "password", "token", "secret"})


def redact(value: str) -> str:
    """Return the text without provider keys, bearer tokens and what makes a link a secret."""
    without_keys = _BEARER.sub(r"\1 [redacted]", _ANTHROPIC_KEY.sub("sk-ant-[redacted]", value))
    without_links = _SECRET_LINK.sub(r"\1[redacted]", without_keys)
    return _SECRET_PARAMETER.sub(r"\1[redacted]", without_links)


def _redact_any(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            redact(str(k)): "[redacted]" if str(k).lower() in _SECRET_FIELDS else _redact_any(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_any(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return redact(str(value))


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact every field of a log event; runs after tracebacks became text."""
    cleaned: dict[str, Any] = _redact_any(dict(event))
    return cleaned


def _drop_stdlib_fields(_l: Any, _m: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event


def configure(log_format: str, level: str) -> dict[str, Any]:
    """Configure structlog and return the dictConfig that sends the standard library's logs the same way."""
    if log_format not in {"json", "text"}:
        raise ImproperlyConfigured(f"LOG_FORMAT: {log_format!r} is unknown. Use json or text.")
    if level not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"LOG_LEVEL: {level!r} is unknown. Use DEBUG, INFO, WARNING or ERROR.")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=[]),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    _drop_stdlib_fields,
                    structlog.processors.format_exc_info,
                    redact_event,
                    renderer,
                ],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line a request is django_structlog's; Django's own adds nothing but noise.
            "django.server": {"handlers": ["stderr"], "propagate": False},
            "django_structlog": {"level": "WARNING" if level == "INFO" else level},
            # A tick a second would drown everything else.
            "celery.app.trace": {"level": "WARNING" if level == "INFO" else level},
            "celery.beat": {"level": "WARNING" if level == "INFO" else level},
            "celery.worker.strategy": {"level": "WARNING" if level == "INFO" else level},
        },
    }


def take_over(configuration: dict[str, Any]) -> None:
    """
    Let nothing in this process write past the log: from its first line on each is one event, faults and warnings too.

    For processes that serve; Django sets the same up again once it reads its settings.
    """
    logging.config.dictConfig(configuration)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_fault
    threading.excepthook = lambda found: _log_fault(
        found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback
    )


def _log_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("tallystick").critical("ended_by_a_fault", exc_info=(kind, error, trace))
