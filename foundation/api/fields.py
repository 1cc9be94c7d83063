"""Field types of requests that take one JSON type and one spelling each, where those of DRF convert what is near."""

import re
from typing import Any
from uuid import UUID

from django.core.validators import RegexValidator
from drf_spectacular.drainage import has_override, set_override
from rest_framework import serializers

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)


# What DRF and PostgreSQL take as text, for the OpenAPI document: nothing with NUL in it, and of blanks alone only where
# they may be. There it is said by `not`, because the generator would give a pattern an alternative that fits as well.
_NUL = r"\u0000"
_NOT_EMPTY = r"^[^\u0000]+$"
_NOT_BLANK = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


class TextField(serializers.CharField):
    """Text, and no number or boolean in place of its digits or its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if has_override(self, "field") or any(isinstance(each, RegexValidator) for each in self.validators):
            return
        schema: dict[str, Any] = {"type": "string"}
        if self.max_length is not None:
            schema["maxLength"] = self.max_length
        if self.allow_blank:
            schema["not"] = {"type": "string", "pattern": _NUL}
        else:
            schema["pattern"] = _NOT_BLANK if self.trim_whitespace else _NOT_EMPTY
        set_override(self, "field", schema)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("This is not text.", "invalid")
        return str(super().to_internal_value(data))


class IdField(serializers.UUIDField):
    """A UUID in the one form that answers have: no braces, no `urn:uuid:`, no digits alone."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _ID.fullmatch(data):
            raise serializers.ValidationError(
                "This is not an id. Write it as in answers: 0b8a4f1e-6d0b-4f5e-9d3c-2f6f5a1f7c11.", "invalid"
            )
        return UUID(data)


class WholeNumberField(serializers.IntegerField):
    """A whole number of a query in decimal digits; not 10.0, 1_0 or digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _WHOLE.fullmatch(data):
            raise serializers.ValidationError("This is not a whole number. Write it in digits.", "invalid")
        return int(data)


class NumberField(serializers.IntegerField):
    """A whole number of a body: a number there, of which JSON does not tell 1.0 from 1, and no text of digits."""

    def to_internal_value(self, data: Any) -> int:
        is_whole = data.is_integer() if isinstance(data, float) else isinstance(data, int)
        if not is_whole or isinstance(data, bool):  # a boolean is an int to Python
            raise serializers.ValidationError(
                "This is not a whole number. Write it without quotes.", "invalid"
            )
        return int(data)


class Choice(serializers.ChoiceField):
    """One of a few values; a refusal names them."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        known = ", ".join(str(value) for value in self.choices)
        self.error_messages["invalid_choice"] = f'"{{input}}" is not known here. Choose one of: {known}.'

    def to_internal_value(self, data: Any) -> Any:
        # DRF would compare what the value is written as.
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)
