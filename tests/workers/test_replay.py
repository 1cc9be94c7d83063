from __future__ import annotations

import datetime as dt
import json
import zlib
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db import models
from django.db.models import F

from costs.models import CostFact, DayDigest, Restatement, SupersededCost
from workers import lifecycle, replay, retention
from workers.clock import database_now
from workers.models import Page, SyncStep
from workers.replay import ReplayError

pytestmark = pytest.mark.django_db(transaction=True)


def schemas() -> list[str]:
    with database.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'replay%'")
        return [name for (name,) in cursor.fetchall()]


def sync(connection, run_due, days=None) -> None:
    lifecycle.force_sync(connection, days, actor="alice")
    run_due()


def days_ago(days: int) -> dt.date:
    return database_now().date() - dt.timedelta(days=days)


@pytest.fixture
def synced(connect, run_due):
    connection = connect()
    run_due()
    return connection


@pytest.fixture
def restated(synced, run_due, simulator):
    """A connection with a day whose amounts changed and a day with a row that vanished; the world as it was after."""
    for day, action in ((days_ago(3), {"action": "restate_day", "factor": "1.25"}),
                        (days_ago(2), {"action": "vanish_row", "index": 0})):  # fmt: skip
        simulator.world("acorn-studio", day=str(day), **action)
    sync(synced, run_due)
    yield synced
    for day in (days_ago(3), days_ago(2)):
        simulator.world("acorn-studio", "restore_day", day=str(day))


class TestEqual:
    def test_after_a_backfill(self, synced):
        result = replay.replay(synced)

        assert result.is_equal
        assert result.windows == 12
        assert result.totals["facts"].replayed.rows == CostFact.objects.count() > 0
        assert result.totals["digests"].replayed.rows == DayDigest.objects.count() == 366

    def test_has_the_exact_sum_of_each_day(self, synced, simulator):
        truth = simulator.truth("acorn-studio", days_ago(30), days_ago(1))

        facts = replay.replay(synced).days["facts"]

        found = {day: pair.replayed.amount_usd for day, pair in facts.items() if day in truth.days}
        assert found == {day: amount for day, amount in truth.days.items() if day in found}
        assert found

    def test_after_restated_amounts_and_a_vanished_row(self, restated):
        result = replay.replay(restated)

        assert result.is_equal
        assert result.totals["superseded"].replayed.rows == SupersededCost.objects.count() > 1
        assert {days_ago(3), days_ago(2)} <= set(result.days["restatements"])

    def test_when_a_day_went_back_to_what_it_was(self, synced, run_due, simulator):
        day = str(days_ago(3))
        simulator.world("acorn-studio", "restate_day", day=day, factor="2")
        sync(synced, run_due)
        simulator.world("acorn-studio", "restore_day", day=day)
        sync(synced, run_due)

        result = replay.replay(synced)

        assert result.is_equal
        assert result.totals["restatements"].replayed.rows == Restatement.objects.count() >= 2

    def test_after_an_upgrade(self, synced):
        """Days that the release before has digested, and that no sync has looked at since."""
        DayDigest.objects.update(version=1, first_stored_at=None)

        assert replay.replay(synced).is_equal

    def test_after_a_force_sync_that_changed_nothing(self, synced, run_due):
        sync(synced, run_due)
        sync(synced, run_due)

        assert replay.replay(synced).is_equal

    def test_after_a_window_that_was_asked_for_again_from_page_one(
        self, connect, simulator, run_due, make_due
    ):
        connection = connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report", times=2)
        run_due()
        make_due()
        run_due()

        result = replay.replay(connection)

        assert SyncStep.objects.filter(attempt__gt=1, status=SyncStep.Status.DONE).exists()
        assert result.is_equal

    def test_in_the_middle_of_a_backfill(self, connect, simulator, run_due):
        connection = connect()
        simulator.fault("server_error", path="/v1/organizations/cost_report", after=4)
        run_due()

        result = replay.replay(connection)

        assert result.is_equal
        assert result.windows == 4

    def test_before_anything_was_fetched(self, connect):
        result = replay.replay(connect())

        assert result.is_equal
        assert result.windows == 0

    def test_of_one_connection_beside_another(self, synced, connect, run_due):
        other = connect("org-00005")
        run_due()

        assert replay.replay(other).is_equal
        assert replay.replay(synced).is_equal

    def test_whatever_is_stored_meanwhile(self, synced, monkeypatch):
        original = replay._create_scratch

        def write_meanwhile(schema: str) -> None:
            original(schema)
            other = database.copy()
            with other.cursor() as cursor:
                cursor.execute("UPDATE costs_costfact SET amount_usd = amount_usd + 1")
            other.close()

        monkeypatch.setattr(replay, "_create_scratch", write_meanwhile)

        assert replay.replay(synced).is_equal
        assert not replay.replay(synced).is_equal

    def test_even_if_the_clock_was_set_back_between_windows(self, restated):
        # The order is that of the pages' numbers: times may repeat or run backwards.
        hours = dt.timedelta(hours=2)
        late = SyncStep.objects.filter(run__trigger="force")
        late.update(finished_at=F("finished_at") - hours)
        for model in (CostFact, Restatement):
            model.objects.filter(observed_at__gte=late.first().finished_at + hours).update(
                observed_at=F("observed_at") - hours
            )
        SupersededCost.objects.update(superseded_at=F("superseded_at") - hours)
        DayDigest.objects.filter(revised_at__isnull=False).update(revised_at=F("revised_at") - hours)

        assert replay.replay(restated).is_equal


class TestTampered:
    def test_finds_and_names_a_changed_amount(self, synced):
        fact = CostFact.objects.filter(day=days_ago(5)).first()
        CostFact.objects.filter(pk=fact.pk).update(amount_usd=F("amount_usd") + Decimal("0.0000000001"))

        result = replay.replay(synced)

        (found,) = result.differences
        assert (found.table, found.day) == ("facts", days_ago(5))
        assert found.pair.stored.amount_usd - found.pair.replayed.amount_usd == Decimal("0.0000000001")
        assert [(row.side, row.amount_usd, row.name) for row in found.rows] == [
            ("stored", fact.amount_usd + Decimal("0.0000000001"), fact.description),
            ("replayed", fact.amount_usd, fact.description),
        ]
        assert {row.row_key for row in found.rows} == {bytes(fact.row_key).hex()}

    @pytest.mark.parametrize("column", ["workspace_id", "model", "origin", "description"])
    def test_finds_a_changed_column(self, synced, column):
        fact = CostFact.objects.filter(day=days_ago(5)).first()
        CostFact.objects.filter(pk=fact.pk).update(**{column: "another"})

        assert [each.day for each in replay.replay(synced).differences] == [days_ago(5)]

    def test_finds_a_deleted_row(self, synced):
        fact = CostFact.objects.filter(day=days_ago(5)).first()
        fact.delete()

        (found,) = replay.replay(synced).differences

        assert [row.side for row in found.rows] == ["replayed"]

    def test_finds_a_row_on_a_day_that_was_never_fetched(self, synced):
        fact = CostFact.objects.filter(day=days_ago(5)).first()
        fact.pk, fact.day = None, days_ago(800)
        fact.save()

        (found,) = replay.replay(synced).differences

        assert (found.day, found.pair.replayed.rows) == (days_ago(800), 0)

    @pytest.mark.parametrize(
        ("model", "table", "column"),
        [
            (SupersededCost, "superseded", "amount_usd"),
            (DayDigest, "digests", "amount_usd"),
            (Restatement, "restatements", "before_usd"),
        ],
    )
    def test_finds_a_changed_row_of_the_history(self, restated, model: type[models.Model], table, column):
        row = model.objects.first()
        model.objects.filter(pk=row.pk).update(**{column: F(column) + 1})

        (found,) = replay.replay(restated).differences

        assert (found.table, found.day) == (table, row.day)

    def test_changes_nothing_stored(self, synced):
        CostFact.objects.filter(day=days_ago(5)).update(amount_usd=1)
        before = stored_versions()

        replay.replay(synced)

        assert stored_versions() == before


def stored_versions() -> list[tuple[object, ...]]:
    """Every stored row with the transaction that wrote it: equal means that no row was touched."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT id, xmin::text, ctid::text FROM costs_costfact "
            "UNION ALL SELECT id, xmin::text, ctid::text FROM costs_daydigest ORDER BY 1, 2, 3"
        )
        return cursor.fetchall()


class TestDamagedArchive:
    def newest(self) -> Page:
        return Page.objects.filter(step__report_name="cost_report", step__window_end=days_ago(-1)).get()

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (
                lambda body: zlib.compress(zlib.decompress(body).replace(b"1", b"2")),
                "differs from what was stored",
            ),
            (lambda body: body[:-20], "cannot be unpacked"),
            (lambda body: body[:0], "cannot be unpacked"),
        ],
    )
    def test_is_found(self, synced, damage, words):
        page = self.newest()
        Page.objects.filter(pk=page.pk).update(body=damage(bytes(page.body)))

        with pytest.raises(ReplayError, match=words):
            replay.replay(synced)

    def test_says_from_which_day_on_a_replay_is_possible(self, synced):
        oldest = Page.objects.filter(step__report_name="cost_report").order_by("-pk").first()
        Page.objects.filter(pk=oldest.pk).update(body=b"")

        with pytest.raises(ReplayError) as caught:
            replay.replay(synced)

        assert caught.value.possible_from == oldest.step.window_end
        assert replay.replay(synced, since=oldest.step.window_end).is_equal

    def test_names_a_missing_page(self, synced):
        self.newest().delete()

        with pytest.raises(ReplayError, match=r"no longer in the archive") as caught:
            replay.replay(synced)

        assert caught.value.possible_from == days_ago(-1)

    def test_is_possible_for_the_days_after_what_was_pruned(self, restated, settings):
        settings.PAGE_ARCHIVE_DAYS = 30
        backfill = SyncStep.objects.filter(run__trigger="connect")
        backfill.filter(window_end__lt=days_ago(60)).update(
            finished_at=database_now() - dt.timedelta(days=90)
        )
        assert retention.prune(database_now()) == 0  # the pages are younger than their steps claim
        Page.objects.filter(step__window_end__lt=days_ago(60)).update(
            requested_at=database_now() - dt.timedelta(days=90)
        )
        assert retention.prune(database_now()) > 0

        with pytest.raises(ReplayError) as caught:
            replay.replay(restated)

        assert caught.value.possible_from < days_ago(60)
        result = replay.replay(restated, since=caught.value.possible_from)
        assert result.is_equal
        assert min(result.days["facts"]) >= caught.value.possible_from


class TestScratchSchema:
    def test_is_gone_afterwards(self, synced):
        replay.replay(synced)

        assert schemas() == []

    def test_is_gone_after_an_error(self, synced):
        Page.objects.update(body=b"")

        with pytest.raises(ReplayError):
            replay.replay(synced)

        assert schemas() == []

    def test_is_gone_after_an_interruption(self, synced, monkeypatch):
        def interrupt(*_: object) -> None:
            assert schemas() != []
            raise KeyboardInterrupt

        monkeypatch.setattr(replay, "_read", interrupt)

        with pytest.raises(KeyboardInterrupt):
            replay.replay(synced)

        assert schemas() == []

    def test_stays_when_asked_to(self, synced):
        schema = replay.replay(synced, keep=True).schema

        with database.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {schema}.costs_costfact")  # noqa: S608
            (rows,) = cursor.fetchone()
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
        assert rows == CostFact.objects.count()

    def test_leaves_the_search_path_as_it_was(self, synced):
        replay.replay(synced)

        with database.cursor() as cursor:
            cursor.execute("SHOW search_path")
            assert "replay" not in cursor.fetchone()[0]


class TestCommand:
    def test_says_equal(self, synced, capsys):
        call_command("replay", connection=synced.label)

        out = capsys.readouterr().out
        assert "12 windows, 366 days" in out
        assert out.endswith("Equal: the stored facts are what the archived pages say.\n")

    def test_shows_a_differing_day_with_both_sums_and_ends_with_status_1(self, synced, capsys):
        CostFact.objects.filter(day=days_ago(5)).update(amount_usd=F("amount_usd") + 1)

        with pytest.raises(CommandError, match="not what the archived pages say") as caught:
            call_command("replay", connection=str(synced.pk))

        out = capsys.readouterr().out
        assert caught.value.returncode == 1
        assert f"{days_ago(5)} facts:\n  stored   " in out
        assert "only stored" in out

    def test_prints_json(self, synced, capsys):
        call_command("replay", connection=str(synced.pk), json=True)

        found = json.loads(capsys.readouterr().out)
        assert found["equal"] is True
        assert found["totals"]["facts"]["stored"] == found["totals"]["facts"]["replayed"]
        assert len(found["days"]) > 300

    def test_prints_differences_as_json(self, synced, capsys):
        CostFact.objects.filter(day=days_ago(5)).first().delete()

        with pytest.raises(CommandError):
            call_command("replay", connection=str(synced.pk), json=True)

        (found,) = json.loads(capsys.readouterr().out)["differences"]
        assert found["day"] == str(days_ago(5))
        assert found["rows"][0]["side"] == "replayed"

    def test_says_what_to_do_when_pages_are_missing(self, synced, capsys):
        Page.objects.filter(step__window_end__lt=days_ago(100)).delete()
        first = (
            SyncStep.objects.filter(report_name="cost_report", window_end__lt=days_ago(100))
            .first()
            .window_end
        )

        with pytest.raises(CommandError, match=f"--from {first}"):
            call_command("replay", connection=str(synced.pk), json=True)

        assert json.loads(capsys.readouterr().out)["possible_from"] == str(first)
        call_command("replay", connection=str(synced.pk), start=str(first))

    @pytest.mark.parametrize(
        ("options", "words"),
        [({"connection": "nobody"}, "names 0 connections"), ({"start": "yesterday"}, "YYYY-MM-DD")],
    )
    def test_refuses_what_it_does_not_understand(self, synced, options, words):
        with pytest.raises(CommandError, match=words):
            call_command("replay", **{"connection": str(synced.pk), **options})
