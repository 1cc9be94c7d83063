from __future__ import annotations

import html

import pytest
from django.test import Client

from accounts.models import Membership, Role, User
from accounts.pages.urls import sign_in as sign_in_pages
from integrations.models import Connection

READ = ["/", "/connections/", "/progress/"]
OF_ONE = ["", "status/", "runs/", "edit/", "rotate-key/", "disconnect/"]
WRITES = ["test/", "sync/", "pause/", "resume/", "edit/", "rotate-key/", "disconnect/"]


class TestSignIn:
    def test_lets_a_person_in_by_mail_and_password(self, db, admin):
        client = Client()
        form = {"login": admin.email, "password": "correct horse battery"}

        assert client.get("/accounts/login/").status_code == 200
        assert client.post("/accounts/login/", form).headers["Location"] == "/"
        assert client.get("/").status_code == 200

    def test_says_when_it_is_wrong_without_saying_what(self, db, admin):
        answer = Client().post("/accounts/login/", {"login": admin.email, "password": "guess"})

        assert "not correct" in answer.text
        assert "guess" not in answer.text

    @pytest.mark.parametrize("path", [*READ, "/connections/add/"])
    def test_is_asked_for_first(self, db, path):
        assert Client().get(path).headers["Location"].startswith("/accounts/login/?next=")

    def test_takes_the_whole_page_there_when_a_part_was_asked_for(self, db):
        answer = Client().get("/progress/", headers={"HX-Request": "true"})

        assert answer.headers["HX-Redirect"] == "/accounts/login/?next=/"

    @pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
    @pytest.mark.parametrize("action", ["test/", "sync/", "pause/", "resume/"])
    def test_leads_back_to_the_page_of_a_button_and_not_to_its_action(self, connection, action, headers):
        answer = Client().post(f"/connections/{connection.pk}/{action}", headers=headers)

        target = answer.headers.get("HX-Redirect") or answer.headers["Location"]
        assert target == f"/accounts/login/?next=/connections/{connection.pk}/"

    @pytest.mark.parametrize(
        ("path", "home"), [("/account/", "/"), ("/connections/add/test/", "/connections/add/")]
    )
    def test_leads_back_to_other_pages_likewise(self, db, path, home):
        assert Client().post(path).headers["Location"] == f"/accounts/login/?next={home}"

    def test_has_no_page_that_changes_an_address_or_proves_one(self, admin, visit):
        client = visit(admin)

        for path in ("email/", "confirm-email/", "login/code/", "phone/change/"):
            assert client.get(f"/accounts/{path}").status_code == 404

    def test_has_our_looks_and_a_way_on_every_page(self, admin, visit):
        patterns = [str(one.pattern) for one in sign_in_pages]
        # Those with a part to fill in: one is named here, the others need what they are about.
        routes = [route for route in patterns if not {"^", "<"} & set(route)] + ["password/reset/key/1-x/"]
        assert (len(patterns), len(routes)) == (27, 23)

        for client in (Client(), visit(admin)):
            for path in sorted(set(routes) - {"2fa/codes/", "2fa/app/remove/", "sso/error/"}):
                answer = client.get(f"/accounts/{path}", follow=True)
                assert answer.status_code == 200, path
                assert "tallystick.css" in answer.text, path

    def test_answers_an_unknown_address_like_a_known_one(self, db, admin, mailoutbox):
        for email in (admin.email, "stranger@example.com"):
            answer = Client().post("/accounts/password/reset/", {"email": email})
            assert answer.headers["Location"] == "/accounts/password/reset/done/"

    def test_tells_somebody_inactive(self, admin):
        admin.is_active = False
        admin.save()

        form = {"login": admin.email, "password": "correct horse battery"}
        answer = Client().post("/accounts/login/", form, follow=True)

        assert answer.status_code == 200
        assert "tallystick.css" in answer.text

    @pytest.mark.parametrize(
        "path", ["signup/", "password/reset/", "password/reset/done/", "logout/", "login/"]
    )
    def test_has_its_other_pages(self, db, path):
        assert Client().get(f"/accounts/{path}", follow=True).status_code == 200

    def test_tells_a_person_without_an_account(self, db, visit):
        answer = visit(User.objects.create_user("nobody@example.com", "x")).get("/")

        assert answer.status_code == 403
        assert "no account yet" in answer.text


class TestRoles:
    @pytest.mark.parametrize("path", READ)
    def test_everybody_reads(self, viewer, visit, path):
        assert visit(viewer).get(path).status_code == 200

    def test_a_viewer_sees_no_button_that_would_be_refused(self, viewer, connection, visit):
        text = visit(viewer).get("/connections/").text

        assert "Force sync" not in text
        assert "Add connection" not in text
        assert "Rotate key" not in text

    @pytest.mark.parametrize("path", WRITES)
    def test_a_viewer_changes_nothing(self, viewer, connection, visit, path):
        assert visit(viewer).post(f"/connections/{connection.pk}/{path}").status_code == 403

    @pytest.mark.parametrize("path", [path for path in WRITES if path not in {"test/", "sync/"}])
    def test_an_editor_does_not_administer(self, editor, connection, visit, path):
        assert visit(editor).post(f"/connections/{connection.pk}/{path}").status_code == 403

    @pytest.mark.parametrize("path", ["add/", "add/test/"])
    def test_only_an_admin_adds(self, editor, visit, path):
        assert visit(editor).post(f"/connections/{path}", {"api_key": "sk-ant-x"}).status_code == 403

    @pytest.mark.parametrize("path", ["test/", "sync/"])
    def test_an_editor_tests_and_syncs(self, editor, connection, visit, path):
        assert visit(editor).post(f"/connections/{connection.pk}/{path}").status_code == 302


class TestOtherAccounts:
    @pytest.mark.parametrize("path", OF_ONE)
    def test_do_not_see_that_a_connection_exists(self, charlie, connection, visit, path):
        assert visit(charlie).get(f"/connections/{connection.pk}/{path}").status_code == 404

    @pytest.mark.parametrize("path", WRITES)
    def test_cannot_touch_it(self, charlie, connection, visit, path):
        assert visit(charlie).post(f"/connections/{connection.pk}/{path}").status_code == 404
        assert Connection.objects.filter(pk=connection.pk, disconnected_at__isnull=True).exists()

    def test_see_nothing_of_it_on_their_own_pages(self, charlie, filled, visit):
        client = visit(charlie)

        assert "Acorn" not in client.get("/").text + client.get("/connections/").text

    def test_are_reached_only_by_their_members(self, admin, other_account, visit):
        client = visit(admin)

        assert client.post("/account/", {"account": str(other_account.pk)}).status_code == 404
        Membership.objects.create(account=other_account, user=admin, role=Role.VIEWER)
        assert client.post("/account/", {"account": str(other_account.pk)}).status_code == 302
        assert other_account.name in html.unescape(client.get("/").text)


class TestForgery:
    @pytest.mark.parametrize("path", WRITES)
    def test_is_refused(self, admin, connection, visit, path):
        answer = visit(admin, enforce_csrf_checks=True).post(f"/connections/{connection.pk}/{path}")

        assert answer.status_code == 403
        assert "security token" in answer.text

    @pytest.mark.parametrize("path", ["/connections/add/", "/connections/add/test/", "/account/"])
    def test_is_refused_everywhere(self, admin, visit, path):
        assert visit(admin, enforce_csrf_checks=True).post(path).status_code == 403

    @pytest.mark.parametrize("path", ["test/", "sync/", "pause/", "resume/"])
    def test_needs_more_than_a_link(self, admin, connection, visit, path):
        answer = visit(admin).get(f"/connections/{connection.pk}/{path}")

        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"
        assert f'href="/connections/{connection.pk}/"' in answer.text
        assert "Nothing was done" in answer.text


class TestAnswers:
    def test_are_kept_by_no_cache_and_allow_nothing_inline(self, admin, visit):
        headers = visit(admin).get("/").headers

        assert headers["Cache-Control"] == "private, no-store"
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]

    def test_say_what_a_missing_page_may_mean(self, admin, visit):
        answer = visit(admin).get("/nowhere/")

        assert answer.status_code == 404
        assert "no such page" in answer.text
