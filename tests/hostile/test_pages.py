"""Hostile query strings, forms, paths and headers at the pages: nothing breaks, nothing changes, nothing is shown unescaped."""

from __future__ import annotations

import csv
import html
import io
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from django.test import Client

from accounts.models import AuditEvent
from integrations.models import Connection
from tests.hostile import inputs

# The parameters that pages read, and some that they do not.
NAMES = (
    "range", "from", "to", "granularity", "group_by", "then_by", "metric", "compare", "model", "workspace_id", "connection", "as_of",
    "sort", "page", "before", "since", "until", "actor", "action", "target", "next", "q", "show", "x[]",
)  # fmt: skip
PAGES = (
    "/", "/overview/", "/explore/", "/explore/table.csv", "/explore/chart.csv", "/explore/movers/", "/explore/filters/model/", "/usage/",
    "/usage/table.csv", "/usage/caching/", "/exports/", "/views/", "/dashboards/", "/connections/", "/connections/add/", "/settings/people/",
    "/settings/tokens/", "/settings/audit/", "/settings/audit.csv", "/settings/you/", "/accounts/login/", "/accounts/password/reset/",
)  # fmt: skip
MARKUP = [text for text in inputs.TEXTS if "<" in text]
VALUES = [
    *inputs.TEXTS[::2],
    *MARKUP,
    *inputs.NO_TEXTS,
    *inputs.NO_DAYS[::5],
    *inputs.NO_NUMBERS[::2],
    *inputs.NO_IDS[::2],
]
LONG = "a" * 5000


def queries() -> list[str]:
    """Every value once, each at the next page and with several of the next names."""
    found = []
    for number, value in enumerate(VALUES):
        names = {NAMES[(number + step * 5) % len(NAMES)] for step in range(5)}
        found.append(f"{PAGES[number % len(PAGES)]}?{urlencode(dict.fromkeys(sorted(names), value))}")
    broken = [f"{page}?range={bad}&model={bad}" for page, bad in zip(PAGES, inputs.NO_UTF_8, strict=False)]
    return [
        *found,
        *broken,
        *(f"/explore/?model={quote(text)}&group_by={quote(text)}" for text in MARKUP[:6]),
    ]


# Of each form what no field of it may hold; what its other fields hold is fine.
FORMS: dict[str, list[dict[str, Any]]] = {
    "/settings/people/invite/": [
        *({"email": text, "role": "viewer"} for text in [*inputs.TEXTS[:70:3], *inputs.NO_TEXTS, LONG, f"{LONG}@example.com"]),
        *({"email": "new2@example.com", "role": text} for text in inputs.NO_CHOICES[:25:2]),
    ],
    "/settings/people/{membership_id}/role/": [{"role": text} for text in inputs.NO_CHOICES[::3]],
    "/settings/tokens/new/": [
        *({"name": "t", "role": text, "access": "read", "expires": "30"} for text in inputs.NO_CHOICES[:25:2]),
        *({"name": "t", "role": "viewer", "access": text, "expires": "30"} for text in inputs.NO_CHOICES[25:45:2]),
        *({"name": "t", "role": "viewer", "access": "read", "expires": text} for text in [*inputs.NO_NUMBERS, "never2"]),
        *({"name": text, "role": "viewer", "access": "read", "expires": "30"} for text in ["", " ", LONG, *inputs.NO_TEXTS]),
    ],
    "/settings/you/": [{"first_name": text, "last_name": "x"} for text in [LONG, *inputs.NO_TEXTS]],
    "/account/": [{"account": text} for text in inputs.NO_IDS[::2]],
    "/connections/{connection_id}/edit/": [{"label": text, "cost_center": ""} for text in ["", " ", LONG, *inputs.NO_TEXTS]],
    "/connections/{connection_id}/rotate-key/": [{"api_key": text} for text in [*inputs.TEXTS[:30:3], *inputs.NO_TEXTS, LONG, ""]],
    "/connections/{connection_id}/disconnect/": [
        *({"history": text} for text in inputs.NO_CHOICES[:30:2]),
        *({"history": "erase", "confirmation": text} for text in inputs.NO_CHOICES[:30:2]),
    ],
    "/connections/add/": [{"api_key": text, "label": "x"} for text in [*inputs.TEXTS[:30:3], *inputs.NO_TEXTS, LONG, ""]],
    "/views/save/": [{"name": text, "page": "explore", "query": ""} for text in ["", " ", LONG, *inputs.NO_TEXTS]],
    "/dashboards/make/": [{"name": text} for text in ["", " ", LONG, *inputs.NO_TEXTS]],
    "/dashboards/{dashboard_id}/tiles/{tile_id}/change/": [{"deed": text, "position": text} for text in inputs.NO_CHOICES[:20:2]],
    "/home/": [{"dashboard": text, "view": text} for text in inputs.NO_IDS[::2]],
}  # fmt: skip


# The audit log's file is read in a transaction of its own, which cannot be inside the test's.
@pytest.mark.django_db(transaction=True)
class TestQueryStrings:
    def test_break_nothing_and_change_nothing(self, browser, unchanged):
        # Each is read before the next is asked for: a file holds this thread's connection until its end.
        read = [
            (address, answer, b"".join(answer).decode())
            for address in queries()
            for answer in [browser.get(address)]
        ]
        answers = [(address, answer) for address, answer, _ in read]

        assert [
            address for address, answer in answers if answer.status_code not in {200, 302, 400, 404}
        ] == []
        pages = [text for _, answer, text in read if "html" in answer["Content-Type"]]
        assert [mark for mark in MARKUP for text in pages if mark in text and mark != "<!--"] == []
        # Where somebody goes on after signing in is here, whatever the address says.
        targets = {answer.headers.get("Location", "/") for _, answer in answers}
        assert {target for target in targets if urlsplit(target).scheme or urlsplit(target).netloc} == set()
        assert all("default-src 'none'" in answer["Content-Security-Policy"] for _, answer in answers)


class TestForms:
    @pytest.mark.parametrize("address", FORMS)
    def test_with_bad_values_change_nothing(self, browser, zanzibar, unchanged, address):
        """A page says what is wrong (with the form again, so 200 is an answer, too) or refuses."""
        answers = [(sent, browser.post(address.format(**zanzibar), sent)) for sent in FORMS[address]]

        wrong = [
            (sent, a.status_code) for sent, a in answers if a.status_code not in {200, 302, 400, 404, 422}
        ]
        assert wrong == []

    def test_for_signing_in_let_nobody_in(self, db, zanzibar):
        client = Client(raise_request_exception=False)
        values = [*inputs.TEXTS[::4], *inputs.NO_TEXTS, LONG]

        answers = [
            client.post("/accounts/login/", {"login": text, "password": text, "next": text})
            for text in values
        ]

        assert {answer.status_code for answer in answers} <= {200, 429}
        assert "_auth_user_id" not in client.session

    def test_of_nobody_are_forms_of_nobody(self, db, zanzibar, unchanged):
        client = Client(raise_request_exception=False)

        answers = [
            client.post(address.format(**zanzibar), sent)
            for address, all_ in FORMS.items()
            for sent in all_[:5]
        ]

        assert {answer.status_code for answer in answers} == {302}
        assert {answer["Location"].partition("?")[0] for answer in answers} == {"/accounts/login/"}


class TestPaths:
    def test_that_lead_nowhere_are_not_found(self, browser, unchanged):
        answers = [(path, browser.get(path)) for path in inputs.NO_PATHS]

        assert [(path, a.status_code) for path, a in answers if a.status_code not in {400, 404}] == []


class TestHeaders:
    def test_that_other_servers_obey_do_nothing(self, browser, program, unchanged):
        addresses = ("/settings/tokens/", "/api/v1/connections/")
        plain = [browser.get(addresses[0]), program.get("connections/")]

        answers = [
            (
                header,
                browser.get(addresses[0], headers=header),
                program("GET", "connections/", headers=header),
            )
            for header in inputs.IGNORED_HEADERS
            if "Cookie" not in header
        ]

        expected = [answer.status_code for answer in plain]
        assert [h for h, *found in answers if [a.status_code for a in found] != expected] == []
        assert [h for h, *found in answers if "evil.example" in "".join(str(a.headers) for a in found)] == []

    def test_with_cookies_of_nobody_are_nobody(self, db, unchanged):
        sent = [header for header in inputs.IGNORED_HEADERS if "Cookie" in header]

        answers = [Client().get("/connections/", headers=header) for header in sent]

        assert {answer.headers["Location"] for answer in answers} == {"/accounts/login/?next=/connections/"}


@pytest.mark.django_db(transaction=True)
class TestTexts:
    """Every text is a legal label, whatever it looks like elsewhere: it is kept, in one line, and shown as text."""

    @pytest.fixture
    def labelled(self, zanzibar, program) -> list[str]:
        """Gives a connection each text as its label once; returns how they came back."""
        path = f"connections/{zanzibar['connection_id']}/"
        # A label of nothing but spaces is none.
        answers = [program("PATCH", path, {"label": text}) for text in inputs.TEXTS if text.strip()]
        assert {answer.status_code for answer in answers} == {200}
        return [answer.json()["label"] for answer in answers]

    def test_are_kept_and_shown_as_text_and_run_by_no_spreadsheet(self, labelled, browser):
        pages = [browser.get("/settings/audit/")]
        while older := pages[-1].context["older"]:
            pages.append(browser.get(f"/settings/audit/?before={older}"))
        exported = browser.get("/settings/audit.csv").getvalue().decode()

        assert labelled == [" ".join(text.split()) for text in inputs.TEXTS if text.strip()]
        shown = "".join(page.text for page in pages)
        assert [text for text in labelled if html.escape(text) not in shown] == []
        assert [text for text in MARKUP if text in shown and text != "<!--"] == []
        rows = list(csv.reader(io.StringIO(exported, newline="")))
        # A line for each event and one for the columns.
        assert len(rows) == 1 + AuditEvent.objects.exclude(account=None).count()
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []

    def test_send_no_header_of_their_own(self, browser, zanzibar):
        Connection.objects.update(label="a\r\nSet-Cookie: a=b")

        answer = browser.get(f"/connections/{zanzibar['connection_id']}/")

        assert answer.status_code == 200
        assert "a" not in answer.cookies
