"""Asking again costs little: 304 while nothing changed, and never when something has."""

from __future__ import annotations

import gzip

import pytest

from tests.api.conftest import DAY, record, store, stored_connection, utc
from tests.api.test_costs import FIRST, OCTOBER, named

READINGS = [
    "connections/",
    "connections/{connection}/",
    "connections/{connection}/completeness/",
    "costs/?from=2026-10-01&to=2026-11-01",
    "costs/summary/?from=2026-10-01&to=2026-11-01",
    "usage/summary/?from=2026-10-01&to=2026-11-01",
    "restatements/",
    "workspaces/",
    "models/",
]


@pytest.fixture
def connection(account):
    found = stored_connection(account, backfill_days=60)
    store(found, record(FIRST, "1", workspace_id="wrkspc_1"))
    return found


def again(caller, path: str, tag: str):
    return caller("GET", path, headers={"If-None-Match": tag})


class TestReading:
    @pytest.mark.parametrize("path", READINGS)
    def test_again_is_304_without_a_body(self, viewer, connection, path):
        address = path.format(connection=connection.pk)
        first = viewer.get(address)

        second = again(viewer, address, first["ETag"])

        assert first["ETag"].startswith('W/"')
        assert (first["Cache-Control"], second.status_code, second.content) == (
            "private, no-cache", 304, b"",
        )  # fmt: skip
        assert second["ETag"] == first["ETag"]
        assert second["Cache-Control"] == first["Cache-Control"]
        assert "Authorization" in second["Vary"]
        assert second["RateLimit"].startswith('"token";r=')

    def test_one_of_several_tags_will_do(self, viewer, connection):
        tag = viewer.get("connections/")["ETag"]

        assert again(viewer, "connections/", f'"x", {tag}').status_code == 304
        assert again(viewer, "connections/", tag.removeprefix("W/")).status_code == 304
        assert again(viewer, "connections/", "*").status_code == 304

    @pytest.mark.parametrize("tag", ['W/"x"', "", "x", "W/", '"'])
    def test_with_another_tag_is_answered(self, viewer, connection, tag):
        assert again(viewer, "connections/", tag).json()["results"]

    def test_of_a_compressed_answer_has_the_same_tag(self, viewer, connection):
        plain = viewer.get("costs/summary/", **OCTOBER, group_by="model", granularity="day")
        packed = viewer("GET", "costs/summary/", headers={"Accept-Encoding": "gzip"}, **OCTOBER, group_by="model",
                        granularity="day")  # fmt: skip

        assert gzip.decompress(packed.content) == plain.content
        assert packed["ETag"] == plain["ETag"]


class TestChange:
    """Everything that an answer shows gives it another tag, however little it touches."""

    def test_of_an_amount(self, viewer, connection):
        tag = viewer.get("costs/", **OCTOBER)["ETag"]
        store(connection, record(FIRST, "1.000000000001", workspace_id="wrkspc_1"), as_of=utc("2027-01-01"))

        assert again(viewer, "costs/?from=2026-10-01&to=2026-11-01", tag).status_code == 200

    def test_of_a_name(self, viewer, connection):
        tag = viewer.get("costs/", **OCTOBER)["ETag"]
        named(connection, "wrkspc_1", "Renamed")

        assert again(viewer, "costs/?from=2026-10-01&to=2026-11-01", tag).status_code == 200

    def test_of_the_state_of_a_day(self, viewer, connection):
        """The rows stay as they are; that they were read again makes their day final."""
        next_day = record(FIRST + DAY, "1")
        store(connection, next_day, as_of=utc("2026-10-03"))
        tag = viewer.get("costs/", **OCTOBER)["ETag"]
        store(connection, next_day, as_of=utc("2026-12-24"))

        changed = again(viewer, "costs/?from=2026-10-01&to=2026-11-01", tag).json()["results"]

        assert changed[1]["state"] == "settled"

    def test_of_the_token_is_no_way_to_another_account(self, viewer, charlie, connection):
        tag = viewer.get("connections/")["ETag"]

        assert again(charlie, "connections/", tag).json()["results"] == []


class TestNeverKept:
    def test_are_problems_and_whatever_changes_something(self, admin, nobody, connection):
        paused = admin.post(f"connections/{connection.pk}/pause/")

        assert paused.status_code == 200
        assert paused["Cache-Control"] == nobody.get("connections/")["Cache-Control"] == "no-store"
        assert "ETag" not in paused
