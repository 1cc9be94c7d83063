"""What people may submit; keys are write-only: no form ever renders the value it was given."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from dashboard.models import NAME_LENGTH, QUERY_LENGTH, Tile
from integrations.models import Connection

_NAME_LENGTH = 120
# Real keys have about 110 characters; the rest is room for what Anthropic may invent.
_KEY_LENGTH = 512


def _key_field(label: str) -> forms.CharField:
    attributes = {
        "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none",
        "placeholder": "sk-ant-admin01-…", "data-1p-ignore": "", "data-lpignore": "true",
    }  # fmt: skip
    return forms.CharField(
        label=label,
        max_length=_KEY_LENGTH,
        widget=forms.PasswordInput(render_value=False, attrs=attributes),
        error_messages={
            "required": "Paste the key first.",
            "max_length": "This is longer than any Anthropic key. Paste the key alone.",
        },
    )


class _Named(forms.Form):
    label = forms.CharField(label="Label", max_length=_NAME_LENGTH, required=False)
    cost_center = forms.CharField(label="Cost centre", max_length=_NAME_LENGTH, required=False)

    def refuse_label(self, error: Exception) -> None:
        """Show that the label is taken beside its field."""
        self.add_error("label", str(error))


class AddForm(_Named):
    """A new connection."""

    api_key = _key_field("API key")
    field_order = ["api_key", "label", "cost_center"]


class KeyForm(forms.Form):
    """A key alone: to be tested, or to replace a stored one."""

    api_key = _key_field("API key")


class EditForm(_Named):
    """What people call a connection and whom it is charged to; it remembers what it showed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].required = True
        for field in self.fields.values():
            field.show_hidden_initial = True

    def changes(self) -> dict[str, Any]:
        """Return what the person changed: the rest may have been changed by somebody else meanwhile."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class CostCenterForm(forms.Form):
    """The cost centre of each of several connections; it remembers what it showed."""

    def __init__(self, connections: Sequence[Connection], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        for connection in connections:
            self.fields[str(connection.pk)] = forms.CharField(
                label=f"Cost centre of {connection.label}",
                max_length=_NAME_LENGTH,
                required=False,
                initial=connection.cost_center,
                show_hidden_initial=True,
                widget=forms.TextInput(attrs={"list": "known", "autocomplete": "off"}),
            )

    def rows(self) -> list[tuple[Connection, forms.BoundField]]:
        """Return each connection with its field."""
        return [(connection, self[str(connection.pk)]) for connection in self._connections]

    def changes(self) -> list[tuple[Connection, str]]:
        """Return the connections that the person charges to somebody else; what was not touched stays as it is."""
        wanted = [
            (connection, self.cleaned_data[str(connection.pk)])
            for connection in self._connections
            if str(connection.pk) in self.changed_data
        ]
        return [(connection, name) for connection, name in wanted if name != connection.cost_center]


class DisconnectForm(forms.Form):
    """How a connection ends: erasing needs its label typed, because nothing brings the history back."""

    KEEP, ERASE = "keep", "erase"

    history = forms.ChoiceField(
        choices=[(KEEP, "Keep the history"), (ERASE, "Erase the history")],
        error_messages={"required": "Choose what happens to the history."},
    )
    confirmation = forms.CharField(label="Label", max_length=_NAME_LENGTH, required=False)

    def __init__(self, connection: Connection, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._label = connection.label

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("history") == self.ERASE and cleaned.get("confirmation") != self._label:
            self.add_error("confirmation", "To erase the history, type the label exactly as it is shown.")
        return cleaned


class _KeptForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        error_messages={
            "required": "Give it a name.", "max_length": f"A name has at most {NAME_LENGTH} characters.",
        },
    )  # fmt: skip
    is_shared = forms.BooleanField(label="Share with everybody of the account", required=False)


class KeptForm(_KeptForm):
    """The name of a saved view or a dashboard, and who sees it."""


class ViewForm(_KeptForm):
    """A state of a page to be kept; the state itself is read by the page's own rules."""

    query = forms.CharField(
        required=False,
        max_length=QUERY_LENGTH,
        error_messages={"max_length": "There are too many filters to save. Choose fewer values."},
    )


class TileForm(forms.Form):
    """How wide a tile is and what it shows."""

    width = forms.ChoiceField(choices=Tile.Width.choices)
    shows = forms.ChoiceField(choices=Tile.Shows.choices)

    @classmethod
    def of(cls, tile: Tile, data: QueryDict | None = None) -> "TileForm":
        """Return the form of one tile; its fields have names of their own, since a page has many tiles."""
        return cls(data, prefix=f"tile-{tile.pk}", initial={"width": tile.width, "shows": tile.shows})
