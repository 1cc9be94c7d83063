from __future__ import annotations

import pytest

from accounts.models import AuditEvent
from integrations.models import Connection

HTMX = {"HX-Request": "true"}
ADD, TEST = "/connections/add/", "/connections/add/test/"


class TestKey:
    """A key goes in and never comes out, whatever becomes of it."""

    @pytest.mark.parametrize("path", [ADD, TEST])
    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("kind", ["admin_key", "inference_key"])
    def test_is_in_no_answer(self, admin, visit, key_of, path, headers, kind):
        client, key = visit(admin), key_of("acorn-studio", kind)

        answer = client.post(path, {"api_key": key}, headers=headers)

        assert key not in answer.text
        assert key not in str(answer.headers)
        assert key not in "".join(client.get(page).text for page in ("/", "/connections/", ADD))

    def test_field_is_empty_after_a_refusal_and_says_so(self, admin, visit, key_of):
        text = (
            visit(admin)
            .post(ADD, {"api_key": key_of("acorn-studio", "inference_key"), "label": "Design"})
            .text
        )

        assert "paste it again" in text
        assert 'value="Design"' in text

    def test_is_a_hint_afterwards(self, admin, visit, key_of):
        client, key = visit(admin), key_of("acorn-studio")
        client.post(ADD, {"api_key": key})

        assert f"…{key[-4:]}" in client.get(f"/connections/{Connection.objects.get().pk}/").text


class TestTest:
    def test_says_what_a_good_key_sees_and_stores_nothing(self, admin, visit, key_of):
        text = visit(admin).post(TEST, {"api_key": key_of("acorn-studio")}, headers=HTMX).text

        assert "Connected to Acorn Studio" in text
        assert "Daily cost by workspace and model" in text
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        ("key", "cause"),
        [
            ("hello", "does not start with sk-ant-"),
            ("sk-ant-admin01-sim-nobody-at-all-00000000000000000000", "refused this key (401)"),
            ("", "Paste the key first"),
            ("sk-ant-" + "x" * 600, "longer than any Anthropic key"),
        ],
    )
    def test_names_the_cause(self, admin, visit, simulator, key, cause):
        assert cause in visit(admin).post(TEST, {"api_key": key}, headers=HTMX).text

    def test_recognises_a_key_for_calling_models(self, admin, visit, key_of):
        text = (
            visit(admin).post(TEST, {"api_key": key_of("acorn-studio", "inference_key")}, headers=HTMX).text
        )

        assert "cannot read cost reports" in text
        assert "Create an Admin key" in text

    def test_works_as_a_whole_page_too(self, admin, visit, key_of):
        text = visit(admin).post(TEST, {"api_key": key_of("acorn-studio"), "label": "Design"}).text

        assert "<h1>Add connection</h1>" in text
        assert "Connected to Acorn Studio" in text
        assert 'value="Design"' in text

    def test_words_an_outage_as_temporary(self, admin, visit, simulator, key_of):
        simulator.fault("overloaded", times=-1)

        text = visit(admin).post(TEST, {"api_key": key_of("acorn-studio")}).text

        assert "could not be reached" in text
        assert "Not tested yet." in text
        assert "try again in a few minutes" in text


class TestAdd:
    def test_connects_and_leads_to_the_first_progress(self, admin, visit, key_of):
        client = visit(admin)

        answer = client.post(
            ADD, {"api_key": key_of("acorn-studio"), "label": "Studio", "cost_center": "Design"}
        )

        connection = Connection.objects.get()
        assert answer.headers["Location"] == "/"
        assert (connection.label, connection.cost_center) == ("Studio", "Design")
        assert "0 of 366 days" in client.get("/").text.replace("\u00a0", " ")
        assert AuditEvent.objects.filter(action="connection.created", actor=admin.email).exists()

    def test_leads_there_with_scripts_too(self, admin, visit, key_of):
        answer = visit(admin).post(ADD, {"api_key": key_of("acorn-studio")}, headers=HTMX)

        assert answer.headers["HX-Redirect"] == "/"

    def test_points_to_the_connection_that_is_there_already(self, admin, visit, connection, key_of):
        text = visit(admin).post(ADD, {"api_key": key_of("acorn-studio")}, headers=HTMX).text

        assert "already connected" in text
        assert f"/connections/{connection.pk}/" in text

    def test_says_that_a_label_is_taken(self, admin, visit, connection, key_of):
        text = visit(admin).post(ADD, {"api_key": key_of("birch-logistics"), "label": connection.label}).text

        assert "Choose another label" in text
        assert Connection.objects.count() == 1

    def test_shows_the_depth_of_the_plan(self, admin, visit):
        assert "the last 365 days" in visit(admin).get(ADD).text
