"""Which form of answer a client accepts; there is one, and its problems have a name of their own for it."""

from types import SimpleNamespace

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from foundation.problems import CONTENT_TYPE


class JsonOnly(DefaultContentNegotiation):
    """A client that names only the form of our problems (RFC 9457) accepts JSON, too."""

    # Otherwise `?format=` would be a parameter of every endpoint, and a 404 where it is not json.
    settings = SimpleNamespace(URL_FORMAT_OVERRIDE=None)  # type: ignore[assignment]  # all that it reads of them

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [
            "application/json" if form.partition(";")[0].strip() == CONTENT_TYPE else form
            for form in accepted
        ]
