"""Owns the shape of one request for one page and of what came back; provider-neutral, must not do any I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class PageRequest:
    """
    One page of one upstream query.

    Shape:   `query` holds every parameter but the cursor, in sending order; `cursor` None is the first page
    """

    report_name: str
    path: str
    query: tuple[tuple[str, str], ...]
    cursor: str | None = None

    def query_hash(self) -> str:
        """
        Identify the query a cursor belongs to (32 hex digits); the cursor itself does not count.

        A cursor is valid for exactly one query: the engine stores this beside it and restarts when it differs.
        """
        canonical = json.dumps([self.path, self.query], separators=(",", ":"))
        return blake2b(canonical.encode("ascii"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page as it arrived, with what the engine needs to go on.

    Shape:   `body` is decompressed and otherwise untouched, so that it can be archived and read again;
             `next_cursor` is set exactly when `has_more`; `data_refreshed_at` None also when not sent at all;
             `row_count` counts rows (the results inside buckets), not buckets; `is_blank`: it has neither
    """

    request: PageRequest
    status: int
    request_id: str | None
    organization_id: str | None
    body: bytes
    has_more: bool
    next_cursor: str | None
    data_refreshed_at: datetime | None
    row_count: int
    is_blank: bool = False
