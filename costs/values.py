"""Values that stand for several stored ones: the default workspace, rows of no workspace, keys that act; pure SQL parts."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import Case, F, Q, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat

from costs.models import Resource
from costs.sources import lacking

# Upstream's ids never begin with this, so none of them can be taken for one of ours.
_MARK = "~"
API_KEYS = f"{_MARK}api_keys"
# What upstream calls the actor of a request that only a key stands for.
KEY_ACTOR = "api_actor"
# The dimensions that have values of ours; texts of upstream in the others may begin with anything.
_MADE = frozenset({"workspace_id", "actor_id"})
_UNSTATED = lacking("workspace_id")


def no_workspace(origin: str) -> str:
    """Return the value of rows whose report states no workspace: their null is no workspace, and not the default one."""
    return f"{_MARK}{origin}"


def is_made(dimension: str, value: str | None) -> bool:
    """Say whether a value of a dimension is one of ours, which no id is."""
    return dimension in _MADE and value is not None and value.startswith(_MARK)


def default_workspaces(account_id: UUID) -> list[str]:
    """Return the ids of the account's default workspaces, which classic reports write as null."""
    known = Resource.objects.filter(connection__account_id=account_id, kind="workspace", is_default=True)
    return list(known.values_list("resource_id", flat=True))


def workspace_column(account_id: UUID) -> Combinable:
    """Return the expression to group by: null for the default workspace however a report spells it, ours for none."""
    is_default = When(workspace_id__in=default_workspaces(account_id), then=Value(None, TextField()))
    is_none = When(workspace_id=None, source__in=_UNSTATED, then=Concat(Value(_MARK), F("origin")))
    return Case(is_default, is_none, default=F("workspace_id"), output_field=TextField())


def actor_column() -> Combinable:
    """Return the expression to group people by: all keys that act for themselves are one."""
    is_key = When(actor_type=KEY_ACTOR, then=Value(API_KEYS))
    return Case(is_key, default=F("actor_id"), output_field=TextField())


def in_workspaces(values: Sequence[str | None], account_id: UUID) -> Q:
    """Return the condition on a row to be in one of the workspaces; null and its id are the default one alike."""
    ids = {value for value in values if value is not None and not is_made("workspace_id", value)}
    defaults = default_workspaces(account_id)
    if None in values or ids & {*defaults}:
        ids |= {*defaults}
        found = Q(workspace_id__in=ids) | Q(workspace_id=None) & ~Q(source__in=_UNSTATED)
    else:
        found = Q(workspace_id__in=ids)
    origins = [
        value.removeprefix(_MARK) for value in values if value is not None and is_made("workspace_id", value)
    ]
    return found | Q(workspace_id=None, source__in=_UNSTATED, origin__in=origins) if origins else found


def of_actors(values: Collection[str | None]) -> Q:
    """Return the condition on a row to be of one of the actors."""
    found = Q(
        actor_id__in=[value for value in values if value is not None and not is_made("actor_id", value)]
    )
    if None in values:
        found |= Q(actor_id=None)
    return found | Q(actor_type=KEY_ACTOR) if API_KEYS in values else found
