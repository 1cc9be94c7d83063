"""Keep the names of workspaces (and later keys and people) with their history."""

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from costs.models import Resource, ResourceName
from costs.records import NameRecord


def record_names(connection_id: UUID, records: Iterable[NameRecord], *, observed_at: dt.datetime) -> int:
    """
    Store what things are called now; return how many names or attributes changed.

    Shape:   0..n records; a resource missing from the list keeps its last name, since costs still refer to it
    Key:     (connection, kind, resource id); the same names again write nothing
    Effects: a changed name closes the old one at observed_at; the caller holds the transaction
    """
    changes = 0
    for record in records:
        attributes = dict(record.attributes)
        resource, _ = Resource.objects.get_or_create(
            connection_id=connection_id,
            kind=record.kind,
            resource_id=record.resource_id,
            defaults={
                "is_default": record.is_default, "archived_at": record.archived_at, "attributes": attributes,
            },
        )  # fmt: skip
        wanted = (record.is_default, record.archived_at, attributes)
        if (resource.is_default, resource.archived_at, resource.attributes) != wanted:
            resource.is_default, resource.archived_at, resource.attributes = wanted
            resource.save(update_fields=["is_default", "archived_at", "attributes"])
            changes += 1
        current = ResourceName.objects.filter(resource=resource, valid_to__isnull=True).first()
        if current is None or current.name != record.name:
            if current:
                current.valid_to = observed_at
                current.save(update_fields=["valid_to"])
            ResourceName.objects.create(resource=resource, name=record.name, valid_from=observed_at)
            changes += 1
    return changes
