"""Bearer tokens of the REST API: issue, check, remember the last use."""

import datetime as dt

from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts.models import Account, ApiToken, Role, User

# A busy program would otherwise turn every read into a write.
_LAST_USE_STEP = dt.timedelta(minutes=1)


def issue(
    *, account: Account, name: str, role: Role, owner: User, expires_in: dt.timedelta | None
) -> tuple[ApiToken, str]:
    """Create a token and return it with its plain text, which exists only here and now."""
    row, plain = ApiToken.objects.create(  # knox's manager returns the pair
        user=owner, expiry=expires_in, account=account, name=name, role=role
    )
    return row, plain


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer …` with an unexpired token of an active owner."""

    model = ApiToken

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        if not token.isalnum():  # also what is not UTF-8, or holds a NUL byte that no column can take
            raise AuthenticationFailed("Invalid token.")
        user, found = super().authenticate_credentials(token)
        now = timezone.now()
        ApiToken.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _LAST_USE_STEP), pk=found.pk
        ).update(last_used_at=now)
        return user, found
