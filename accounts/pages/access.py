"""Who may open the pages of one's own sign-in: everybody who is signed in, also who belongs to no account."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from accounts.models import User

P = ParamSpec("P")
OwnPage = Callable[Concatenate[HttpRequest, User, P], HttpResponse]


def own(view: OwnPage[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Wrap a view so that it gets the person; what it shows is kept by no cache."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101 - what login_required means here
        answer = view(request, request.user, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, no-store")
        return answer

    return guarded
