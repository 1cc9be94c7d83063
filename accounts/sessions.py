"""The sessions of a person: when each was last used, and ending them."""

import time
from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from accounts import audit
from accounts.models import User

# Pages ask for parts of themselves every other second; one write a minute says enough.
_STEP_SECONDS = 60


def last_seen_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Note when and from where each session was last used, at most once a minute."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        key = request.session.session_key
        if key and request.user.is_authenticated and _recently.is_time(key, time.monotonic()):
            UserSession.objects.filter(session_key=key).update(
                last_seen_at=timezone.now(), ip=request.META["REMOTE_ADDR"]
            )
        return get_response(request)

    return middleware


def private_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """
    Let nobody keep a page that was made for a signed-in person, unless its view says otherwise.

    Pages of allauth and errors say nothing; whoever goes back in a shared browser would read them.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        # Who nobody has looked at, the answer does not depend on; looking now would cost every program a query.
        if request.session.accessed and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


class _Recently:
    """
    Remembers in this process what was noted within the last minute.

    Not in Redis: pages must open while it does not answer, and a write a minute and process is little enough.
    """

    def __init__(self, most: int) -> None:
        self._noted: dict[str, float] = {}
        self._most = most

    def is_time(self, key: str, now: float) -> bool:
        """Say whether this was not noted within the last minute, and note it."""
        if now - self._noted.get(key, -_STEP_SECONDS) < _STEP_SECONDS:
            return False
        if len(self._noted) >= self._most:
            self._noted.clear()  # at worst each is written once more
        self._noted[key] = now
        return True


_recently = _Recently(most=10_000)


def list_of(user: User) -> list[UserSession]:
    """Return the person's live sessions, the last used first; dead ones are forgotten."""
    live: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(live, key=lambda session: session.last_seen_at, reverse=True)


def end(user: User, *, only: int | None = None, but: str | None = None) -> int:
    """
    End sessions of a person: one by its id, or all but the one with the given key; return how many.

    Effects: whoever holds such a session is asked to sign in with the next request
    """
    found = UserSession.objects.filter(user=user).exclude(session_key=but)
    chosen = list(found if only is None else found.filter(pk=only))
    for session in chosen:
        session.end()
    if chosen:
        audit.record_person(user, "sessions.ended", count=len(chosen))
    return len(chosen)
