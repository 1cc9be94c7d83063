"""A client that hides nothing of what came over the wire, and the sums tests take of it."""

from __future__ import annotations

import gzip
import http.client
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from devtools.simulator.keys import key_text

TODAY = date(2026, 11, 20)
COST_REPORT = "/v1/organizations/cost_report"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        return self.status, self.json["error"]["type"], self.json["error"]["message"]


class Caller:
    """Sends requests as one organisation."""

    def __init__(self, base_url: str, slug: str) -> None:
        self.slug = slug
        self._address = urlsplit(base_url).netloc
        self.headers = {"x-api-key": key_text(slug), "anthropic-version": "2023-06-01"}

    def get(
        self, path: str, query: Any = (), *, headers: dict[str, str | None] | None = None, timeout: float = 60
    ) -> Reply:
        sent = {name: value for name, value in (self.headers | (headers or {})).items() if value is not None}
        connection = http.client.HTTPConnection(self._address, timeout=timeout)
        try:
            connection.request(
                "GET", f"{path}?{query if isinstance(query, str) else urlencode(query)}", headers=sent
            )
            response = connection.getresponse()
            return Reply(
                response.status, {k.lower(): v for k, v in response.headers.items()}, response.read()
            )
        finally:
            connection.close()

    def report(self, first: str, last: str, *groups: str, **more: Any) -> Reply:
        pairs = [("starting_at", f"{first}T00:00:00Z"), ("ending_at", f"{last}T00:00:00Z"), ("limit", 31)]
        pairs = [pair for pair in pairs if pair[0] not in more]
        return self.get(COST_REPORT, [*pairs, *(("group_by[]", group) for group in groups), *more.items()])

    def buckets(self, first: str, last: str, *groups: str, **more: Any) -> list[dict[str, Any]]:
        """Follow every page and return all buckets."""
        page = self.report(first, last, *groups, **more).json
        buckets = page["data"]
        while page["has_more"]:
            page = self.report(first, last, *groups, page=page["next_page"], **more).json
            buckets += page["data"]
        return buckets


def rows(buckets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for bucket in buckets for row in bucket["results"]]


def total_usd(buckets: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["amount"]) for row in rows(buckets)), Decimal(0)) / 100


def unzip(reply: Reply) -> bytes:
    return gzip.decompress(reply.body)
