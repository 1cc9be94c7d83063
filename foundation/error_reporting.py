"""Crash reports (Django's mails to administrators, and its debug pages) without anything secret in them."""

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from foundation.logs import redact


class ReportFilter(SafeExceptionReporterFilter):
    """
    Shows no local variable of any frame, nothing that was posted, and no setting that can hold a secret.

    A decrypted key is a plain text in some local on its way to the request that needs it. Naming those variables
    one by one would miss the next one.
    """

    # Addresses of servers hold their passwords.
    hidden_settings = re.compile(
        "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|URL|DATABASES|CACHES|PROVIDERS", re.IGNORECASE
    )

    def get_traceback_frame_variables(
        self,
        request: HttpRequest | None,  # noqa: ARG002 - Django's signature
        tb_frame: FrameType,  # noqa: ARG002
    ) -> ItemsView[str, Any]:
        return {}.items()

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return {} if request is None else dict.fromkeys(request.POST, self.cleansed_substitute)


class Report(ExceptionReporter):
    """A report whose words, too, are free of keys: an exception's message may quote one."""

    def get_traceback_html(self) -> SafeString:
        return _without_keys(super().get_traceback_html())

    def get_traceback_text(self) -> SafeString:
        return _without_keys(super().get_traceback_text())


def _without_keys(report: SafeString) -> SafeString:
    # As safe as before: what is put in place of a key has no character that HTML cares about.
    return mark_safe(redact(report))  # noqa: S308
