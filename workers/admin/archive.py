"""Operators' view of the page archive: which requests were answered with what; bodies only for whoever may view pages."""

import contextlib
import json
import zlib
from typing import Any

from django.contrib import admin
from django.db.models.functions import Length
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.operators import ReadOnlyAdmin
from workers.models import Page

_MOST_CHARACTERS = 20_000
# Enough to indent any page that is asked for (at most 1,000 rows), too little for a bomb to hurt.
_MOST_BYTES = 4_000_000


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    """One archived answer."""

    list_display = [
        "requested_at", "path", "step", "sequence", "status_code", "request_id", "compressed_bytes",
    ]  # fmt: skip
    list_select_related = ["step"]
    search_fields = ["=request_id"]
    ordering = ["-id"]
    fields = (
        "step", "attempt", "sequence", "path", "query", "request_id", "status_code", "requested_at",
        "data_refreshed_at", "hash", "compressed_bytes", "document",
    )  # fmt: skip

    class Media:
        css = {"all": ["accounts/operators.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        # Lists must not load a hundred bodies; the one page that is opened loads its own.
        return super().get_queryset(request).defer("body").annotate(compressed=Length("body"))

    @admin.display(description="compressed bytes", ordering="compressed")
    def compressed_bytes(self, page: Any) -> int:
        """Show how much room the body takes."""
        return int(page.compressed)

    @admin.display(description="SHA-256")
    def hash(self, page: Page) -> str:
        """Show the hash of the body as it was received."""
        return bytes(page.sha256).hex()

    @admin.display(description="body")
    def document(self, page: Page) -> SafeString:
        """Show the body, indented when it is JSON, cut at 20,000 characters."""
        return format_html('<pre class="document">{}</pre>', readable(bytes(page.body)))


def readable(compressed: bytes) -> str:
    """Return an archived body as text for a person; what is too long or no JSON is shown as it came."""
    decompressor = zlib.decompressobj()
    try:
        body = decompressor.decompress(compressed, _MOST_BYTES)
    except zlib.error as error:
        return f"The stored body is damaged: {error}."
    text = body.decode("utf-8", errors="replace")
    with contextlib.suppress(ValueError):
        # Amounts arrive as text, so indenting changes no digit of them.
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}\n… cut here: {len(text)} characters in all."
