from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from costs.models import CostFact, Resource, ResourceName
from tests.api.conftest import DAY, SIGN_IN_QUERIES, pointers, problem, record, store, stored_connection, utc

FIELDS = (
    "day", "connection", "origin", "source", "workspace_id", "workspace_name", "api_key_id", "api_key_name",
    "actor_type", "actor_id", "actor_name", "product", "model", "token_type", "cost_type", "service_tier",
    "context_window", "inference_geo", "speed", "description", "attribution", "cost_center", "amount_usd", "list_amount_usd",
    "state", "observed_at", "extra",
)  # fmt: skip
FIRST = dt.date(2026, 10, 1)
OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}


@pytest.fixture
def connection(account):
    return stored_connection(account, cost_center="R&D")


@pytest.fixture
def two_models(connection):
    """Three days, two models, one row without a model and without a workspace."""
    store(
        connection,
        record(FIRST, "1.10", model="opus", workspace_id="wrkspc_1", description="a"),
        record(FIRST, "0.000000000123", model="sonnet", workspace_id="wrkspc_1", description="b"),
        record(FIRST + DAY, "2.5", model="opus", workspace_id="wrkspc_2", description="c"),
        record(FIRST + 2 * DAY, "-0.30", description="credit"),
    )
    return connection


def named(connection, resource_id: str, *names: str, is_default: bool = False) -> Resource:
    resource = Resource.objects.create(
        connection=connection, kind="workspace", resource_id=resource_id, is_default=is_default
    )
    moments = [utc(f"2026-10-{day:02d}") for day in range(1, len(names) + 1)]
    for name, start, end in zip(names, moments, [*moments[1:], None], strict=True):
        ResourceName.objects.create(resource=resource, name=name, valid_from=start, valid_to=end)
    return resource


class TestRows:
    def test_show_every_field_exactly(self, viewer, two_models):
        named(two_models, "wrkspc_1", "Lab", "Research")

        rows = viewer.get("costs/", **OCTOBER).json()["results"]

        assert [row["amount_usd"] for row in rows] == ["1.10", "0.000000000123", "2.50", "-0.30"]
        assert tuple(rows[0]) == FIELDS
        assert rows[0] == {
            **dict.fromkeys(FIELDS),
            "day": "2026-10-01",
            "connection": str(two_models.pk),
            "origin": "claude_platform",
            "source": "cost_report",
            "workspace_id": "wrkspc_1",
            "workspace_name": "Research",
            "model": "opus",
            "description": "a",
            "cost_center": "R&D",
            "amount_usd": "1.10",
            "state": "settled",
            "observed_at": "2026-12-02T00:00:00Z",
            "extra": {},
        }

    def test_take_the_first_day_and_leave_the_last(self, viewer, two_models):
        rows = viewer.get("costs/", **{"from": "2026-10-02", "to": "2026-10-03"}).json()["results"]

        assert [row["day"] for row in rows] == ["2026-10-02"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"model": "opus"}, ["a", "c"]),
            ({"model": ["opus", "sonnet"]}, ["a", "b", "c"]),
            ({"model": "null"}, ["credit"]),
            ({"model": ["null", "sonnet"]}, ["b", "credit"]),
            ({"model": "opus", "workspace_id": "wrkspc_2"}, ["c"]),
            ({"cost_center": "R&D", "description": "b"}, ["b"]),
            ({"cost_center": "null"}, []),
            ({"origin": "claude_ai"}, []),
            ({"connection": str(uuid.UUID(int=7))}, []),
        ],
    )
    def test_filter(self, viewer, two_models, query, found):
        rows = viewer.get("costs/", **OCTOBER, **query).json()["results"]

        assert [row["description"] for row in rows] == found

    def test_select_connections_without_a_cost_centre(self, viewer, two_models, account):
        other = stored_connection(account, 2)
        store(other, record(FIRST, "9", description="z"))

        rows = viewer.get("costs/", **OCTOBER, cost_center="null").json()["results"]

        assert [(row["description"], row["cost_center"]) for row in rows] == [("z", None)]

    def test_count_their_queries(self, viewer, two_models, django_assert_max_num_queries):
        # How many rows each day has, the rows, three kinds of names, the default workspaces, the states of the days.
        with django_assert_max_num_queries(SIGN_IN_QUERIES + 7):
            viewer.get("costs/", **OCTOBER)

    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            ({}, ["/from", "/to"]),
            ({"from": "2026-10-01"}, ["/to"]),
            ({"from": "yesterday", "to": "2026-10-01"}, ["/from"]),
            ({"from": "2026-10-01T00:00:00Z", "to": "2026-10-02"}, ["/from"]),
            ({"from": "2026-02-30", "to": "2026-10-02"}, ["/from"]),
            ({"from": "0001-01-01", "to": "2026-10-02"}, ["/from"]),
            ({"from": "2026-10-02", "to": "2026-10-02"}, ["/to"]),
            ({"from": "2024-01-01", "to": "2026-01-02"}, ["/to"]),
            ({**OCTOBER, "modell": "opus"}, ["/modell"]),
            ({**OCTOBER, "model": ""}, ["/model"]),
            ({**OCTOBER, "model": "a\0b"}, ["/model"]),
            ({**OCTOBER, "connection": "mine"}, ["/connection"]),
            ({**OCTOBER, "connection": "null"}, ["/connection"]),
            ({**OCTOBER, "page_size": "0"}, ["/page_size"]),
            ({**OCTOBER, "page_size": "1001"}, ["/page_size"]),
            ({**OCTOBER, "page_size": ["1", "2"]}, ["/page_size"]),
            ({**OCTOBER, "cursor": "x"}, ["/cursor"]),
            ({"from": ["2026-10-01", "2026-10-02"], "to": "2026-10-03"}, ["/from"]),
        ],
    )
    def test_refuse_what_they_do_not_understand(self, viewer, query, wrong):
        assert pointers(problem(viewer.get("costs/", **query), 400)) == wrong

    def test_accept_a_full_two_years(self, viewer):
        assert viewer.get("costs/", **{"from": "2024-11-01", "to": "2026-11-02"}).status_code == 200


class TestPaging:
    @pytest.fixture
    def many(self, connection):
        store(connection, *(record(FIRST, str(n), description=f"{n:02d}") for n in range(25)))
        return connection

    def follow(self, viewer, answer, link):
        page = answer.json()
        return viewer.client.get(page[link], headers={"Authorization": f"Bearer {viewer.token}"})

    def test_visits_every_row_once_although_all_are_of_one_day(self, viewer, many):
        answer = viewer.get("costs/", **OCTOBER, page_size=10)
        seen = [answer.json()["results"]]
        for _ in range(2):
            answer = self.follow(viewer, answer, "next")
            seen.append(answer.json()["results"])

        assert [len(page) for page in seen] == [10, 10, 5]
        assert len({row["description"] for page in seen for row in page}) == 25
        assert answer.json()["next"] is None

    def test_goes_back_the_same_way(self, viewer, many):
        first = viewer.get("costs/", **OCTOBER, page_size=10)
        second = self.follow(viewer, first, "next")

        back = self.follow(viewer, second, "previous").json()

        assert back["results"] == first.json()["results"]
        assert (back["previous"], first.json()["previous"]) == (None, None)
        assert back["next"] is not None

    def test_neither_repeats_nor_skips_when_rows_come_in_between(self, viewer, many):
        first = viewer.get("costs/", **OCTOBER, page_size=10)
        store(many, record(FIRST - DAY, "1", description="before"))
        CostFact.objects.get(description="00").delete()

        second = self.follow(viewer, first, "next").json()

        assert [row["description"] for row in second["results"]] == [f"{n:02d}" for n in range(10, 20)]

    def test_keeps_the_filters_in_its_links(self, viewer, many):
        answer = viewer.get("costs/", **OCTOBER, page_size=1, description=["03", "07"])

        second = self.follow(viewer, answer, "next").json()

        assert [row["description"] for row in second["results"]] == ["07"]

    @pytest.mark.parametrize(
        "cursor",
        [
            "WzAsIjIwMjYiLCIxIl0",  # [0,"2026","1"]
            "WzAsIjIwMjYtMTAtMDEiXQ",  # [0,"2026-10-01"]
            "WzcsIjIwMjYtMTAtMDEiLCIxIl0",  # [7,"2026-10-01","1"]
            "WzAsIjIwMjYtMTAtMDEiLCI5OTk5OTk5OTk5OTk5OTk5OTk5OTkiXQ",  # an id beyond 64 bits
            "bnVsbA",  # null
            "e30",  # {}
            "é",
        ],
    )
    def test_refuses_cursors_it_did_not_make(self, viewer, cursor):
        document = problem(viewer.get("costs/", **OCTOBER, cursor=cursor), 400)

        assert document["code"] == "bad_cursor"


class TestSummary:
    def test_sums_exactly(self, viewer, two_models):
        summary = viewer.get("costs/summary/", **OCTOBER).json()

        assert tuple(summary) == (
            "from", "to", "granularity", "group_by", "currency", "total_usd", "previous_total_usd",
            "complete_through", "state", "missing", "previous_days", "previous_state", "sources", "not_reported", "as_of", "rows",
        )  # fmt: skip
        assert summary["total_usd"] == "3.300000000123"
        assert summary["rows"] == [
            {"bucket": None, "group": {}, "amount_usd": "3.300000000123", "previous_usd": None}
        ]
        assert (summary["from"], summary["to"], summary["currency"]) == ("2026-10-01", "2026-11-01", "USD")

    @pytest.mark.parametrize("granularity", ["total", "day", "week", "month"])
    @pytest.mark.parametrize("group_by", [[], ["model"], ["model", "workspace_id", "connection"]])
    def test_has_rows_that_add_up(self, viewer, two_models, granularity, group_by):
        summary = viewer.get("costs/summary/", **OCTOBER, granularity=granularity, group_by=group_by).json()

        assert sum(Decimal(row["amount_usd"]) for row in summary["rows"]) == Decimal("3.300000000123")

    def test_names_what_it_groups_by(self, viewer, two_models):
        named(two_models, "wrkspc_0", "Main", is_default=True)
        named(two_models, "wrkspc_2", "Lab", "Research")

        rows = viewer.get("costs/summary/", **OCTOBER, group_by=["workspace_id", "connection"]).json()["rows"]

        pk = str(two_models.pk)
        assert [row["group"] for row in rows] == [
            {"workspace_id": "wrkspc_2", "workspace_name": "Research", "connection": pk,
             "connection_label": "Connection 1"},
            {"workspace_id": "wrkspc_1", "workspace_name": None, "connection": pk,
             "connection_label": "Connection 1"},
            {"workspace_id": None, "workspace_name": "Main", "connection": pk,
             "connection_label": "Connection 1"},
        ]  # fmt: skip

    def test_shows_a_connection_without_cost_centre_as_null(self, viewer, account):
        store(stored_connection(account), record(FIRST, "1"))

        rows = viewer.get("costs/summary/", **OCTOBER, group_by="cost_center").json()["rows"]

        assert rows[0]["group"] == {"cost_center": None}

    def test_compares_with_the_range_before(self, viewer, connection):
        # A range is compared only with days that the connection should have.
        type(connection).objects.update(wanted_from=FIRST - DAY)
        store(connection, record(FIRST - DAY, "4", model="old"), record(FIRST, "1", model="new"))

        summary = viewer.get(
            "costs/summary/",
            **{"from": "2026-10-01", "to": "2026-10-02"},
            compare="previous",
            group_by="model",
        ).json()

        assert (summary["total_usd"], summary["previous_total_usd"]) == ("1.00", "4.00")
        assert [
            (row["group"]["model"], row["amount_usd"], row["previous_usd"]) for row in summary["rows"]
        ] == [
            ("new", "1.00", "0.00"),
            ("old", "0.00", "4.00"),
        ]

    def test_buckets_by_week_from_monday(self, viewer, two_models):
        rows = viewer.get("costs/summary/", **OCTOBER, granularity="week").json()["rows"]

        assert [row["bucket"] for row in rows] == ["2026-09-28"]

    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            ({"group_by": "colour"}, ["/group_by"]),
            ({"group_by": ["model", "model"]}, ["/group_by"]),
            ({"group_by": ["model", "origin", "source", "product"]}, ["/group_by"]),
            ({"granularity": "hour"}, ["/granularity"]),
            ({"compare": "next"}, ["/compare"]),
            ({"names": "old"}, ["/names"]),
            ({"page_size": "5"}, ["/page_size"]),
        ],
    )
    def test_refuses_what_it_does_not_understand(self, viewer, query, wrong):
        assert pointers(problem(viewer.get("costs/summary/", **OCTOBER, **query), 400)) == wrong

    def test_counts_its_queries(self, viewer, two_models, django_assert_max_num_queries):
        with django_assert_max_num_queries(SIGN_IN_QUERIES + 11):
            viewer.get(
                "costs/summary/", **OCTOBER, group_by=["workspace_id", "connection"], compare="previous"
            )


class TestState:
    """The days of a connection made on 5 October with 4 days of history: its history begins on the 1st."""

    DAYS = {"from": "2026-10-01", "to": "2026-10-04"}
    ALL = [FIRST, FIRST + DAY, FIRST + 2 * DAY]

    @pytest.fixture
    def connection(self, account):
        return stored_connection(account, backfill_days=4, wanted_from=FIRST)

    def summary(self, viewer, **query):
        return viewer.get("costs/summary/", **{**self.DAYS, **query}).json()

    def test_is_missing_while_a_day_is(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=[FIRST, FIRST + 2 * DAY])

        summary = self.summary(viewer)

        assert (summary["state"], summary["complete_through"]) == ("missing", "2026-10-01")

    def test_is_settled_when_every_day_is(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=self.ALL)

        summary = self.summary(viewer)

        assert (summary["state"], summary["complete_through"]) == ("settled", "2026-10-03")

    def test_is_provisional_inside_the_restatement_window(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=self.ALL, as_of=utc("2026-10-09T23:00"))

        assert self.summary(viewer)["state"] == "provisional"

    def test_is_revised_once_a_settled_day_changed(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=self.ALL)
        store(connection, record(FIRST, "2"), as_of=utc("2027-01-01"))

        assert self.summary(viewer)["state"] == "revised"

    def test_is_missing_before_the_history(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=self.ALL)

        assert self.summary(viewer, **{"from": "2026-09-01"})["state"] == "missing"

    def test_is_of_the_chosen_connections(self, viewer, connection, account):
        store(connection, record(FIRST, "1"), days=self.ALL)
        other = stored_connection(account, 2, backfill_days=400)

        assert self.summary(viewer)["state"] == "missing"
        assert self.summary(viewer, connection=str(connection.pk))["state"] == "settled"
        assert self.summary(viewer, connection=str(other.pk))["state"] == "missing"

    def test_of_an_empty_account_is_missing(self, viewer):
        assert self.summary(viewer)["state"] == "missing"


class TestCompleteness:
    def test_names_each_day_of_each_report(self, viewer, account):
        connection = stored_connection(account)
        store(connection, record(FIRST, "1"), days=[FIRST, FIRST + DAY])

        shown = viewer.get(
            f"connections/{connection.pk}/completeness/", **{"from": "2026-10-01", "to": "2026-10-04"}
        ).json()

        assert shown == {
            "connection": str(connection.pk),
            "from": "2026-10-01",
            "to": "2026-10-04",
            "safe_through": "2026-10-02",
            "missing": [{"from": "2026-10-03", "to": "2026-10-04", "reason": "outside_plan"}],
            "reports": [
                {
                    "report": "cost_report",
                    "days": [
                        {"day": "2026-10-01", "state": "settled", "observed_at": "2026-12-01T00:00:00Z"},
                        {"day": "2026-10-02", "state": "settled", "observed_at": "2026-12-01T00:00:00Z"},
                        {"day": "2026-10-03", "state": "missing", "observed_at": None},
                    ],
                }
            ],
        }

    def test_is_safe_up_to_what_may_still_change(self, viewer, account):
        connection = stored_connection(account)
        store(connection, record(FIRST, "1"))
        store(connection, record(FIRST + DAY, "1"), as_of=utc("2026-10-03T06:00"))

        shown = viewer.get(
            f"connections/{connection.pk}/completeness/", **{"from": "2026-10-01", "to": "2026-10-03"}
        ).json()

        assert [day["state"] for day in shown["reports"][0]["days"]] == ["settled", "provisional"]
        assert shown["safe_through"] == "2026-10-01"

    def test_covers_the_whole_history_by_default(self, viewer, connected, run_due):
        run_due()

        shown = viewer.get(f"connections/{connected.pk}/completeness/").json()

        states = [day["state"] for day in shown["reports"][0]["days"]]
        assert len(states) == 366
        assert set(states) == {"settled", "provisional"}

    def test_counts_its_queries(self, viewer, account, django_assert_max_num_queries):
        connection = stored_connection(account)

        with django_assert_max_num_queries(SIGN_IN_QUERIES + 5):
            viewer.get(f"connections/{connection.pk}/completeness/")


class TestRestatements:
    @pytest.fixture
    def restated(self, connection):
        run = uuid.UUID(int=5)
        store(connection, record(FIRST, "1", description="x"), record(FIRST + DAY, "1"))
        store(connection, record(FIRST, "3", description="x"), as_of=utc("2027-01-01"), run=run)
        store(
            connection,
            record(FIRST + DAY, "1"),
            record(FIRST + DAY, "7", description="y"),
            as_of=utc("2027-01-05"),
        )
        return connection

    def test_show_before_and_after(self, viewer, restated):
        rows = viewer.get("restatements/").json()["results"]

        assert [row["day"] for row in rows] == ["2026-10-02", "2026-10-01"]
        assert rows[1] == {
            "connection": str(restated.pk),
            "report": "cost_report",
            "day": "2026-10-01",
            "observed_at": "2027-01-01T00:00:00Z",
            "before_usd": "1.00",
            "after_usd": "3.00",
            "rows_added": 0,
            "rows_changed": 1,
            "rows_removed": 0,
            "run": str(uuid.UUID(int=5)),
        }

    @pytest.mark.parametrize(
        ("query", "days"),
        [
            ({"from": "2026-10-02"}, ["2026-10-02"]),
            ({"to": "2026-10-02"}, ["2026-10-01"]),
            ({"observed_from": "2027-01-02"}, ["2026-10-02"]),
            ({"connection": str(uuid.UUID(int=1))}, []),
        ],
    )
    def test_filter(self, viewer, restated, query, days):
        rows = viewer.get("restatements/", **query).json()["results"]

        assert [row["day"] for row in rows] == days

    def test_page_with_few_queries(self, viewer, restated, django_assert_max_num_queries):
        with django_assert_max_num_queries(SIGN_IN_QUERIES + 1):
            page = viewer.get("restatements/", page_size=1).json()

        assert len(page["results"]) == 1
        assert page["next"].startswith("http://testserver/api/v1/restatements/?")


class TestWorkspaces:
    def test_show_names_over_time_and_days(self, viewer, two_models):
        named(two_models, "wrkspc_1", "Lab", "Research")
        named(two_models, "wrkspc_0", "Main", is_default=True)

        lab, main = viewer.get("workspaces/").json()["results"]

        assert lab == {
            "id": "wrkspc_1",
            "connection": str(two_models.pk),
            "name": "Research",
            "names": [
                {"name": "Lab", "valid_from": "2026-10-01T00:00:00Z", "valid_to": "2026-10-02T00:00:00Z"},
                {"name": "Research", "valid_from": "2026-10-02T00:00:00Z", "valid_to": None},
            ],
            "is_default": False,
            "first_day": "2026-10-01",
            "last_day": "2026-10-01",
            "archived": False,
            "archived_at": None,
            "is_listed": True,
            "attributes": {},
        }
        assert (main["first_day"], main["is_default"]) == ("2026-10-03", True)

    def test_filter_by_connection(self, viewer, two_models):
        named(two_models, "wrkspc_1", "Lab")

        shown = viewer.get("workspaces/", connection=str(uuid.UUID(int=1))).json()

        assert shown["results"] == []

    def test_count_their_queries(self, viewer, two_models, django_assert_max_num_queries):
        for number in range(5):
            named(two_models, f"wrkspc_{number}", "Lab")

        with django_assert_max_num_queries(SIGN_IN_QUERIES + 4):
            viewer.get("workspaces/")


class TestModels:
    @pytest.fixture
    def five(self, account) -> list[str | None]:
        models = [None, "claude-a", "claude-b", "claude-c", "claude-d"]
        store(
            stored_connection(account),
            *(record(FIRST, "1", model=model) for model in models),
            record(FIRST + 4 * DAY, "1", model="claude-d"),
        )
        return models

    def test_are_listed_by_id_with_the_days_they_were_seen_on(self, viewer, five):
        last = viewer.get("models/").json()["results"][-1]

        assert last == {"id": "claude-d", "first_day": "2026-10-01", "last_day": "2026-10-05"}

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
    def test_pages_there_and_back_have_each_once(self, viewer, five, size):
        def follow(link):
            return viewer.client.get(link, headers={"Authorization": f"Bearer {viewer.token}"}).json()

        pages = [viewer.get("models/", page_size=size).json()]
        while pages[-1]["next"]:
            pages.append(follow(pages[-1]["next"]))
        back = [pages[-1]]
        while back[0]["previous"]:
            back.insert(0, follow(back[0]["previous"]))
        there, again = ([model["id"] for page in way for model in page["results"]] for way in (pages, back))

        assert pages[0]["previous"] is None
        assert there == five
        assert again == five

    def test_refuse_a_cursor_that_is_not_theirs(self, viewer, five):
        assert problem(viewer.get("models/", cursor="x"), 400)["errors"][0]["code"] == "bad_cursor"


class TestAgainstTheSimulator:
    def test_sums_to_the_truth_of_every_model(self, viewer, connected, simulator, run_due):
        run_due()
        first, last = dt.date(2026, 9, 1), dt.date(2026, 10, 1)
        truth = simulator.truth(connected.organization_id, first, last, group_by="model")

        summary = viewer.get(
            "costs/summary/", **{"from": str(first), "to": str(last)}, group_by="model"
        ).json()

        assert Decimal(summary["total_usd"]) == truth.total_usd
        assert {row["group"]["model"]: Decimal(row["amount_usd"]) for row in summary["rows"]} == truth.groups
