"""The forms about connections; a key goes in through a password field and is never rendered back."""

from typing import Any

from django import forms
from django.db.models import Sum

from accounts.models import Account
from costs.coverage import NOTHING_STORED, spans
from costs.models import DayDigest
from integrations.models import Connection, Provider

_LONGEST_KEY = 512


def _key_field() -> forms.CharField:
    widget = forms.PasswordInput(
        render_value=False, attrs={"autocomplete": "new-password", "spellcheck": "false"}
    )
    return forms.CharField(
        label="API key",
        max_length=_LONGEST_KEY,
        widget=widget,
        help_text="Stored encrypted; never shown again. Create it in the Claude Console under Settings > Admin keys.",
    )


class ConnectForm(forms.Form):
    """What is needed to connect an organisation."""

    account = forms.ModelChoiceField(Account.objects.order_by("name"))
    provider = forms.ChoiceField(choices=Provider.choices)
    api_key = _key_field()
    label = forms.CharField(
        max_length=120,
        required=False,
        help_text="Empty: Anthropic – and the organisation's name.",
    )
    cost_center = forms.CharField(label="Cost centre", max_length=120, required=False)


class EditForm(forms.ModelForm):  # type: ignore[type-arg]
    """What may be changed about a connection by hand."""

    class Meta:
        model = Connection
        fields = ["label", "cost_center"]
        labels = {"cost_center": "Cost centre"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What the person did not touch is told by what the form showed, not by what is stored by now.
        for field in self.fields.values():
            field.show_hidden_initial = True

    def clean_label(self) -> str:
        """Refuse a label that another live connection of the account has."""
        label = str(self.cleaned_data["label"])
        others = Connection.objects.filter(
            account=self.instance.account_id, label=label, disconnected_at=None
        )
        if others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(
                f"Another connection is already called {label!r}. Choose another label."
            )
        return label


class ReplaceKeyForm(forms.Form):
    """The new key of the same organisation."""

    api_key = _key_field()

    def __init__(self, *args: Any, row: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["api_key"].label = f"New key of {row.organization_name}"


class DisconnectForm(forms.Form):
    """Whether history stays or goes, said plainly, chosen by hand and confirmed."""

    history = forms.ChoiceField(widget=forms.RadioSelect, label="History")
    sure = forms.BooleanField(label="Yes, disconnect and delete the stored key now")

    def __init__(self, *args: Any, row: Connection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = _stored(row)
        field = self.fields["history"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [
            (
                "keep",
                f"Keep: {stored} stay and stay in every report. Connecting the organisation again goes on there.",
            ),
            (
                "erase",
                f"Erase: {stored}, all restatements, names, archived pages and runs are deleted for ever.",
            ),
        ]

    @property
    def is_erasing(self) -> bool:
        """True when the person chose to erase."""
        return bool(self.cleaned_data["history"] == "erase")


def _stored(connection: Connection) -> str:
    rows = DayDigest.objects.filter(connection=connection).aggregate(rows=Sum("row_count"))["rows"] or 0
    days = spans([connection.pk]).get(connection.pk, NOTHING_STORED)
    span = f" of {days.data_from:%d %b %Y} to {days.data_through:%d %b %Y}" if days.data_from else ""
    return f"{rows} cost rows{span}"
