"""The table of fault kinds; a new kind is one function and one row here."""

from __future__ import annotations

from . import bodies, deliveries, documents, replies
from .fault import Kind

KINDS = {
    "rate_limit_retry_after": Kind(
        reply=replies.rate_limit_retry_after, options=("seconds", "as_date", "clock")
    ),
    "rate_limit_bare": Kind(reply=replies.rate_limit_bare),
    "rate_limit_reset_header": Kind(reply=replies.rate_limit_reset_header, options=("seconds", "at")),
    "status": Kind(reply=replies.status, options=("status", "type", "message", "error_code")),
    "server_error": Kind(reply=replies.server_error),
    "overloaded": Kind(reply=replies.overloaded),
    "gateway_html": Kind(reply=replies.gateway_html, options=("status",)),
    "html_200": Kind(reply=replies.html_200),
    "not_json": Kind(reply=replies.not_json),
    "missing_scope": Kind(reply=replies.missing_scope, options=("got", "needed")),
    "revoked": Kind(reply=replies.revoked),
    "cursor_expired": Kind(reply=replies.cursor_expired, needs_cursor=True),
    "cursor_mismatch": Kind(reply=replies.cursor_mismatch, needs_cursor=True),
    "endless_pages": Kind(reply=replies.endless_pages, options=("rows", "circle")),
    "gzip_bomb": Kind(reply=replies.gzip_bomb, options=("megabytes",)),
    "repeat_page_token": Kind(spoil=documents.repeat_page_token),
    "has_more_without_token": Kind(spoil=documents.has_more_without_token),
    "day_outside_window": Kind(spoil=documents.day_outside_window),
    "bad_amount": Kind(spoil=documents.bad_amount, options=("value",)),
    "currency_eur": Kind(spoil=documents.currency_eur, options=("value",)),
    "refreshed_between_pages": Kind(spoil=documents.refreshed_between_pages),
    "duplicate_rows": Kind(spoil=documents.duplicate_rows),
    "negative_rows": Kind(spoil=documents.negative_rows),
    "unknown_values": Kind(spoil=documents.unknown_values),
    "new_field": Kind(spoil=documents.new_field, options=("name", "value")),
    "open_bucket": Kind(spoil=documents.open_bucket, options=("hour",)),
    "wrong_content_type": Kind(alter=bodies.wrong_content_type, options=("value",)),
    "invalid_utf8": Kind(alter=bodies.invalid_utf8),
    "nan_json": Kind(alter=bodies.nan_json, options=("value", "as_string")),
    "huge_number": Kind(alter=bodies.huge_number, options=("value", "as_string")),
    "duplicate_keys": Kind(alter=bodies.duplicate_keys),
    "big_page": Kind(alter=bodies.big_page, options=("megabytes",)),
    "slow": Kind(deliver=deliveries.slow, arrives=True, options=("seconds",)),
    "drip": Kind(deliver=deliveries.drip, arrives=True, options=("bytes", "interval")),
    "cut_body": Kind(deliver=deliveries.cut_body),
    "hang": Kind(deliver=deliveries.hang, options=("seconds", "inside_body")),
    "connection_reset": Kind(deliver=deliveries.connection_reset),
}
