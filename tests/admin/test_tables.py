from __future__ import annotations

import datetime as dt
import json
import zlib
from decimal import Decimal

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from alerts.models import OutboxMessage
from costs.models import CostFact, DayDigest, Resource, ResourceName, Restatement, SupersededCost
from integrations.models import Connection
from workers.admin.archive import readable
from workers.models import Lane, Page, SyncRun, SyncStep

from .conftest import change_url, list_url

READ_ONLY = [
    CostFact, SupersededCost, DayDigest, Restatement, Resource, ResourceName,
    Lane, SyncRun, SyncStep, Page, AuditEvent, OutboxMessage,
]  # fmt: skip
EXACT = Decimal("0.000123456789012345678901234567")
ONE_MORE = Decimal("1.000123456789012345678901234567")


@pytest.fixture
def rows(account) -> dict[type, object]:
    """One row of every read-only table; nothing is fetched."""
    now = timezone.now()
    connection = Connection.objects.create(
        account=account,
        origin="claude_platform",
        label="Acorn",
        organization_id="org",
        backfill_days=30,
        wanted_from="2025-11-01",
    )
    lane = Lane.objects.create(organization_id="org", family="classic", level_us=0, level_at=now)
    run = SyncRun.objects.create(
        connection=connection, lane=lane, trigger="force", from_day=now.date(), to_day=now.date(), priority=10
    )
    step = SyncStep.objects.create(
        run=run, position=0, report_name="cost_report", window_start=now.date(), window_end=now.date()
    )
    page = Page.objects.create(
        step=step, attempt=1, sequence=1, path="/v1/organizations/cost_report", query=[["limit", "31"]],
        request_id="req_1", status_code=200, sha256=b"\x01" * 32, body=zlib.compress(b'{"data":["<script>"]}'),
        requested_at=now,
    )  # fmt: skip
    version = {
        "connection": connection, "source": "cost_report", "day": now.date(), "row_key": b"\x02" * 16,
        "origin": "claude_platform", "model": "claude-opus", "amount_usd": EXACT, "observed_at": now,
    }  # fmt: skip
    resource = Resource.objects.create(connection=connection, kind="workspace", resource_id="wrkspc_1")
    made = [
        lane, run, step, page, resource,
        CostFact.objects.create(**version),
        SupersededCost.objects.create(**version, superseded_at=now),
        DayDigest.objects.create(
            connection=connection, source="cost_report", day=now.date(), digest=b"\x03", row_count=1,
            amount_usd=EXACT, as_of=now,
        ),
        Restatement.objects.create(
            connection=connection, source="cost_report", day=now.date(), observed_at=now, before_usd=Decimal(1),
            after_usd=ONE_MORE, rows_added=0, rows_changed=1, rows_removed=0, was_provisional=False,
        ),
        ResourceName.objects.create(resource=resource, name="Production", valid_from=now),
        AuditEvent.objects.create(account=account, actor="carol", action="test", target="it"),
        OutboxMessage.objects.create(account=account, event_key="e", kind="k", subject="s", body="b", due_at=now),
    ]  # fmt: skip
    return {type(row): row for row in made}


@pytest.mark.parametrize("model", READ_ONLY)
class TestReadOnly:
    def test_shows_list_and_row(self, boss, rows, model):
        assert boss.get(list_url(model)).context["cl"].result_count == 1
        assert boss.get(change_url(rows[model])).status_code == 200

    def test_refuses_every_change(self, boss, rows, model):
        before = list(model.objects.values())
        change = change_url(rows[model])

        answers = [
            boss.post(change, {"amount_usd": "9"}).status_code,
            boss.post(change.replace("/change/", "/delete/"), {"post": "yes"}).status_code,
            boss.post(list_url(model) + "add/", {}).status_code,
        ]

        assert answers == [403, 403, 403]
        assert list(model.objects.values()) == before

    def test_needs_the_view_permission(self, staff_with, rows, model):
        client = staff_with("view_connection")

        assert client.get(list_url(model)).status_code == 403
        assert client.get(change_url(rows[model])).status_code == 403

    def test_has_no_bulk_delete(self, boss, rows, model):
        chosen = {"action": "delete_selected", "_selected_action": [rows[model].pk], "post": "yes"}

        boss.post(list_url(model), chosen)

        assert model.objects.exists()


class TestFacts:
    @pytest.mark.parametrize("model", [CostFact, SupersededCost, DayDigest])
    def test_show_every_digit(self, boss, rows, model):
        assert str(EXACT) in boss.get(list_url(model)).content.decode()
        assert str(EXACT) in boss.get(change_url(rows[model])).content.decode()

    def test_show_exactly_how_far_a_day_moved(self, boss, rows):
        page = boss.get(list_url(Restatement)).content.decode()

        assert f">{EXACT}<" in page
        assert f">{ONE_MORE}<" in page

    def test_narrow_down_by_day(self, boss, rows):
        old = CostFact.objects.get()
        old.pk, old.day = None, old.day - dt.timedelta(days=40)
        old.save()

        counts = [boss.get(list_url(CostFact), {"days": d}).context["cl"].result_count for d in ("1", "31")]

        assert counts == [1, 1]
        assert boss.get(list_url(CostFact), {"days": "nonsense"}).status_code == 200
        assert boss.get(list_url(CostFact)).context["cl"].result_count == 2

    @pytest.mark.parametrize("model", READ_ONLY)
    def test_lists_cost_a_bounded_number_of_queries(self, boss, rows, model, django_assert_max_num_queries):
        _multiply(rows[model], 40)

        with django_assert_max_num_queries(12):
            boss.get(list_url(model))

    def test_counting_stops_at_ten_thousand(self, boss, rows, django_assert_max_num_queries):
        _multiply(rows[CostFact], 10_050)

        with django_assert_max_num_queries(12) as asked:
            response = boss.get(list_url(CostFact))

        counts = [query["sql"] for query in asked.captured_queries if "COUNT(" in query["sql"]]
        assert response.context["cl"].result_count == 10_000
        assert all("LIMIT 10000" in sql for sql in counts if "costfact" in sql)


def _multiply(row, times: int) -> None:
    """Store copies of a row that differ in what must be unique."""
    model = type(row)
    unique = {
        CostFact: "row_key", DayDigest: "source", Resource: "resource_id", Lane: "organization_id",
        SyncStep: "position", Page: "sequence", OutboxMessage: "event_key", SyncRun: "from_day",
    }.get(model)  # fmt: skip
    copies = []
    for n in range(times):
        values = {
            f.attname: getattr(row, f.attname) for f in model._meta.concrete_fields if not f.primary_key
        }
        if unique:
            values[unique] = _nth(values[unique], n)
        if model is ResourceName:
            values["valid_to"] = values["valid_from"]
        copies.append(model(**values))
    model.objects.bulk_create(copies)


def _nth(value, n: int):
    if isinstance(value, bytes):
        return n.to_bytes(16, "big")
    if isinstance(value, dt.date):
        return value - dt.timedelta(days=n + 1)
    return value + n + 1 if isinstance(value, int) else f"{value}-{n}"


class TestPage:
    def test_shows_the_body_indented_and_escaped(self, boss, rows):
        page = boss.get(change_url(rows[Page])).content.decode()

        assert "&quot;&lt;script&gt;&quot;" in page
        assert '"<script>"' not in page

    def test_cuts_a_long_body(self):
        shown = readable(zlib.compress(json.dumps(["x" * 30_000]).encode()))

        assert len(shown) < 20_100
        assert "cut here" in shown

    def test_shows_what_is_not_json_as_it_came(self):
        assert readable(zlib.compress(b"<html>\xff")) == "<html>\ufffd"

    def test_says_that_a_body_is_damaged(self):
        assert readable(b"not zlib").startswith("The stored body is damaged")

    def test_lists_do_not_load_bodies(self, boss, rows, django_assert_max_num_queries):
        with django_assert_max_num_queries(12) as asked:
            boss.get(list_url(Page))

        assert not any('"workers_page"."body",' in query["sql"] for query in asked.captured_queries)


class TestSite:
    def test_is_called_what_it_is(self, boss):
        page = boss.get(reverse("admin:index")).content.decode()

        assert "Tallystick operators" in page

    def test_sends_visitors_to_the_one_sign_in_page(self, client, db):
        response = client.get(reverse("admin:login") + "?next=/admin/")

        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")

    def test_is_closed_to_people_who_are_not_staff(self, client, account, django_user_model):
        client.force_login(django_user_model.objects.create_user("dora@example.com", "correct horse battery"))

        assert client.get(reverse("admin:index"), follow=True).status_code == 403

    def test_registers_no_table_without_a_page_of_ours(self):
        ours = {model._meta.label for model in admin.site._registry}

        assert "integrations.Credential" not in ours
        assert "knox.AuthToken" not in ours
