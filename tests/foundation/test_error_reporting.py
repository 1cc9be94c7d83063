"""What is written when something fails with a key in a local variable: reports, logs, answers."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client, RequestFactory
from django.utils.log import AdminEmailHandler
from django.views.debug import get_exception_reporter_class

from devtools.simulator.keys import key_text
from foundation import logs
from integrations import connections
from tests.accounts.factors import sign_in_as_operator

KEY = key_text("acorn-studio")
SECRET = KEY[len("sk-ant-admin01-") : -4]


def fail(api_key: str) -> None:
    held = {"x-api-key": api_key, "deeper": [api_key]}
    plain = f"a text around {api_key} and on"
    raise RuntimeError(f"refused {api_key} ({len(held)}, {len(plain)})")


@pytest.fixture
def caught() -> Any:
    try:
        fail(KEY)
    except RuntimeError:
        return sys.exc_info()
    raise AssertionError


@pytest.fixture
def request_with_key() -> Any:
    return RequestFactory().post(
        "/connections/add/",
        {"api_key": KEY},
        headers={"authorization": f"Bearer {KEY}", "cookie": f"sessionid={KEY}"},
    )


class TestReport:
    @pytest.mark.parametrize("form", ["get_traceback_text", "get_traceback_html"])
    @pytest.mark.parametrize("has_request", [True, False])
    def test_holds_no_key_of_any_local(self, caught, request_with_key, form, has_request):
        request = request_with_key if has_request else None

        text = getattr(get_exception_reporter_class(request)(request, *caught), form)()

        assert "RuntimeError" in text
        assert "in fail" in text
        assert SECRET not in text

    def test_by_mail_holds_none_either(self, caught, request_with_key, settings):
        settings.ADMINS = [("Op", "op@example.com")]
        record = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "failed", (), caught)
        record.request = request_with_key

        AdminEmailHandler(include_html=True).emit(record)

        sent = mail.outbox[0]
        html = "".join(str(content) for content, _ in sent.alternatives)
        assert "RuntimeError" in sent.body
        assert SECRET not in sent.body + html

    @pytest.mark.parametrize(
        "name", ["SECRET_KEY", "CREDENTIAL_KEYS", "REDIS_URL", "CELERY_BROKER_URL", "DATABASES"]
    )
    def test_holds_no_setting_that_is_secret(self, caught, name):
        shown = get_exception_reporter_class(None)(None, *caught).filter.get_safe_settings()[name]

        assert str(getattr(django_settings, name)) not in str(shown)


class TestLog:
    @pytest.mark.parametrize("form", ["json", "text"])
    def test_holds_no_key_of_a_traceback(self, caught, form):
        stream = io.StringIO()
        formatter = logs.configure(form, "INFO")["formatters"]["structured"]
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter["()"](**{k: v for k, v in formatter.items() if k != "()"}))

        handler.emit(logging.LogRecord("x", logging.ERROR, __file__, 1, "failed %s", (KEY,), caught))

        assert "RuntimeError" in stream.getvalue()
        assert SECRET not in stream.getvalue()


@pytest.mark.django_db
class TestAnswer:
    """The product fails in the middle of using a key, as nobody expects it to."""

    @pytest.fixture
    def failing(self, monkeypatch) -> None:
        monkeypatch.setattr(connections, "client_for", fail)

    def test_of_a_page_holds_no_key(self, admin_user, failing, caplog):
        client = sign_in_as_operator(Client(raise_request_exception=False), admin_user)

        answer = client.post("/connections/add/test/", {"api_key": KEY})

        assert answer.status_code == 500
        assert SECRET not in answer.text

    def test_of_the_api_holds_no_key(self, account, admin_user, failing):
        from accounts import tokens
        from accounts.models import Role
        from accounts.tokens import Terms

        _, token = tokens.issue(account, admin_user, Terms("t", Role.ADMIN), actor="x")
        client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {token}"})

        answer = client.post(
            "/api/v1/connections/test/", json.dumps({"api_key": KEY}), content_type="application/json"
        )

        assert answer.status_code == 500
        assert answer.json()["code"] == "internal_error"
        assert SECRET not in answer.text
