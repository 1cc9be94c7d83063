"""Faults in the text of an answer: what the document says is right, how it is written is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devtools.simulator.wire import Response

    from .fault import Struck

_AMOUNT = re.compile(rb'"amount":"[^"]*"')
_ANY_STRING = re.compile(rb'":"')


def wrong_content_type(response: Response, struck: Struck) -> bool:
    """Send the right body under another name."""
    response.headers["content-type"] = struck.options.text("value", "text/html; charset=utf-8")
    return True


def invalid_utf8(response: Response, struck: Struck) -> bool:  # noqa: ARG001 — every body fault has this signature
    """Put two bytes that are no UTF-8 into the first string."""
    return _replace(response, _ANY_STRING, b'":"\xff\xfe')


def nan_json(response: Response, struck: Struck) -> bool:
    """Write NaN, which is no JSON, in place of an amount."""
    return _replace(response, _AMOUNT, b'"amount":' + _written(struck, "NaN"))


def huge_number(response: Response, struck: Struck) -> bool:
    """Write a number that a float cannot hold in place of an amount."""
    return _replace(response, _AMOUNT, b'"amount":' + _written(struck, "1e400"))


def duplicate_keys(response: Response, struck: Struck) -> bool:  # noqa: ARG001 — every body fault has this signature
    """Name an amount twice; the second, which most parsers keep, is wrong."""
    return _replace(response, _AMOUNT, rb'\g<0>,"amount":"0.000001"')


def big_page(response: Response, struck: Struck) -> bool:
    """Make a right answer very long with a field nobody asked for; it is never compressed."""
    padding = b"x" * (struck.options.whole("megabytes", 50) * 2**20)
    response.body = response.body[:-1] + b',"padding":"' + padding + b'"}'
    response.headers["content-encoding"] = "identity"
    return True


def _written(struck: Struck, value: str) -> bytes:
    text = struck.options.text("value", value)
    return (f'"{text}"' if struck.options.flag("as_string") else text).encode()


def _replace(response: Response, pattern: re.Pattern[bytes], replacement: bytes) -> bool:
    response.body, count = pattern.subn(replacement, response.body, count=1)
    return bool(count)
