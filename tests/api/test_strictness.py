from __future__ import annotations

import base64
import json
import re

import pytest
from django.test import Client
from drf_spectacular.drainage import get_override
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.serializers import ValidationError

from foundation.api.fields import Choice, IdField, NumberField, TextField, WholeNumberField
from foundation.api.parameters import DayField, MomentField
from foundation.api.parsing import StrictSerializer
from integrations.api.connections import ConnectionApiView
from tests.api.conftest import DAY, pointers, problem, record, store, stored_connection, utc
from workers import lifecycle

OCTOBER = {"from": "2026-10-01", "to": "2026-10-02"}
STRICT = (Choice, DayField, IdField, MomentField, NumberField, TextField, WholeNumberField)
NOBODY = "0b8a4f1e-6d0b-4f5e-9d3c-2f6f5a1f7c11"


def send(admin, body: bytes, connection, content_type: str = "application/json"):
    return admin.client.generic(
        "PATCH", f"/api/v1/connections/{connection.pk}/", body, content_type=content_type,
        headers={"Authorization": f"Bearer {admin.token}"},
    )  # fmt: skip


def requests_of(kind: type[StrictSerializer]) -> set[type[StrictSerializer]]:
    """It and everything made from it."""
    return {kind}.union(*(requests_of(each) for each in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(requests_of(StrictSerializer), key=lambda kind: kind.__qualname__))
def test_every_value_of_a_request_has_one_type_and_one_spelling(kind):
    """DRF's own fields take a number for its digits, an id in braces, and "yes" for true."""
    fields = [getattr(field, "child", field) for field in kind().fields.values()]

    assert [type(f) for f in fields if not isinstance(f, STRICT)] == []


class TestQueryStrings:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "connections/"),
            ("POST", "connections/test/"),
            ("GET", f"connections/{NOBODY}/"),
            ("PATCH", f"connections/{NOBODY}/"),
            ("POST", f"connections/{NOBODY}/test/"),
            ("POST", f"connections/{NOBODY}/sync/"),
            ("POST", f"connections/{NOBODY}/rotate-key/"),
            ("POST", f"connections/{NOBODY}/pause/"),
            ("POST", f"connections/{NOBODY}/resume/"),
            ("GET", f"runs/{NOBODY}/"),
            ("GET", "connections/"),
            ("GET", "workspaces/"),
            ("GET", "restatements/"),
        ],
    )
    def test_with_anything_unknown_are_refused_everywhere(self, admin, method, path):
        document = problem(admin(method, path, {} if method != "GET" else None, dry_run="1"), 400)

        assert pointers(document) == ["/dry_run"]

    def test_that_are_no_text_are_refused(self, viewer):
        headers = {"Authorization": f"Bearer {viewer.token}"}
        url = "/api/v1/costs/?from=2026-10-01&to=2026-10-02&model=%ff"

        document = problem(viewer.client.get(url, headers=headers), 400)

        assert document["errors"][0]["code"] == "not_utf_8"

    def test_take_only_origins_there_are_and_name_them(self, viewer):
        document = problem(viewer.get("costs/", **OCTOBER, origin="moon"), 400)

        assert pointers(document) == ["/origin"]
        assert '"moon" is not known here. Choose one of: claude_platform, claude_ai.' in document["detail"]
        assert viewer.get("costs/", **OCTOBER, origin="claude_ai").status_code == 200

    @pytest.mark.parametrize("size", ["1_0", "+10", "%2B10", "10.0", "%20", "010", "%EF%BC%91", "1e1"])
    def test_hold_whole_numbers_in_digits(self, viewer, size):
        answer = viewer.client.get(
            f"/api/v1/connections/?page_size={size}", headers={"Authorization": f"Bearer {viewer.token}"}
        )

        assert pointers(problem(answer, 400)) == ["/page_size"]

    @pytest.mark.parametrize(
        "spelling",
        [f"urn:uuid:{NOBODY}", f"{{{NOBODY}}}", NOBODY.replace("-", ""), "1" * 32, f" {NOBODY}", "x"],
    )
    def test_hold_ids_as_answers_have_them(self, viewer, spelling):
        document = problem(viewer.get("workspaces/", connection=spelling), 400)

        assert pointers(document) == ["/connection"]
        assert "Write it as in answers" in document["detail"]
        problem(viewer.get(f"runs/{spelling}/"), 404)
        assert viewer.get("workspaces/", connection=NOBODY.upper()).status_code == 200

    def test_may_not_hold_a_cursor_that_is_nested_without_end(self, viewer):
        cursor = base64.urlsafe_b64encode(b"[" * 4_000).decode().rstrip("=")

        document = problem(viewer.get("costs/", **OCTOBER, cursor=cursor), 400)

        assert document["code"] == "bad_cursor"


class TestBodies:
    @pytest.mark.parametrize("value", [0, 1.5, True, ["x"], {"x": 1}])
    @pytest.mark.parametrize(
        ("path", "body", "name"),
        [
            ("connections/test/", {}, "api_key"),
            ("connections/", {"provider": "anthropic", "api_key": "x"}, "label"),
            ("connections/", {"api_key": "x"}, "provider"),
            ("connections/{}/sync/", {}, "from"),
            ("connections/{}/cost-source/", {}, "cost_source"),
        ],
    )
    def test_with_something_else_for_a_text_are_refused(self, admin, connected, path, body, name, value):
        document = problem(admin.post(path.format(connected.pk), {**body, name: value}), 400)

        assert pointers(document) == [f"/{name}"]

    def test_with_a_member_twice_are_refused(self, admin, connected):
        answer = send(admin, b'{"label": "One", "label": "Two"}', connected)

        assert "'label' is given more than once" in problem(answer, 400)["detail"]

    @pytest.mark.parametrize("charset", ["utf-16", "latin-1", "zlib", "hex", "undefined", "nonsense"])
    def test_in_another_charset_are_refused(self, admin, connected, charset):
        answer = send(
            admin, b'{"label": "One"}', connected, content_type=f"application/json; charset={charset}"
        )

        assert "send UTF-8" in problem(answer, 415)["detail"]

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
    def test_may_name_their_charset(self, admin, connected, charset):
        answer = send(
            admin,
            '{"label": "Größe"}'.encode(),
            connected,
            content_type=f"application/json; charset={charset}",
        )

        assert answer.json()["label"] == "Größe"

    @pytest.mark.parametrize(
        "body", [b'{"label": "\xff"}', b'{"label": NaN}', b"\xef\xbb\xbf{}", b'{"label": "x"']
    )
    def test_that_are_no_json_are_refused(self, admin, connected, body):
        assert problem(send(admin, body, connected), 400)["code"] == "parse_error"

    def test_in_chunks_are_refused_in_words(self, admin):
        sent = admin.client.generic(
            "POST",
            "/api/v1/connections/test/",
            headers={"Authorization": f"Bearer {admin.token}", "Transfer-Encoding": "chunked"},
            CONTENT_TYPE="application/json",
        )

        document = problem(sent, 411)

        assert document["code"] == "length_required"
        assert "Content-Length" in document["detail"]

    def test_of_another_form_are_told_the_right_one(self, admin):
        headers = {"Authorization": f"Bearer {admin.token}"}
        sent = admin.client.post("/api/v1/connections/test/", {"api_key": "x"}, headers=headers)

        assert "Send application/json" in problem(sent, 415)["detail"]


class TestAccept:
    def test_may_name_the_form_of_problems_only(self, viewer):
        sent = viewer("GET", "connections/", headers={"Accept": "application/problem+json"})

        assert sent.status_code == 200
        assert "json" in sent["Content-Type"]

    def test_of_another_form_is_told_ours(self, viewer):
        document = problem(viewer("GET", "connections/", headers={"Accept": "text/csv"}), 406)

        assert "application/json" in document["detail"]


class TestMethods:
    def test_are_listed_without_options(self, admin):
        answer = admin("PUT", "costs/")

        problem(answer, 405)
        assert answer["Allow"] == "GET, HEAD"
        assert admin("OPTIONS", "costs/").status_code == 405

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    @pytest.mark.parametrize(
        "path",
        ["/healthz/live", "/healthz/ready", "/healthz/data", "/metrics", "/api/docs/", "/api/docs/start.js"],
    )
    def test_that_write_are_refused_where_programs_only_read(self, db, method, path):
        answer = getattr(Client(enforce_csrf_checks=True), method)(path)

        assert problem(answer, 405)["code"] == "method_not_allowed"
        assert answer["Allow"] == "GET, HEAD"


class TestComparison:
    """One connection that should have every day from 1 September on."""

    @pytest.fixture
    def connection(self, account):
        return stored_connection(account, wanted_from=utc("2026-09-01").date())

    def summary(self, viewer, first, end):
        return viewer.get("costs/summary/", **{"from": first, "to": end}, compare="previous").json()

    def test_says_how_final_the_days_before_are(self, viewer, connection):
        first = utc("2026-10-01").date()
        store(connection, record(first - DAY, "4"), record(first, "1"))

        found = self.summary(viewer, "2026-10-01", "2026-10-02")

        assert (found["previous_total_usd"], found["previous_state"]) == ("4.00", "settled")
        assert found["rows"][0]["previous_usd"] == "4.00"

    def test_of_a_month_is_with_the_month_before_when_asked(self, viewer, connection):
        """September has a day less than October: as many days would begin in August, which is not stored."""
        first = utc("2026-09-01").date()
        store(connection, *(record(first + n * DAY, "1") for n in range(61)))
        asked = {"from": "2026-10-01", "to": "2026-11-01", "granularity": "month"}

        by_days = viewer.get("costs/summary/", **asked, compare="previous").json()
        by_month = viewer.get("costs/summary/", **asked, compare="previous_month").json()

        assert (by_days["previous_state"], by_days["previous_total_usd"]) == ("missing", None)
        assert by_days["previous_days"] == {"from": "2026-08-31", "to": "2026-10-01"}
        assert by_month["previous_days"] == {"from": "2026-09-01", "to": "2026-10-01"}
        assert (by_month["previous_total_usd"], by_month["total_usd"]) == ("30.00", "31.00")
        assert [(row["bucket"], row["previous_usd"]) for row in by_month["rows"]] == [("2026-10-01", "30.00")]

    def test_is_not_made_with_days_that_are_missing(self, viewer, connection):
        first = utc("2026-10-01").date()
        store(connection, record(first - DAY, "4"), record(first, "1"), record(first + DAY, "1"))

        found = self.summary(viewer, "2026-10-01", "2026-10-03")

        assert (found["previous_total_usd"], found["previous_state"]) == (None, "missing")
        assert [row["previous_usd"] for row in found["rows"]] == [None]

    def test_is_not_made_with_days_before_the_first_wanted_one(self, viewer, connection):
        store(connection, record(utc("2026-09-01").date(), "4"))

        found = self.summary(viewer, "2026-09-01", "2026-09-02")

        assert (found["previous_total_usd"], found["previous_state"]) == (None, "missing")

    def test_is_not_made_when_another_connection_begins_later(self, viewer, account, connection):
        first = utc("2026-10-01").date()
        store(connection, record(first - DAY, "4"), record(first, "1"))
        stored_connection(account, 2, wanted_from=first)

        assert self.summary(viewer, "2026-10-01", "2026-10-02")["previous_state"] == "missing"

    def test_has_no_state_when_it_was_not_asked_for(self, viewer, connection):
        assert viewer.get("costs/summary/", **OCTOBER).json()["previous_state"] is None


class TestCompleteness:
    """Of a connection that should have every day from 2023 on."""

    @pytest.fixture
    def path(self, account):
        connection = stored_connection(account, wanted_from=utc("2023-01-01").date())
        return f"connections/{connection.pk}/completeness/"

    def test_holds_the_latest_days_when_nothing_is_said(self, viewer, path):
        assert len(viewer.get(path).json()["reports"][0]["days"]) == 731

    @pytest.mark.parametrize(
        ("query", "wrong", "code"),
        [
            ({"from": "2023-01-01"}, "/from", "too_long"),
            ({"from": "2099-01-01"}, "/from", "backwards"),
            ({"to": "2022-01-01"}, "/to", "backwards"),
        ],
    )
    def test_is_asked_for_one_range_of_bounded_length(self, viewer, path, query, wrong, code):
        error = problem(viewer.get(path, **query), 400)["errors"][0]

        assert (error["pointer"], error["code"]) == (wrong, code)


class TestSomebodyWasFaster:
    def test_a_connection_disconnected_meanwhile_is_not_there(self, admin, account, connected, monkeypatch):
        find = lifecycle.find

        def find_and_lose(*args):
            found = find(*args)
            lifecycle.disconnect(find(*args), erase=False, actor="somebody else")
            return found

        monkeypatch.setattr(lifecycle, "find", find_and_lose)

        assert problem(admin.post(f"connections/{connected.pk}/pause/", {}), 404)["code"] == "not_found"

    def test_a_range_that_cannot_be_fetched_is_named(self):
        document = ConnectionApiView().problem_of(lifecycle.RangeError("It has not begun yet."))

        assert [json.dumps(error.pointer) for error in document.errors] == ['"/from"']


class TestTextsOfTheDocument:
    """What the document says of a text is what its field takes."""

    @pytest.mark.parametrize("terms", [{}, {"allow_blank": True}, {"trim_whitespace": False}], ids=str)
    @given(text=st.text(st.sampled_from("a \x00\n\u3000é"), max_size=5))
    def test_are_taken_exactly_where_it_allows_them(self, terms, text):
        field = TextField(**terms)
        stated = get_override(field, "field")
        allowed = re.search(stated.get("pattern", ""), text) is not None
        if "not" in stated:
            allowed = re.search(stated["not"]["pattern"], text) is None

        try:
            field.run_validation(text)
        except ValidationError:
            assert not allowed
        else:
            assert allowed
