from __future__ import annotations

import json
import uuid

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.test import Client, override_settings
from django.urls import path
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.exceptions import Throttled
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.endpoints import throttling
from foundation import problems
from tests.api.conftest import pointers, problem

RAISED: list[Exception] = []


class RaisingView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, _request):
        raise RAISED[-1]

    def post(self, request):
        return Response(request.data)


urlpatterns = [path("api/raises/", RaisingView.as_view())]
handler400, handler403, handler404, handler500 = (
    f"foundation.problems.{name}"
    for name in ("bad_request", "permission_denied", "not_found", "server_error")
)


@pytest.fixture
def raising():
    """Returns the answer of a view that raises what it is given."""

    def call(error):
        RAISED.append(error)
        with override_settings(ROOT_URLCONF=__name__):
            return Client(raise_request_exception=False).get("/api/raises/")

    return call


class TestShape:
    def test_is_that_of_rfc_9457(self, nobody, db):
        document = problem(nobody.get("connections/"), 401)

        assert document == {
            "type": "urn:tallystick:problem:not_authenticated",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Send a token of this installation as 'Authorization: Bearer <token>'.",
            "code": "not_authenticated",
            "instance": "/api/v1/connections/",
            "errors": [],
        }

    def test_collects_every_wrong_member(self, admin):
        answer = admin.post("connections/", {"provider": "x", "api_key": ""})

        document = problem(answer, 400)

        assert document["code"] == "invalid"
        assert pointers(document) == ["/provider", "/api_key"]
        assert document["detail"].startswith("provider: ")


class TestDoors:
    @pytest.mark.parametrize("token", ["wrong", "a b", "é", "a" * 5000])
    def test_a_wrong_token_is_401(self, nobody, db, token):
        answer = nobody("GET", "connections/", headers={"Authorization": f"Bearer {token}"})

        assert problem(answer, 401)["code"] == "authentication_failed"
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_another_scheme_is_401(self, nobody, db):
        problem(nobody("GET", "connections/", headers={"Authorization": "Basic YTpi"}), 401)

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
    def test_a_method_that_is_not_there_is_405(self, admin, method):
        answer = admin(method, "connections/")

        assert problem(answer, 405)["code"] == "method_not_allowed"
        assert "GET" in answer["Allow"]

    @pytest.mark.parametrize(
        "body",
        ["{", "[]", "null", '"x"', "NaN", '{"provider": NaN}', "[" * 60_000, b"\xff\xfe", '{"a": 1e999}'],
    )
    def test_a_body_that_cannot_be_read_is_400(self, admin, body):
        answer = admin.client.post(
            "/api/v1/connections/",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {admin.token}"},
        )

        problem(answer, 400)

    def test_a_body_that_is_too_large_is_413(self, admin):
        document = problem(admin.post("connections/", {"api_key": "x" * 70_000}), 413)

        assert document["code"] == "body_too_large"

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    )
    def test_another_kind_of_body_is_415(self, admin, kind):
        answer = admin.client.generic(
            "POST",
            "/api/v1/connections/",
            data=b"api_key=x",
            content_type=kind,
            headers={"Authorization": f"Bearer {admin.token}"},
        )

        assert problem(answer, 415)["code"] == "unsupported_media_type"

    def test_an_answer_we_cannot_write_is_406(self, admin):
        problem(admin("GET", "connections/", headers={"Accept": "application/xml"}), 406)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        "address", ["/api/", "/api/v2/", "/api/v1/connections/nonsense/", "/api/v1/runs/1/"]
    )
    def test_an_unknown_address_is_404(self, method, address):
        problem(Client(enforce_csrf_checks=True).generic(method, address), 404)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_missing_slash_is_said_and_not_redirected(self, method):
        document = problem(Client().generic(method, "/api/v1/connections"), 404)

        assert "Did you mean /api/v1/connections/" in document["detail"]

    def test_a_wrong_host_is_400(self):
        problem(Client().get("/api/v1/connections/", headers={"Host": "evil.example"}), 400)

    def test_too_many_requests_are_429(self, viewer, monkeypatch):
        monkeypatch.setattr(throttling, "REQUESTS_PER_MINUTE", 1)
        answers = [viewer.get("connections/") for _ in range(3)]

        throttled = problem(answers[-1], 429)

        assert throttled["code"] == "throttled"
        assert 1 <= int(answers[-1]["Retry-After"]) <= 61


class TestTrouble:
    def test_a_bug_is_500_and_shows_nothing(self, raising):
        answer = raising(RuntimeError("secret detail"))

        assert problem(answer, 500)["code"] == "internal_error"
        assert "secret" not in answer.content.decode()

    def test_a_bug_says_where_the_log_has_its_cause(self, raising, caplog):
        document = problem(raising(RuntimeError("secret detail")), 500)

        assert uuid.UUID(document["request_id"])
        assert document["request_id"] in caplog.text

    @pytest.mark.parametrize("error", [OperationalError("host=10.0.0.1"), RedisConnectionError("10.0.0.1")])
    def test_a_dead_service_of_ours_is_503(self, raising, error):
        answer = raising(error)

        assert problem(answer, 503)["code"] == "service_unavailable"
        assert answer["Retry-After"] == "5"
        assert "10.0.0.1" not in answer.content.decode()

    def test_says_when_to_come_back(self, raising):
        assert raising(Throttled(wait=17))["Retry-After"] == "17"

    def test_pages_keep_their_own_errors(self, db):
        answer = Client().get("/no-such-page/")

        assert answer["Content-Type"].startswith("text/html")

    def test_pointer_is_empty_for_the_whole_document(self):
        error = problems.exceptions.ValidationError({"non_field_errors": ["Both at once."]})

        document = problems.document(error, "/api/")

        assert (
            json.dumps(document["errors"])
            == '[{"pointer": "", "code": "invalid", "detail": "Both at once."}]'
        )


class TestOfDjango:
    def test_django_s_own_exceptions_are_problems_too(self, raising):
        assert [problem(raising(error), status)["code"] for error, status in [
            (Http404(), 404),
            (PermissionDenied(), 403),
            (SuspiciousOperation(), 400),
        ]] == ["not_found", "permission_denied", "parse_error"]  # fmt: skip
