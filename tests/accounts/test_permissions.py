from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey

from accounts.models import Account, Role
from accounts.permissions import Principal, rows_of
from integrations.models import Connection
from tests.api.conftest import stored_connection

ROOMS = {"accounts", "alerts", "costs", "dashboard", "integrations", "workers"}
# What belongs to no account: tenants and people themselves, and a rate-limit owner that several accounts may share.
COMMON = {"Account", "User", "Lane"}
OWNED = [m for m in apps.get_models() if m._meta.app_label in ROOMS and m.__name__ not in COMMON]


class TestRows:
    @pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
    def test_of_every_table_lead_to_an_account(self, model):
        """A new table without a column `account` names the way to it in `account_path`, or stands in COMMON."""
        where = str(rows_of(Account(name="A"), model).query)

        assert "account_id" in where

    @pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
    def test_of_every_table_have_one_way_to_it(self, model):
        """The way uses the table's own foreign keys only; one to many could hand out a row of somebody else's."""
        *steps, last = getattr(model, "account_path", "account").split("__")

        for step in [*steps, last]:
            field = model._meta.get_field(step)
            assert isinstance(field, ForeignKey)
            model = field.related_model
        assert model is Account

    def test_of_another_account_do_not_exist(self, account, other_account):
        mine, _ = stored_connection(account), stored_connection(other_account, 2)

        assert list(Principal(account, Role.VIEWER, "alice").rows(Connection)) == [mine]


ROOT = Path(__file__).resolve().parents[2]
INTERFACES = ("accounts/api", "accounts/pages", "costs/api", "integrations/api")


class TestQueries:
    @pytest.mark.parametrize("room", INTERFACES)
    def test_of_the_api_and_the_settings_pages_start_from_the_one_place(self, room):
        """Nobody there filters by an account on their own: rows come from `Principal.rows` or `rows_of`."""
        own_way = re.compile(r"\.objects\.[^\n]*\baccount(_id)?=|__account(_id)?=")
        texts = {path: path.read_text("utf-8") for path in (ROOT / room).rglob("*.py")}

        assert [path.name for path, text in texts.items() if own_way.search(text)] == []
