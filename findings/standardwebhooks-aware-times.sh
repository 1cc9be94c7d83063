#!/usr/bin/env bash
# standardwebhooks 1.1.0 for Python, Webhook.sign with a time.
#
# sign(id, timestamp, body) takes a datetime. Its second since 1970 is part of what is signed.
# Seen: the zone of the datetime is replaced by UTC instead of converted. At noon in Tokyo the signature is that of noon UTC, nine
# hours later, so verify() refuses it beside the true second in webhook-timestamp. A naive local time goes wrong in the same way.
# What helps: sign with datetime.now(timezone.utc), and write the header from the same value.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet standardwebhooks==1.1.0
venv/bin/python - <<'PY'
import datetime as dt

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_YSBzZWNyZXQgdGhhdCBndWFyZHMgbm90aGluZw==")
utc = dt.datetime.now(dt.timezone.utc)
tokyo = utc.astimezone(dt.timezone(dt.timedelta(hours=9)))
assert utc == tokyo


def is_accepted(moment):
    signature = webhook.sign("msg_1", moment, "{}")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature}
    try:
        webhook.verify("{}", headers)
    except WebhookVerificationError:
        return False
    return True


assert is_accepted(utc), "CHANGED: a time in UTC is refused"
assert not is_accepted(tokyo), "CHANGED: the same moment in another zone is accepted"
assert webhook.sign("msg_1", tokyo, "{}") == webhook.sign("msg_1", tokyo.replace(tzinfo=dt.timezone.utc), "{}"), "CHANGED"
print("As described: one moment has two signatures, and only that of the datetime in UTC is accepted.")
PY
