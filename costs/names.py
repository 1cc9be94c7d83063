"""Keep the names of workspaces, keys and people with their history."""

import datetime as dt
from collections.abc import Iterable, Sequence
from uuid import UUID

from costs.models import Resource, ResourceName
from costs.records import NameRecord


def record_names(connection_id: UUID, records: Iterable[NameRecord], *, observed_at: dt.datetime) -> int:
    """
    Store what things are called now; return how many names or attributes changed.

    Shape:   0..n records; a resource missing from the list keeps its last name, since costs still refer to it.
             A record beside a report's row says less than a list does: it never changes what a list has told,
             and a placeholder or the lack of a name never replaces a name
    Key:     (connection, kind, resource id), the last record of each; the same names again write nothing
    Effects: a changed name closes the old one at observed_at; the caller holds the transaction
    """
    told = {(record.kind, record.resource_id): record for record in records}
    if not told:
        return 0
    known = _known(connection_id, told.values())
    new = [record for key, record in told.items() if key not in known]
    added = _add(connection_id, new, observed_at)
    return added + sum(
        _change(known[key], record, observed_at) for key, record in told.items() if key in known
    )


def _known(connection_id: UUID, records: Iterable[NameRecord]) -> dict[tuple[str, str], Resource]:
    ids = [record.resource_id for record in records]
    found = Resource.objects.filter(connection_id=connection_id, resource_id__in=ids)
    return {(resource.kind, resource.resource_id): resource for resource in found.prefetch_related("names")}


def _add(connection_id: UUID, records: Sequence[NameRecord], observed_at: dt.datetime) -> int:
    resources = Resource.objects.bulk_create(
        Resource(
            connection_id=connection_id, kind=record.kind, resource_id=record.resource_id,
            is_default=record.is_default, archived_at=record.archived_at, attributes=dict(record.attributes),
            is_listed=record.is_listed,
        )
        for record in records
    )  # fmt: skip
    ResourceName.objects.bulk_create(
        ResourceName(resource=resource, name=record.name, valid_from=observed_at)
        for resource, record in zip(resources, records, strict=True)
        if not record.is_nameless
    )
    return len(resources)


def _change(resource: Resource, record: NameRecord, observed_at: dt.datetime) -> int:
    if resource.is_listed and not record.is_listed:
        return 0
    changes = 0
    # Who has left is seen without attributes; what was known of them stays.
    attributes = resource.attributes if record.is_placeholder else dict(record.attributes)
    wanted = (record.is_default, record.archived_at, attributes, record.is_listed)
    if (resource.is_default, resource.archived_at, resource.attributes, resource.is_listed) != wanted:
        resource.is_default, resource.archived_at, resource.attributes, resource.is_listed = wanted
        resource.save(update_fields=["is_default", "archived_at", "attributes", "is_listed"])
        changes += 1
    current = next((name for name in resource.names.all() if name.valid_to is None), None)
    if record.is_nameless or (record.is_placeholder and current):
        return changes
    if current is None or current.name != record.name:
        if current:
            current.valid_to = observed_at
            current.save(update_fields=["valid_to"])
        ResourceName.objects.create(resource=resource, name=record.name, valid_from=observed_at)
        changes += 1
    return changes
