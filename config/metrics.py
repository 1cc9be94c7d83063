"""`/metrics` for Prometheus: read from the database at each scrape, so that every process gives the same answer.

Counts and ages only: no name, label or amount of any account, because whoever may scrape sees them all.
"""

from collections.abc import Iterator

from django.db import connection as database
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from alerts.models import OutboxMessage
from costs.models import DayDigest, Restatement, UpstreamNovelty
from foundation.problems import read_only
from integrations.models import Connection, Status
from workers import watch
from workers.clock import database_now
from workers.models import Lane, SyncRun


def _gauge(name: str, says: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tallystick_{name}", says, value=value)


class DatabaseCollector(Collector):
    """Asks PostgreSQL a handful of indexed questions a scrape."""

    def collect(self) -> Iterator[Metric]:
        now = database_now()
        yield self._connections()
        yield self._runs()
        lanes = Lane.objects.exclude(state=Lane.State.IDLE)
        oldest = lanes.aggregate(oldest=Min("due_at"))["oldest"]
        overdue = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
        yield _gauge("lanes_active", "Lanes with work to do.", lanes.count())
        yield _gauge("lane_overdue_seconds", "How long the most overdue lane has been due.", overdue)
        blocked = Lane.objects.filter(blocked_until__gt=now).count()
        yield _gauge("lanes_blocked", "Lanes that a 429 of Anthropic has blocked for now.", blocked)
        yield _gauge("connections_late", "Connections without a success for too long.", len(watch.late(now)))
        stored = DayDigest.objects.aggregate(newest=Max("as_of"))["newest"]
        # Without a stored day there is no sample: an age of nought would be read as fresh.
        age = (now - stored).total_seconds() if stored else None
        yield _gauge("newest_answer_age_seconds", "Age of the newest stored answer of any connection.", age)
        waiting = OutboxMessage.objects.filter(sent_at__isnull=True)
        yield _gauge("outbox_waiting", "E-mails that wait to be sent.", waiting.count())
        yield _gauge(
            "outbox_failing", "E-mails whose last attempt failed.", waiting.exclude(last_error="").count()
        )
        yield self._news()
        yield _gauge("restatements", "Stored days that came back different, so far.", _estimate(Restatement))

    def _connections(self) -> Metric:
        family = GaugeMetricFamily("tallystick_connections", "Connections by status.", labels=["status"])
        found = dict(
            Connection.objects.filter(disconnected_at__isnull=True)
            .order_by()
            .values_list("status")
            .annotate(count=Count("pk"))
        )
        for status in Status.values:
            family.add_metric([status], found.get(status, 0))
        return family

    def _news(self) -> Metric:
        family = GaugeMetricFamily(
            "tallystick_new_upstream_values",
            "New upstream values: stored, shown, not understood.",
            labels=["kind"],
        )
        rows = UpstreamNovelty.objects.order_by().values_list("kind").annotate(count=Count("pk"))
        found = dict(rows)
        for kind in UpstreamNovelty.Kind.values:
            family.add_metric([kind], found.get(kind, 0))
        return family

    def _runs(self) -> Metric:
        family = GaugeMetricFamily(
            "tallystick_open_runs", "Open runs by trigger and status.", labels=["trigger", "status"]
        )
        rows = (
            SyncRun.objects.filter(status__in=SyncRun.ACTIVE)
            .order_by()
            .values_list("trigger", "status")
            .annotate(count=Count("pk"))
        )
        for trigger, status, count in rows:
            family.add_metric([trigger, status], count)
        return family


def _estimate(model: type[Restatement]) -> float:
    """Count without reading the table: PostgreSQL's own estimate."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        (estimate,) = cursor.fetchone()
    return float(estimate)


@read_only
@never_cache
def metrics(_request: HttpRequest) -> HttpResponse:
    """Answer a scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DatabaseCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
