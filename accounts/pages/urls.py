"""Addresses of sign-in, settings and invitations, each picked by name: allauth's own list has pages nobody wants here."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as single_sign_on
from allauth.socialaccount.providers.openid_connect import views as openid
from django.urls import URLPattern, path, re_path
from django.views.generic import RedirectView, TemplateView

from accounts.pages import audit, people, tokens, you
from accounts.pages.invitation import join

_closed = TemplateView.as_view(template_name="account/signup_closed.html")

# Its mails and redirects name `account_signup`, `account_inactive`, `account_set_password` and `socialaccount_signup`.
# With its e-mail page anybody signed in could take any address without proof.
sign_in: list[URLPattern] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("signup/", _closed, name="account_signup"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("2fa/app/add/", totp.activate_totp, name="mfa_activate_totp"),
    path("2fa/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("2fa/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("2fa/codes/new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("2fa/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("2fa/passkeys/<int:pk>/remove/", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
    path("2fa/passkeys/<int:pk>/edit/", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path("2fa/passkeys/login/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path(
        "2fa/passkeys/reauthenticate/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"
    ),
    path("sso/signup/", _closed, name="socialaccount_signup"),
    path("sso/cancelled/", single_sign_on.login_cancelled, name="socialaccount_login_cancelled"),
    path("sso/error/", single_sign_on.login_error, name="socialaccount_login_error"),
    re_path(r"^(?P<provider_id>sso)/login/$", openid.login, name="openid_connect_login"),
    re_path(r"^(?P<provider_id>sso)/login/callback/$", openid.callback, name="openid_connect_callback"),
]

# allauth leads here after a change of second factors, under these two names.
own: list[URLPattern] = [
    path("settings/you/", you.you, name="mfa_index"),
    path("settings/you/passkeys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("invitations/<str:token>/", join, name="invitation"),
]

settings: list[URLPattern] = [
    path("", RedirectView.as_view(pattern_name="mfa_index"), name="index"),
    path("you/sessions/<int:session_id>/end/", you.end_session, name="end_session"),
    path("you/sessions/end-others/", you.end_others, name="end_others"),
    path("people/", people.people_page, name="people"),
    path("people/invite/", people.invite, name="invite"),
    path("people/<int:membership_id>/role/", people.change_role, name="change_role"),
    path("people/<int:membership_id>/remove/", people.remove, name="remove"),
    path("people/invitations/<uuid:invitation_id>/withdraw/", people.withdraw, name="withdraw"),
    path("tokens/", tokens.tokens_page, name="tokens"),
    path("tokens/new/", tokens.issue, name="issue_token"),
    path("tokens/<uuid:public_id>/revoke/", tokens.revoke, name="revoke"),
    path("audit/", audit.audit_page, name="audit"),
    path("audit.csv", audit.audit_csv, name="audit_csv"),
]
