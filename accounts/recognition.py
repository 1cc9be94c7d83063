"""Tells the door of the web process whose token or session a request came with; decides nothing."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from accounts.models import ApiToken
from runtime.rooms import people


def middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Introduce whoever was found to be signed in, so that a person's requests count as one person's from then on."""

    def recognise(request: HttpRequest) -> HttpResponseBase:
        answer = get_response(request)
        _introduce(request)
        return answer

    return recognise


def _introduce(request: HttpRequest) -> None:
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        secret = request.headers["Authorization"].partition(" ")[2].strip()
        people.introduce(secret.encode("latin-1", "replace"), token.user_id)
    # Who nobody has looked at stays unknown; looking now would cost every program a query.
    elif request.session.accessed and request.user.is_authenticated:
        people.introduce((request.session.session_key or "").encode(), request.user.pk)
