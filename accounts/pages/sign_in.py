"""Sign-in rules: people are invited, nobody signs up by themselves, and mails leave through the outbox."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.models import EmailAddress
from allauth.account.utils import user_email
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts import invitations, links
from accounts.models import User
from alerts import outbox
from alerts.outbox import Message


class AccountAdapter(DefaultAccountAdapter):
    """Closes public registration; a mail is written now and sent by a worker."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        return False

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        # allauth writes the whole row back, also where somebody was shut out while the password was hashed.
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002 - allauth's signature
        return reverse("mfa_index")

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        # allauth would write only to addresses in its own table, which is not where ours are.
        super().send_notification_mail(template_prefix, user, context, email or user_email(user))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """
        Write a mail to one person into the outbox.

        A mail server that is away does not fail the request that way, and whether a mail was sent does not show in
        how long the answer to a stranger takes.
        """
        request = self.request
        # Likewise the name of the site, which mails tell.
        site = {"name": urlsplit(settings.PUBLIC_URL).netloc, "domain": urlsplit(settings.PUBLIC_URL).netloc}
        values = {"request": request, "email": email, **context, "current_site": site}
        mail = self.render_mail(template_prefix, email, values)
        message = Message(
            f"sign-in:{uuid.uuid4()}",
            template_prefix.rpartition("/")[2][:40],
            str(mail.subject),
            str(mail.body),
            email,
        )
        outbox.enqueue(None, message, now=timezone.now())


class ResetPasswordForm(AllauthResetPasswordForm):
    """
    Asks for a link to a new password; whether anybody has the address is looked up when the mail is sent.

    So the answer to a stranger cannot take longer for somebody than for nobody: it never knows.
    """

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        return email.lower()

    def save(self, request: HttpRequest, **_: Any) -> str:  # noqa: ARG002 - allauth's signature
        email: str = self.cleaned_data["email"]
        # Not with the Host of the request: a stranger who asks for the mail would choose where its key leads.
        path = reverse("account_reset_password_from_key", args=links.PLACE.split("-"))
        context = {"password_reset_url": settings.PUBLIC_URL + path}
        get_adapter().send_mail(f"account/email/{links.NEW_PASSWORD}", email, context)
        return email


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Lets in who is known here or invited, by an address that the identity provider has verified."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.state.get("process", AuthProcess.LOGIN) != AuthProcess.LOGIN:
            # Tying a foreign identity to somebody who is signed in is not offered; a forged link must not do it.
            raise ImmediateHttpResponse(self._refusal(request))
        user = sociallogin.user
        if sociallogin.is_existing and isinstance(user, User):
            # Nobody signs up by themselves: an operator or an invitation's mail vouched for this address. Without
            # the mark allauth would take the person's password away, as if a stranger had registered it.
            EmailAddress.objects.get_or_create(
                user=user, email=user.email, defaults={"verified": True, "primary": True}
            )

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        return any(
            address.verified and invitations.is_invited(address.email, now=timezone.now())
            for address in sociallogin.email_addresses
        )

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        user.email = user.email.lower()
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        invitations.accept_all(user, now=timezone.now())
        return user

    def _refusal(self, request: HttpRequest) -> HttpResponse:
        return render(request, "account/signup_closed.html", status=403)
