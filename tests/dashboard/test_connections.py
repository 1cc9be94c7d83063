from __future__ import annotations

import datetime as dt
import re

import pytest

from accounts.models import AuditEvent
from costs.models import Restatement
from dashboard.enum_labels import capability_words
from foundation.money import usd_text
from integrations.models import Connection, Status
from tests.dashboard.conftest import figures_in
from workers import lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import SyncRun, Trigger

HTMX = {"HX-Request": "true"}


def at(connection: Connection, path: str = "") -> str:
    return f"/connections/{connection.pk}/{path}"


class TestList:
    def test_offers_the_first_connection(self, admin, visit):
        assert "Nothing is connected yet" in visit(admin).get("/connections/").text

    def test_follows_a_backfill_and_then_stops(self, admin, visit, connection, run_due):
        client = visit(admin)
        moving = client.get("/connections/").text
        run_due()
        done = client.get("/connections/").text

        assert "First backfill: 0 of 31 days" in moving
        assert "every 2s" in moving
        assert "state-active" in done
        assert "every 2s" not in done

    def test_shows_cause_and_remedy_of_what_needs_a_person(
        self, admin, visit, connection, simulator, run_due
    ):
        simulator.fault("revoked", times=-1)
        run_due()

        text = visit(admin).get("/connections/").text

        assert "Needs you" in text
        assert "refused this key" in text
        assert "1 connection needs you" in text.replace("\u00a0", " ")

    def test_turns_pages_and_asks_few_questions(self, admin, visit, filled, django_assert_max_num_queries):
        base = {
            "account": filled.account, "origin": filled.origin, "wanted_from": filled.wanted_from, "backfill_days": 30, "status": Status.ACTIVE,
        }  # fmt: skip
        Connection.objects.bulk_create(
            Connection(label=f"c{n}", organization_id=f"o{n}", organization_name=f"Org {n}", **base)
            for n in range(45)
        )
        client = visit(admin)
        with django_assert_max_num_queries(15):
            text = client.get("/connections/").text

        assert text.count('class="card"') == 20
        assert "Page 1 of 3" in text
        assert client.get("/connections/?page=99").status_code == 200

    def test_remembers_what_was_disconnected(self, admin, visit, filled):
        lifecycle.disconnect(filled, erase=False, actor="alice")

        assert "Disconnected, history kept (1)" in visit(admin).get("/connections/").text


class TestButtons:
    def test_test_says_what_it_found(self, editor, visit, filled):
        text = visit(editor).post(at(filled, "test/"), headers=HTMX).text

        assert "Connected to Acorn Studio" in text
        assert "hx-swap-oob" in text
        assert AuditEvent.objects.filter(action="connection.tested", actor=editor.email).exists()

    def test_sync_is_queued_once(self, editor, visit, filled):
        client = visit(editor)

        first = client.post(at(filled, "sync/"), headers=HTMX).text
        second = client.post(at(filled, "sync/"), headers=HTMX).text

        assert "Sync queued" in first
        assert "under way already" in second
        assert SyncRun.objects.filter(trigger=Trigger.FORCE).count() == 1

    def test_sync_ends_with_its_outcome_in_place_of_the_notice(self, editor, visit, filled, run_due):
        client = visit(editor)
        polled = re.search(
            r'hx-get="([^"]*status/[^"]*)"', client.post(at(filled, "sync/"), headers=HTMX).text
        )
        assert polled
        waiting = client.get(polled[1], headers=HTMX).text
        assert f'hx-get="{polled[1]}"' in waiting
        assert "Synced:" not in waiting
        run_due()

        done = client.get(polled[1], headers=HTMX).text

        run = SyncRun.objects.filter(connection=filled, trigger="force").latest("requested_at")
        changed = run.rows_added + run.rows_changed + run.rows_removed
        assert f"Synced: {changed:,} changed, {run.rows_unchanged:,} unchanged." in done
        assert f'id="notice-{filled.pk}" role="status" hx-swap-oob="innerHTML"' in done
        assert "hx-get" not in done

    def test_sync_that_cannot_go_on_says_why(self, editor, visit, filled, run_due, simulator):
        client = visit(editor)
        polled = re.search(
            r'hx-get="([^"]*status/[^"]*)"', client.post(at(filled, "sync/"), headers=HTMX).text
        )
        simulator.fault("revoked", times=-1)
        run_due()

        assert "Not synced yet." in client.get(polled[1], headers=HTMX).text

    @pytest.mark.parametrize("run", ["x", "0b8a4f1e-6d0b-4f5e-9d3c-2f6f5a1f7c11"])
    def test_a_run_that_is_not_there_has_no_outcome(self, editor, visit, filled, run):
        answer = visit(editor).get(at(filled, f"status/?run={run}"), headers=HTMX)

        assert answer.status_code == 200
        assert "ynced:" not in answer.text

    def test_sync_of_a_paused_connection_says_what_to_do(self, admin, visit, filled):
        client = visit(admin)
        client.post(at(filled, "pause/"))

        assert "Resume it first" in client.post(at(filled, "sync/"), headers=HTMX).text

    def test_answer_with_the_page_where_no_scripts_run(self, editor, visit, filled):
        client = visit(editor)

        assert "Sync queued" in client.post(at(filled, "sync/"), {"from": "connection"}, follow=True).text

    def test_pause_and_resume(self, admin, visit, filled):
        client = visit(admin)

        paused = client.post(at(filled, "pause/"), follow=True).text
        resumed = client.post(at(filled, "resume/"), follow=True).text

        assert "state-paused" in paused
        assert ">Resume<" in paused
        assert "state-active" in resumed

    def test_lead_nowhere_else(self, editor, visit, filled):
        answer = visit(editor).post(at(filled, "sync/"), {"from": "https://evil.example/"})

        assert answer.headers["Location"] == "/connections/"


class TestDetail:
    def test_shows_runs_and_restatements(self, viewer, visit, simulator, filled, run_due):
        day = database_now().date() - dt.timedelta(days=3)
        simulator.world("acorn-studio", "restate_day", day=day.isoformat(), factor="1.5")
        lifecycle.force_sync(filled, None, actor="alice")
        run_due()
        simulator.world("acorn-studio", "restore_day", day=day.isoformat())

        text = visit(viewer).get(at(filled)).text

        assert "First backfill" in text
        assert "Force sync" in text
        assert "<strong>restated</strong>" in text
        changed = Restatement.objects.get(was_provisional=False)
        assert f"<td>{capability_words(changed.source)}</td>" in text
        assert figures_in(text).count(usd_text(changed.after_usd - changed.before_usd)) == 1
        assert "Admin API" in text
        assert "Requests possible now" in text

    def test_says_what_is_new_in_the_reports(self, viewer, visit, simulator, filled, run_due):
        quiet = visit(viewer).get(at(filled)).text
        simulator.fault("new_field", value="<standard>", times=-1)
        lifecycle.force_sync(filled, None, actor="alice")
        run_due()
        simulator.clear_faults()

        text = visit(viewer).get(at(filled)).text

        assert "New in Anthropic's reports" not in quiet
        assert "New in Anthropic's reports" in text
        assert (
            '<td><code>new_dimension</code></td><td><span class="under wrap"><code>&lt;standard&gt;</code>'
            in text
        )

    def test_says_that_a_run_waits_for_a_person(self, viewer, admin, visit, simulator, filled, run_due):
        simulator.fault("revoked", times=-1)
        lifecycle.force_sync(filled, None, actor="alice")
        run_due()

        runs = visit(viewer).get(at(filled, "runs/")).text

        assert "Waits for you" in runs
        assert "Running" not in runs
        assert f'href="{at(filled, "rotate-key/")}">Rotate the key' in visit(admin).get("/").text
        assert "Rotate the key" not in visit(viewer).get("/").text

    def test_turns_the_pages_of_a_long_history(self, viewer, visit, filled, django_assert_max_num_queries):
        run = SyncRun.objects.get()
        first = dt.date(2020, 1, 1)
        SyncRun.objects.bulk_create(
            SyncRun(
                connection=filled, lane=run.lane, trigger=Trigger.DAILY, from_day=first, priority=20,
                to_day=first + dt.timedelta(days=n), status=SyncRun.Status.SUCCEEDED,
            )
            for n in range(1, 60)
        )  # fmt: skip
        client = visit(viewer)
        with django_assert_max_num_queries(20):
            text = client.get(at(filled, "?runs=2")).text

        assert "Page 2 of 3" in text


class TestEdit:
    def test_changes_label_and_cost_centre(self, admin, visit, filled):
        visit(admin).post(at(filled, "edit/"), {"label": "Studio", "cost_center": "Design"})

        filled.refresh_from_db()
        assert (filled.label, filled.cost_center) == ("Studio", "Design")

    def test_leaves_to_somebody_else_what_was_not_touched(self, admin, visit, filled):
        """The form shows what is stored, remembers what it showed, and is sent back with one field changed."""
        client = visit(admin)
        shown = client.get(at(filled, "edit/")).text
        sent = dict(re.findall(r'<input type="(?:text|hidden)" name="([^"]+)" value="([^"]*)"', shown))
        lifecycle.edit(filled, label="Renamed meanwhile", actor="bob")

        client.post(at(filled, "edit/"), {**sent, "cost_center": "Design"})

        filled.refresh_from_db()
        assert sent["label"] == sent["initial-label"]
        assert (filled.label, filled.cost_center) == ("Renamed meanwhile", "Design")

    def test_refuses_a_label_that_is_taken(self, admin, visit, filled, account, key_of):
        other = lifecycle.connect(account, NewConnection(key_of("birch-logistics")), actor="alice")

        text = visit(admin).post(at(filled, "edit/"), {"label": other.label}).text

        assert "Choose another label" in text


class TestRotate:
    def test_replaces_the_key(self, admin, visit, filled, simulator, key_of):
        old = filled.key_hint
        new = simulator.world("acorn-studio", "new_key", kind="admin")["key"]

        text = visit(admin).post(at(filled, "rotate-key/"), {"api_key": new}, follow=True).text

        filled.refresh_from_db()
        assert "The key was replaced" in text
        assert new not in text
        assert filled.key_hint != old

    def test_refuses_the_key_of_another_organisation(self, admin, visit, filled, key_of):
        other = key_of("birch-logistics")

        text = visit(admin).post(at(filled, "rotate-key/"), {"api_key": other}).text

        assert "belongs to Birch Logistics" in text
        assert other not in text


class TestDisconnect:
    def test_keeps_the_history(self, admin, visit, filled):
        client = visit(admin)

        client.post(at(filled, "disconnect/"), {"history": "keep"})

        assert Connection.objects.get().is_disconnected
        assert "Total cost" in client.get("/").text

    @pytest.mark.parametrize("typed", ["", "acorn", "anthropic – acorn studio"])
    def test_erases_nothing_without_the_label(self, admin, visit, filled, typed):
        text = visit(admin).post(at(filled, "disconnect/"), {"history": "erase", "confirmation": typed}).text

        assert "type the label exactly" in text
        assert not Connection.objects.get().is_disconnected

    def test_erases_with_it(self, admin, visit, filled):
        form = {"history": "erase", "confirmation": filled.label}

        visit(admin).post(at(filled, "disconnect/"), form)

        assert not Connection.objects.exists()

    def test_needs_a_choice(self, admin, visit, filled):
        assert "Choose what happens" in visit(admin).post(at(filled, "disconnect/"), {}).text
