"""Parameter types that several endpoints share: days, ranges of days, values with a literal null."""

import datetime as dt
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from foundation.api.fields import TextField
from foundation.api.parsing import StrictSerializer
from foundation.money import usd_text
from foundation.periods import DayRange

# Anthropic did not exist before, and arithmetic on days must not run off the calendar.
EARLIEST = dt.date(2020, 1, 1)
LATEST = dt.date(2099, 12, 31)
# Every day of these years and nothing else, for the OpenAPI document: a format alone allows any year.
_DAY = (
    r"20([2-9][0-9]-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
    r"02-(0[1-9]|1[0-9]|2[0-8]))|([2468][048]|[3579][26])-02-29)"
)
# A moment without its zone could mean any of 26 hours.
_TIME = r"T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_MOMENT = f"^{_DAY}({_TIME})?$"
_MAX_TEXT = 1000
# Neither empty, nor with what PostgreSQL's text or UTF-8 cannot hold.
_TEXT_PATTERN = r"^[^\u0000\uFFFD]+$"
MAX_LIST_DAYS = 731
_ZONED = re.compile(f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_TIME}", re.ASCII)


_DAY_SCHEMA = {"type": "string", "format": "date", "pattern": f"^{_DAY}$"}


@extend_schema_field({**_DAY_SCHEMA, "examples": ["2026-11-01"]})
class DayField(serializers.DateField):
    """A UTC day as YYYY-MM-DD, from 2020 to 2099."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], format="%Y-%m-%d", **kwargs)
        self.error_messages["invalid"] = "This is not a day. Write it as YYYY-MM-DD."
        self.error_messages["datetime"] = self.error_messages["invalid"]

    def to_internal_value(self, value: Any) -> dt.date:
        # strptime would read 2026-1-5 and the digits of other scripts as well; one day has one spelling here.
        if not isinstance(value, str) or len(value) != len("YYYY-MM-DD") or not value.isascii():
            self.fail("invalid")
        day: dt.date = super().to_internal_value(value)
        if not EARLIEST <= day <= LATEST:
            raise serializers.ValidationError(
                f"Days from {EARLIEST} to {LATEST} can be asked for.", "out_of_range"
            )
        return day


@extend_schema_field({**_DAY_SCHEMA, "examples": ["2026-11-08"]})
class EndField(DayField):
    """The UTC day after the last one; its example ends a range that the example of its beginning begins."""


@extend_schema_field(
    {"type": "string", "pattern": _MOMENT, "examples": ["2026-11-05T06:00:00Z", "2026-11-05"]}
)
class MomentField(serializers.DateTimeField):
    """A moment with its zone, or a UTC day, which stands for the moment it ends."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_messages["invalid"] = "This is not a moment. Write 2026-11-05T06:00:00Z, or a day."

    def to_internal_value(self, value: Any) -> dt.datetime:
        if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
            day = DayField().to_internal_value(value)
            return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        if not isinstance(value, str) or not _ZONED.fullmatch(value):
            self.fail("invalid", format="")
        # As it is written: in UTC it may be the day before or after, which any calendar has.
        DayField().to_internal_value(value[: len("YYYY-MM-DD")])
        moment: dt.datetime = super().to_internal_value(value)
        return moment


class RangeFields(StrictSerializer):
    """`from` (inclusive) and `to` (exclusive); the names are Python's, so the fields are made in get_fields."""

    max_days = MAX_LIST_DAYS
    is_range_required = True

    def get_fields(self) -> dict[str, Any]:
        required = self.is_range_required
        return {
            "from": DayField(required=required, help_text="First UTC day, inclusive."),
            "to": EndField(required=required, help_text="UTC day after the last one (exclusive)."),
            **super().get_fields(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, end = attrs.get("from"), attrs.get("to")
        if first and end:
            _check_range(first, end, self.max_days, name="to")
        return attrs


def _check_range(first: dt.date, end: dt.date, most: int, *, name: str) -> None:
    if end <= first:
        raise _wrong(name, "`to` is exclusive and must be later than `from`.", "backwards")
    if (end - first).days > most:
        raise _wrong(name, f"At most {most} days can be asked for at once.", "too_long")


def _wrong(name: str, message: str, code: str) -> serializers.ValidationError:
    return serializers.ValidationError({name: serializers.ValidationError(message, code).detail})


def day_range(query: dict[str, Any]) -> DayRange:
    """Return the checked range of a query that requires one."""
    return DayRange(query["from"], query["to"])


def range_or_default(query: dict[str, Any], known: DayRange) -> DayRange:
    """
    Return the checked range of a query that may leave out an end, filled in from the known days.

    Shape:   without `from` no more days than can be asked for at once, the latest ones
    Raises:  ValidationError about the end that was given
    """
    end = query.get("to", known.end)
    first = query.get("from", max(known.start, end - dt.timedelta(days=MAX_LIST_DAYS)))
    _check_range(first, end, MAX_LIST_DAYS, name="to" if "to" in query else "from")
    return DayRange(first, end)


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": _MAX_TEXT, "pattern": _TEXT_PATTERN})
class FilterTextField(TextField):
    """A value to filter by, as it is: no space of it is trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=_MAX_TEXT, **kwargs)


class NullableListField(serializers.ListField):
    """A repeatable filter; the literal `null` among its values selects null and becomes None."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("child", FilterTextField())
        super().__init__(required=False, allow_empty=False, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list) or not data:
            return list(super().to_internal_value(data))  # which says what is wrong
        named = [value for value in data if value != "null"]
        values = super().to_internal_value(named) if named else []
        return [*values, None] if len(named) < len(data) else values


@extend_schema_field({"type": "string", "format": "decimal", "examples": ["12.345678"]})
class UsdTextField(serializers.Field[Any, Any, Any, Any]):
    """An exact amount in USD as text; what becomes of a number in a client is the client's choice."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return usd_text(value)


class TextOrNullField(serializers.CharField):
    """Text that our tables keep as empty when there is none; the API says null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return value or None
