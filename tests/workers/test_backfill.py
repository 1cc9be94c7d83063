from __future__ import annotations

import datetime as dt

from django.db.models import Sum

from costs.models import CostFact, DayDigest, Resource, Restatement
from integrations.models import Connection, Status
from workers import lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Page, SyncRun

DAY = dt.timedelta(days=1)


def connect(account, simulator, slug: str) -> Connection:
    key = next(o for o in simulator.organisations() if o["slug"] == slug)["admin_key"]
    return lifecycle.connect(account, NewConnection(api_key=key), actor="alice")


class TestBackfill:
    def test_stores_every_cent_of_a_year(self, account, simulator, run_due):
        connection = connect(account, simulator, "acorn-studio")
        run_due()

        run = SyncRun.objects.get()
        truth = simulator.truth(connection.organization_id, run.from_day, run.to_day)
        stored = CostFact.objects.aggregate(total=Sum("amount_usd"))["total"]
        assert run.status == SyncRun.Status.SUCCEEDED, run.detail
        assert stored == truth.total_usd
        connection.refresh_from_db()
        assert connection.status == Status.ACTIVE
