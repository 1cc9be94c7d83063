"""What people may submit on the settings pages and with an invitation."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib.auth import password_validation

from accounts.actions import ACTIONS
from accounts.invitations import Offer
from accounts.models import Role, User
from accounts.permissions import Principal
from accounts.tokens import Terms

_NAME_LENGTH = 120
_NEVER = "never"


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.VIEWER)

    def offer(self) -> Offer:
        """Return what was submitted."""
        return Offer(self.cleaned_data["email"], Role(self.cleaned_data["role"]))


class RoleForm(forms.Form):
    """Another role for somebody."""

    role = forms.ChoiceField(choices=Role.choices)


class TokenForm(forms.Form):
    """The terms of a new API token; nobody gives a role that they do not have."""

    name = forms.CharField(label="Name", max_length=_NAME_LENGTH)
    role = forms.ChoiceField(label="Role")
    access = forms.ChoiceField(
        label="Access", choices=[("read", "Read only"), ("full", "Everything its role may")], initial="read"
    )
    expires = forms.ChoiceField(
        label="Expires",
        choices=[("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), (_NEVER, "never")],
        initial="90",
    )

    def __init__(self, principal: Principal, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = [(role.value, role.label) for role in Role if principal.may(role)]
        self.fields["role"] = forms.ChoiceField(label="Role", choices=own, initial=Role.VIEWER)

    def terms(self) -> Terms:
        """Return what was submitted."""
        data = self.cleaned_data
        expires_in = None if data["expires"] == _NEVER else dt.timedelta(days=int(data["expires"]))
        return Terms(data["name"], Role(data["role"]), data["access"] == "read", expires_in)


class NameForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a person is called."""

    class Meta:
        model = User
        fields = ["first_name", "last_name"]


class JoinForm(forms.Form):
    """The first password of somebody who was invited."""

    password = forms.CharField(
        label="Choose a password",
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters, and nothing that stands in a list of common passwords.",
    )

    def __init__(self, email: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = User(email=email)

    def clean_password(self) -> str:
        """Hold the password against the rules of the installation."""
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password, self._user)
        return password


class AuditFilter(forms.Form):
    """Which events to show; everything is optional."""

    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    actor = forms.CharField(label="Who", required=False, max_length=254)
    action = forms.ChoiceField(
        label="What",
        required=False,
        choices=[("", "Everything"), *((name, name) for name in sorted(ACTIONS))],
    )
    target = forms.CharField(label="To what", required=False, max_length=254)
