"""The documents of costs and usage as the API writes them; no rule of the domain."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from costs.coverage import Reason
from costs.freshness import DayState
from costs.records import DIMENSIONS, Origin
from costs.usage import COUNTS
from costs.usage_records import USAGE_DIMENSIONS
from foundation.api.parameters import TextOrNullField, UsdTextField

# What comes after its id in a row, because a person reads them together.
_NAMES = {"workspace_id": "workspace_name", "api_key_id": "api_key_name", "actor_id": "actor_name"}
# `locked` comes with month close.
STATES = [*(state.value for state in DayState), "locked"]


class ExtraField(serializers.DictField):
    """What upstream says of a row beyond its dimensions."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("read_only", True)
        kwargs.setdefault(
            "help_text",
            "Fields of Anthropic's row that this version does not know, by their name there; a list where the rows that were "
            "summed say several things.",
        )
        super().__init__(**kwargs)


class OtherCountsField(serializers.DictField):
    """Counts by the names that upstream gives them."""

    child = serializers.IntegerField()

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("read_only", True)
        kwargs.setdefault(
            "help_text",
            "Counts that this version does not know, by their name at Anthropic. No total holds them: `total_tokens` is the sum of "
            "the five kinds.",
        )
        super().__init__(**kwargs)


class CostRowSerializer(serializers.Serializer[Any]):
    """One current cost row; null is a value: no workspace is the default workspace of the classic report."""

    day = serializers.DateField(source="fact.day")
    connection = serializers.UUIDField(source="fact.connection_id")
    origin = serializers.ChoiceField([origin.value for origin in Origin], source="fact.origin")
    cost_center = TextOrNullField(source="fact.connection.cost_center")
    amount_usd = UsdTextField(source="fact.amount_usd", help_text="Exact, in USD.")
    list_amount_usd = UsdTextField(source="fact.list_amount_usd", allow_null=True)
    state = serializers.ChoiceField(STATES, help_text="How final its day is.")
    observed_at = serializers.DateTimeField(
        source="fact.observed_at", help_text="When it was first stored so."
    )
    extra = ExtraField(source="fact.extra")

    def get_fields(self) -> dict[str, Any]:
        return _row_fields(super().get_fields(), DIMENSIONS)


def _row_fields(fields: dict[str, Any], dimensions: tuple[str, ...]) -> dict[str, Any]:
    """Put the frame of a row first, then its dimensions with a name beside each id, then the rest."""
    first = {name: fields.pop(name) for name in ("day", "connection", "origin")}
    # Declared in a class body it would hide the `source` that every serializer has.
    first["source"] = serializers.CharField(source="fact.source", help_text="The report it came from.")
    shown: dict[str, Any] = {}
    for name in dimensions:
        source = None if name == "workspace_id" else f"fact.{name}"
        shown[name] = serializers.CharField(allow_null=True, source=source)
        if name in _NAMES:
            shown[_NAMES[name]] = serializers.CharField(allow_null=True)
    return {**first, **shown, **fields}


class UsageRowSerializer(serializers.Serializer[Any]):
    """What was used on a day for one combination of the dimensions its report has."""

    day = serializers.DateField(source="fact.day")
    connection = serializers.UUIDField(source="fact.connection_id")
    origin = serializers.ChoiceField([origin.value for origin in Origin], source="fact.origin")
    cost_center = TextOrNullField(source="fact.connection.cost_center")
    state = serializers.ChoiceField(STATES, help_text="How final its day is.")
    observed_at = serializers.DateTimeField(
        source="fact.observed_at", help_text="When it was first stored so."
    )

    def get_fields(self) -> dict[str, Any]:
        fields = _row_fields(super().get_fields(), USAGE_DIMENSIONS)
        tail = {name: fields.pop(name) for name in ("cost_center", "state", "observed_at")}
        counts = {
            name: serializers.IntegerField(source=f"fact.{name}", allow_null=name == "requests")
            for name in COUNTS
        }
        new = {
            "other_counts": OtherCountsField(source="fact.other_counts"),
            "extra": ExtraField(source="fact.extra"),
        }
        return {**fields, **counts, **tail, **new}


class CountsField(serializers.Serializer[Any]):
    """Counts by name."""

    def get_fields(self) -> dict[str, Any]:
        counts = {name: serializers.IntegerField(allow_null=name == "requests") for name in COUNTS}
        return {**counts, "other_counts": OtherCountsField()}


_BUCKET = (
    "First day of the period; null for the total, and for earlier days without a counterpart where the range compared "
    "with is longer."
)


class TotalsField(serializers.Serializer[Any]):
    """Counts by name, each null where there is none."""

    def get_fields(self) -> dict[str, Any]:
        counts = {name: serializers.IntegerField(allow_null=True) for name in COUNTS}
        return {**counts, "other_counts": OtherCountsField()}


class GroupField(serializers.DictField):
    """The values grouped by, under the names of the dimensions."""

    child = serializers.CharField(allow_null=True)


class SummaryRowSerializer(serializers.Serializer[Any]):
    """One group of one period."""

    bucket = serializers.DateField(allow_null=True, help_text=_BUCKET)
    group = GroupField(
        help_text="By dimension; `workspace_name` and `connection_label` stand beside their ids."
    )
    amount_usd = UsdTextField(
        allow_null=True, help_text="Null when no day of the period is stored, which is not zero."
    )
    previous_usd = UsdTextField(allow_null=True)


def _range_fields() -> dict[str, Any]:
    return {
        "from": serializers.DateField(source="days.start", help_text="Inclusive."),
        "to": serializers.DateField(source="days.end", help_text="Exclusive."),
    }


_SOURCES = "The reports the sums are read from: one for each day, never two added together."


def _not_reported() -> Any:
    return serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Of what is grouped by, which of these reports do not state it: their amounts are in the null group.",
    )


def _complete_through() -> Any:
    return serializers.DateField(
        allow_null=True,
        help_text="The last day of the range up to which every connection has every day, read after its end; null when the "
        "first day is missing already.",
    )


def _state() -> Any:
    return serializers.ChoiceField(
        STATES, help_text="The worst state among the days of the range; `missing` when none is stored."
    )


class MissingSerializer(serializers.Serializer[Any]):
    """Days in a row that are not stored, and why."""

    reason = serializers.ChoiceField(
        [reason.value for reason in Reason],
        help_text="`not_read`: their turn has not come; `outside_plan`: before the plan's history; `before_api`: before the "
        "first day that Anthropic reports; `refused`: Anthropic refuses the report to the key; `disconnected`: nobody reads "
        "them any more; `failed`: they could not be read, and are tried again.",
    )

    def get_fields(self) -> dict[str, Any]:
        return {**_range_fields(), **super().get_fields()}


def _missing() -> Any:
    return MissingSerializer(
        many=True,
        help_text="Days of the range that are not stored for every connection, oldest first: the sums lack them.",
    )


class DaysSerializer(serializers.Serializer[Any]):
    """A range of UTC days."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "from": serializers.DateField(source="start", help_text="Inclusive."),
            "to": serializers.DateField(source="end", help_text="Exclusive."),
        }


def _previous_days() -> Any:
    return DaysSerializer(allow_null=True, help_text="With `compare`, the days compared with.")


def _previous_state() -> Any:
    return serializers.CharField(
        allow_null=True,
        help_text="With `compare`, one of the same states: the worst among the days compared with. It is `missing` also when the "
        "report that states what is grouped or filtered by is there for some of the days only. Then nothing is compared "
        "and what is previous is null.",
    )


class SummarySerializer(serializers.Serializer[Any]):
    """Exact sums; the rows add up to the total, and there are none when no day of the range is stored."""

    granularity = serializers.ChoiceField(["total", "day", "week", "month"])
    group_by = serializers.ListField(child=serializers.CharField())
    currency = serializers.ChoiceField(["USD"])
    total_usd = UsdTextField(
        allow_null=True,
        help_text="The sum of the stored days; null when no day of the range is stored, which is not zero.",
    )
    previous_total_usd = UsdTextField(allow_null=True)
    complete_through = _complete_through()
    state = _state()
    missing = _missing()
    previous_days = _previous_days()
    previous_state = _previous_state()
    sources = serializers.ListField(child=serializers.CharField(), help_text=_SOURCES)
    not_reported = _not_reported()
    as_of = serializers.DateTimeField(allow_null=True, help_text="Null: as known now.")
    rows = SummaryRowSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**_range_fields(), **super().get_fields()}


class UsageSummaryRowSerializer(serializers.Serializer[Any]):
    """One group of one period; its counts stand beside its group, each null when no day of the period is stored."""

    bucket = serializers.DateField(allow_null=True, help_text=_BUCKET)
    group = GroupField(help_text="By dimension; names stand beside their ids.")
    previous = CountsField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        previous = fields.pop("previous")
        counts = {name: serializers.IntegerField(source=f"counts.{name}", allow_null=True) for name in COUNTS}
        other = OtherCountsField(source="counts.other_counts")
        return {**fields, **counts, "other_counts": other, "previous": previous}


class UsageSummarySerializer(serializers.Serializer[Any]):
    """Exact sums; the rows add up to the totals, and there are none when no day of the range is stored."""

    granularity = serializers.ChoiceField(["total", "day", "week", "month"])
    group_by = serializers.ListField(child=serializers.CharField())
    totals = TotalsField(
        help_text="Of the stored days; every count is null when no day of the range is stored."
    )
    previous_totals = CountsField(allow_null=True)
    complete_through = _complete_through()
    state = _state()
    missing = _missing()
    previous_days = _previous_days()
    previous_state = _previous_state()
    left_out = serializers.ListField(
        child=serializers.CharField(),
        help_text="The names in `other_counts`: what was counted in the range and `total_tokens` leaves out.",
    )
    unread = serializers.ListField(
        child=serializers.CharField(),
        help_text="Counts that some rows of the range lack or have in a form that cannot be read: the sums leave those out.",
    )
    sources = serializers.ListField(child=serializers.CharField(), help_text=_SOURCES)
    not_reported = _not_reported()
    rows = UsageSummaryRowSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**_range_fields(), **super().get_fields()}


class RestatementSerializer(serializers.Serializer[Any]):
    """One observed change of a day that was already stored."""

    connection = serializers.UUIDField(source="connection_id")
    report = serializers.CharField(source="source", help_text="The report that changed.")
    day = serializers.DateField()
    observed_at = serializers.DateTimeField()
    before_usd = UsdTextField()
    after_usd = UsdTextField()
    rows_added = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    rows_removed = serializers.IntegerField()
    run = serializers.UUIDField(source="run_id", allow_null=True)


class NameSerializer(serializers.Serializer[Any]):
    """A name and when it was seen."""

    name = serializers.CharField()
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True, help_text="Null: it is called so now.")


class ResourceSerializer(serializers.Serializer[Any]):
    """A key or person (also a service account); its identity is the id, names come and go."""

    id = serializers.CharField(source="resource.resource_id")
    connection = serializers.UUIDField(source="resource.connection_id")
    name = serializers.CharField(allow_null=True)
    names = NameSerializer(many=True)
    first_day = serializers.DateField(allow_null=True, help_text="With costs or usage; null: never seen.")
    last_day = serializers.DateField(allow_null=True)
    archived = serializers.SerializerMethodField()
    archived_at = serializers.DateTimeField(source="resource.archived_at", allow_null=True)
    is_listed = serializers.BooleanField(
        source="resource.is_listed", help_text="False: seen in reports only, in no list of Anthropic's."
    )
    attributes = serializers.DictField(
        source="resource.attributes",
        help_text="Further fields as upstream sent them, such as tags and status.",
    )

    def get_archived(self, found: Any) -> bool:
        """Say whether it is archived."""
        return found.resource.archived_at is not None


class WorkspaceSerializer(ResourceSerializer):
    """A workspace; its identity is the id, names come and go."""

    is_default = serializers.BooleanField(
        source="resource.is_default", help_text="Its costs have `workspace_id` null."
    )


class ModelSerializer(serializers.Serializer[Any]):
    """A model that costs or usage name."""

    id = serializers.CharField(allow_null=True, help_text="Null: what has no model, such as code execution.")
    first_day = serializers.DateField()
    last_day = serializers.DateField()


class ActivityRowSerializer(serializers.Serializer[Any]):
    """What one person or key did with Claude Code on a day in one kind of terminal."""

    day = serializers.DateField()
    connection = serializers.UUIDField(source="connection_id")
    actor_type = serializers.CharField(allow_null=True)
    actor_id = serializers.CharField(allow_null=True, help_text="An e-mail address, or the name of a key.")
    customer_type = serializers.CharField(allow_null=True)
    subscription_type = serializers.CharField(allow_null=True)
    terminal_type = serializers.CharField(allow_null=True)
    is_remote = serializers.CharField(allow_null=True)
    sessions = serializers.IntegerField()
    lines_added = serializers.IntegerField()
    lines_removed = serializers.IntegerField()
    commits = serializers.IntegerField()
    pull_requests = serializers.IntegerField()
    estimated_cost_usd = UsdTextField(
        help_text="An estimate of what is inside the bill already: never add it."
    )
    tool_actions = serializers.DictField(child=serializers.IntegerField())
    model_tokens = serializers.DictField(child=serializers.IntegerField())
    observed_at = serializers.DateTimeField()
    extra = ExtraField()


class DifferentRowSerializer(serializers.Serializer[Any]):
    """A row on which both reports differ."""

    dimensions = serializers.DictField(child=serializers.CharField(allow_null=True))
    bill_usd = UsdTextField()
    other_usd = UsdTextField()


class ComparedDaySerializer(serializers.Serializer[Any]):
    """One day; null: that report does not have it."""

    day = serializers.DateField()
    bill_usd = UsdTextField(allow_null=True)
    other_usd = UsdTextField(allow_null=True)
    difference_usd = UsdTextField(allow_null=True)
    rows = DifferentRowSerializer(many=True, help_text="Where they differ: the largest differences first.")


class GenerationsSerializer(serializers.Serializer[Any]):
    """The report that is the bill beside the other one that tells the whole bill."""

    bill = serializers.CharField(help_text="The report whose amounts count.")
    other = serializers.CharField(allow_null=True, help_text="Never added; null: there is no other one.")
    days_compared = serializers.IntegerField()
    days_different = serializers.IntegerField()
    difference_usd = UsdTextField(help_text="Other less bill, over all days that both have.")
    days = ComparedDaySerializer(many=True)


class CompletenessSerializer(serializers.Serializer[Any]):
    """The state of each day of each report."""

    connection = serializers.UUIDField()
    safe_through = serializers.DateField(
        allow_null=True,
        help_text="The last day before the first that is missing or provisional; days before the first that Anthropic reports "
        "hold nothing up.",
    )
    missing = _missing()
    reports = inline_serializer(
        "CompletenessReport",
        {
            "report": serializers.CharField(),
            "days": inline_serializer(
                "CompletenessDay",
                {
                    "day": serializers.DateField(),
                    "state": serializers.ChoiceField(STATES),
                    "observed_at": serializers.DateTimeField(allow_null=True),
                },
                many=True,
            ),
        },
        many=True,
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {"connection": fields.pop("connection"), **_range_fields(), **fields}
