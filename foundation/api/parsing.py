"""Reads request bodies and query strings strictly: what is unknown, empty, doubled or too large is refused, never guessed."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any, ClassVar, cast

from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.serializers import Field, ListField, Serializer, ValidationError
from rest_framework.utils import json

from foundation.problems import ProblemError

# The largest body any endpoint needs is a key and two labels.
MAX_BODY_BYTES = 65_536
# What Django puts in place of bytes of a query string that are no text.
_NOT_UTF_8 = "\ufffd"


class StrictJSONParser(JSONParser):
    """JSON of a bounded size. Django's own limit does not apply here: DRF reads the stream past it."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        headers = (parser_context or {})["request"].headers
        # A body without a length has no bytes for WSGI, so the length can be relied on.
        if int(headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"The body may hold at most {MAX_BODY_BYTES} bytes.",
            )
        try:
            # DRF would read it in whatever charset its type names, and let the last of two members win.
            text = stream.read().decode("utf-8")
            parsed = json.loads(text, parse_constant=json.strict_constant, object_pairs_hook=_each_once)
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
        if not isinstance(parsed, dict):
            raise ParseError("The body must be a JSON object.")
        return parsed


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise ValueError(f"{name!r} is given more than once")
        found[name] = value
    return found


class StrictSerializer(Serializer[Any]):
    """A request's body or query; members it does not know are errors of their own."""

    # A member → the one that has to come with it.
    needs: ClassVar[Mapping[str, str]] = {}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields))
        if unknown:
            known = ", ".join(self.fields) or "none"
            message = f"This is not known here. Known: {known}."
            raise ValidationError({name: ValidationError(message, "unknown").detail for name in unknown})
        for name, needed in self.needs.items():
            if name in data and needed not in data:
                message = f"Give `{needed}` together with `{name}`."
                raise ValidationError({needed: ValidationError(message, "required").detail})
        return super().to_internal_value(data)


def refuse_body_without_length(headers: Mapping[str, str]) -> None:
    """Raise a problem for a body sent in chunks: WSGI hands us none of its bytes, and it must not pass for no body."""
    if "Transfer-Encoding" in headers and "Content-Length" not in headers:
        raise ProblemError(
            HTTPStatus.LENGTH_REQUIRED,
            "length_required",
            "Send the body with a Content-Length; bodies sent in chunks are not read here.",
        )


class NothingSerializer(StrictSerializer):
    """No body, or an empty object."""


class QuerySerializer(StrictSerializer):
    """A query string: single values come once, list fields may repeat, nothing is empty."""

    def __init__(self, query: QueryDict | None = None, **kwargs: Any) -> None:
        super().__init__(data=self._values(query) if query is not None else {}, **kwargs)

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> "QuerySerializer":
        """Read the same parameters from the members of a JSON object."""
        query = cls()
        query.initial_data = dict(body)
        return query

    def _values(self, query: QueryDict) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for name, given in query.lists():
            field: Field[Any, Any, Any, Any] | None = self.fields.get(name)
            if any(_NOT_UTF_8 in value for value in given):
                errors[name] = ValidationError("This is not UTF-8.", "not_utf_8").detail
            elif not all(given):
                errors[name] = ValidationError("This may not be empty. Leave it out instead.", "empty").detail
            elif not isinstance(field, ListField) and len(given) > 1 and field is not None:
                errors[name] = ValidationError("This may be given once only.", "repeated").detail
            values[name] = given if isinstance(field, ListField) else given[-1]
        if errors:
            raise ValidationError(errors)
        return values

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except ValidationError as error:
            # The position inside a repeated parameter helps nobody: name the parameter.
            found = cast("dict[str, Any]", error.detail)  # of a whole serializer it is always by field
            raise ValidationError({name: _flat(detail) for name, detail in found.items()}) from error


class UniqueListField(ListField):
    """A repeatable parameter of which each value may be given once."""

    def run_child_validation(self, data: Any) -> Any:
        values = super().run_child_validation(data)
        if len(set(values)) < len(values):
            raise ValidationError("Each value can be given once.", "repeated")
        return values


class NothingQuery(QuerySerializer):
    """No parameters at all."""


def _flat(found: Any) -> Any:
    return [item for items in found.values() for item in items] if isinstance(found, dict) else found
