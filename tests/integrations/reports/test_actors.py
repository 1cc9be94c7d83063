from __future__ import annotations

import pytest

from costs.records import NameRecord
from integrations.anthropic.reports.actors import read_actor, read_person


def federated(subject, **provider):
    return {"type": "federated_actor", "subject": subject, "provider": provider or None}


class TestReadActor:
    @pytest.mark.parametrize(
        ("actor", "found"),
        [
            ({"type": "user_actor", "user_id": "user_1"}, ("user_actor", "user_1")),
            (
                {"type": "service_account_actor", "service_account_id": "svac_1"},
                ("service_account_actor", "svac_1"),
            ),
            ({"type": "api_actor", "api_key_id": "apikey_1"}, ("api_actor", "apikey_1")),
            (federated("repo:x/y", type="oidc", issuer="https://ci"), ("federated_actor", "repo:x/y")),
            (
                federated(None, type="aws", account_id="123", signed_principal="arn:aws:iam::123:role/r"),
                ("federated_actor", "aws:arn:aws:iam::123:role/r"),
            ),
            (federated(None, type="aws", account_id="123"), ("federated_actor", "aws:123")),
            (federated(None, type="azure", subscription_id="s"), ("federated_actor", "azure:s")),
            (federated(None, type="gcp", project_number="4711"), ("federated_actor", "gcp:4711")),
            (federated(None, type="oidc", issuer="https://ci"), ("federated_actor", "oidc:https://ci")),
            (federated(None, type="oidc", issuer=None), ("federated_actor", "oidc:")),
            (federated("", name="x"), ("federated_actor", "unknown:")),
            (federated(None), ("federated_actor", None)),
            ({"type": "robot_actor", "robot_id": "r_1", "name": "R"}, ("robot_actor", '{"robot_id":"r_1"}')),
            ({"type": "nobody"}, ("nobody", None)),
            ({"type": "user_actor"}, ("user_actor", None)),
        ],
    )
    def test_gives_kind_and_id(self, actor, found):
        assert read_actor(actor, {}) == found

    @pytest.mark.parametrize(
        ("actor", "kept"), [({}, "{}"), ({"type": 1}, '{"type":1}'), ("user_1", "user_1"), (None, "absent")]
    )
    def test_is_nobody_where_no_actor_came(self, actor, kept):
        odd = {}

        assert read_actor(actor, odd) == (None, None)
        assert odd == {"actor": kept}

    def test_keeps_actors_apart_by_an_odd_id(self):
        odd = {}

        assert read_actor({"type": "user_actor", "user_id": 5}, odd) == ("user_actor", "5")
        assert odd == {"user_id": 5}


def user(**fields):
    return {"type": "user_actor", "user_id": "user_1", **fields}


class TestReadPerson:
    def test_is_what_a_report_says_beside_a_row(self):
        assert read_person(user(name="Kim", email_address="kim@example.com", deleted=False)) == NameRecord(
            kind="person",
            resource_id="user_1",
            name="Kim",
            attributes={"email": "kim@example.com"},
            is_listed=False,
        )

    @pytest.mark.parametrize("field", ["email", "email_address"])
    def test_has_the_address_in_either_spelling(self, field):
        assert read_person(user(name=None, **{field: "kim@example.com"})).name == "kim@example.com"

    @pytest.mark.parametrize(
        ("fields", "is_placeholder"),
        [
            ({"name": "Deleted User", "email_address": None, "deleted": True}, True),
            ({"name": "Deleted User", "email_address": "kim@example.com", "deleted": True}, True),
            # Who merely left the organisation keeps the name, unless it has chosen to hide it.
            ({"name": "Kim", "email_address": "kim@example.com", "deleted": True}, False),
            ({"name": "Claude Security", "email_address": None, "deleted": False}, False),
            ({"name": "Deleted User", "email_address": None, "deleted": False}, False),
        ],
    )
    def test_is_a_placeholder_only_where_the_account_is_gone(self, fields, is_placeholder):
        assert read_person(user(**fields)).is_placeholder is is_placeholder

    @pytest.mark.parametrize(
        "actor",
        [
            user(name=None, email_address=None, deleted=True),
            user(name=""),
            {"type": "user_actor", "name": "Kim"},
            {"type": "api_actor", "user_id": "user_1", "name": "Kim"},
        ],
    )
    def test_is_nobody_where_nothing_is_said(self, actor):
        assert read_person(actor) is None
