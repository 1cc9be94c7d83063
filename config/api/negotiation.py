"""Which form of answer a client accepts; there is one, and its problems have a name of their own for it."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from config.problems import CONTENT_TYPE


class JsonOnly(DefaultContentNegotiation):
    """A client that names only the form of our problems (RFC 9457) accepts JSON, too."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted: list[str] = super().get_accept_list(request)
        return [
            "application/json" if form.partition(";")[0].strip() == CONTENT_TYPE else form
            for form in accepted
        ]
