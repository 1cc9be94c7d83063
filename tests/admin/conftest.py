"""The cast of the operators' pages: a superuser, a staff member with named permissions, a connected organisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from integrations.models import Connection
from tests.accounts.factors import sign_in_as_operator
from workers import lifecycle
from workers.lifecycle import NewConnection


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """Pages are the same for every report; tests of all of them are in tests/sources."""


@pytest.fixture
def key(simulator) -> str:
    return key_of(simulator, "acorn-studio")


def key_of(simulator, slug: str) -> str:
    return next(o for o in simulator.organisations() if o["slug"] == slug)["admin_key"]


@pytest.fixture
def connection(account, key) -> Connection:
    return lifecycle.connect(account, NewConnection(key, label="Acorn", cost_center="R&D"), actor="set-up")


@pytest.fixture
def boss(admin_user) -> Client:
    """A superuser's browser."""
    return sign_in_as_operator(Client(), admin_user)


@pytest.fixture
def staff_with(db) -> Callable[..., Client]:
    """Sign in a staff member who has exactly the named permissions (codenames)."""

    def sign_in(*codenames: str) -> Client:
        user = User.objects.create_user("bob@example.com", "correct horse battery", is_staff=True)
        permissions = list(Permission.objects.filter(codename__in=codenames))
        assert len(permissions) == len(codenames)
        user.user_permissions.set(permissions)
        return sign_in_as_operator(Client(), user)

    return sign_in


def change_url(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=(row.pk,))


def list_url(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def action_url(row, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=(row.pk,))


def told(response) -> str:
    """Return the messages of a followed response as one text."""
    return " ".join(str(message) for message in response.context["messages"])
