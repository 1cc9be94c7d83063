"""Bearer tokens of the REST API: issue, check, remember the last use, revoke."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import audit
from accounts.models import Account, ApiToken, Membership, Role, User

# A busy program would otherwise turn every read into a write.
_LAST_USE_STEP = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new token may do and for how long; without `expires_in` until it is revoked."""

    name: str
    role: Role
    is_read_only: bool = False
    expires_in: dt.timedelta | None = None


@transaction.atomic
def issue(account: Account, owner: User, terms: Terms, *, actor: str) -> tuple[ApiToken, str]:
    """Create a token and return it with its plain text, which exists only here and now."""
    row, plain = ApiToken.objects.create(  # knox's manager returns the pair
        user=owner, expiry=terms.expires_in, account=account, name=terms.name, role=terms.role,
        is_read_only=terms.is_read_only,
    )  # fmt: skip
    row.refresh_from_db(fields=["public_id"])
    audit.record(
        account, actor, "token.issued", row.name, target_id=row.public_id, role=terms.role.value,
        access="read-only" if row.is_read_only else "full", expires=f"{row.expiry:%Y-%m-%d}" if row.expiry else "never",
    )  # fmt: skip
    return row, plain


@transaction.atomic
def revoke(token: ApiToken, *, actor: str) -> None:
    """
    Delete a token: programs that use it get 401 from now on.

    Key:     of two who revoke it the second finds it gone, and nothing is recorded again
    """
    # The account first, as whoever takes a member out with their tokens does.
    Account.objects.select_for_update(no_key=True).get(pk=token.account_id)
    deleted, _ = ApiToken.objects.filter(pk=token.pk).delete()
    if deleted:
        audit.record(
            token.account, actor, "token.revoked", token.name, target_id=token.public_id, role=token.role
        )


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer …` with an unexpired token of an active member of its account."""

    model = ApiToken

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        if not token.isalnum():  # also what is not UTF-8, or holds a NUL byte that no column can take
            raise AuthenticationFailed("Invalid token.")
        user, found = super().authenticate_credentials(token)
        membership = Membership.objects.filter(account_id=found.account_id, user=user).select_related(
            "account"
        )
        owner = membership.first()
        if owner is None:  # they have left the account since
            raise AuthenticationFailed("Invalid token.")
        found.account, found.owner_role = owner.account, Role(owner.role)
        now = timezone.now()
        ApiToken.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _LAST_USE_STEP), pk=found.pk
        ).update(last_used_at=now)
        audit.note_token(found)
        return user, found

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        """Say whether it has expired. knox would delete it, and others of its owner, with every request."""
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
