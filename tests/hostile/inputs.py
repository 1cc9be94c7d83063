"""What strangers send: texts, numbers, days, ids, places in lists, documents and headers that mean harm or make no sense."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import base64
import json

# Legal wherever any text is: it has to be kept as it is, shown escaped, and run nowhere.
TEXTS = [
    # SQL
    "' OR '1'='1", "'; DROP TABLE costs_costfact; --", '" OR ""="', "1; SELECT pg_sleep(9)--", "x' UNION SELECT NULL,NULL--",
    "') OR 1=1--", "admin'--", "%' AND 1=0 UNION ALL SELECT sealed FROM integrations_credential--", "\\'; --", "$$;SELECT 1;$$",
    "%", "_", "%%", "%s", "%(account)s", "{0}", "a%' ESCAPE '",
    # Templates and formats
    "{{ 7*7 }}", "{% debug %}", "{% include '/etc/passwd' %}", "{{ request.user.password }}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "{0.__class__.__mro__}", "%n%n%n%n", "%x%x%x", "${jndi:ldap://127.0.0.1/a}", "{{constructor.constructor('alert(1)')()}}",
    "{actor}", "{target}", "{changes}", "{", "}", "{}", "{{", "{%",
    # HTML and scripts
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg/onload=alert(1)>', "'><b>", "javascript:alert(1)",
    "</script><script>alert(1)</script>", "<!--", "]]>", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "&lt;b&gt;",
    "</title><b>", "<style>*{display:none}</style>", "<base href=//evil.example>", "&#x3c;script&#x3e;", '" autofocus onfocus=alert(1) x="',
    # Spreadsheets
    "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://evil.example")', "\t=1", "\r=1", '=""&A1', "|x",
    # Shells, paths, addresses, mails
    "; rm -rf /", "$(id)", "`id`", "| cat /etc/passwd", "../../../../etc/passwd", "..\\..\\windows", "/etc/passwd", "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/", "//evil.example", "a\r\nBcc: b@example.com", "a\r\nSet-Cookie: a=b", "a\nX: y", "CON",
    "a%0d%0aSet-Cookie:%20a=b", "\\\\evil.example\\share",
    # Text that is hard to show
    "\u202etxt.exe", "\u200b", "a\u200bb", "\ufeffx", "e\u0301", "\u0130", "ﬀ", "\U0001f4a9", "\u2028", "\u2029", "\x1b[2J", "\x07", "\x7f",
    "\u0085", "Ω" * 60, "a" * 100, "\u0e47" * 60, "ı", "ſ", "K", "\ud7ff", "\ufffe", "\U0010ffff", "null ", " null", "NULL", "None",
    "undefined", "NaN", "true", "[]", "[object Object]", "__proto__", "constructor", "hasOwnProperty", "0", "-0", "1e9", "0x10", "١٢٣",
]  # fmt: skip
# No column takes a NUL byte, and half a surrogate pair is no character.
NO_TEXTS = ["\0", "a\0b", "'\0--"]
NO_UTF_8 = ["%ff", "%c0%80", "%ed%a0%80", "%f8%88%80%80%80", "%80abc", "a%c3", "%fe%fe%ff%ff", "%f4%90%80%80"]

NO_DAYS = [
    "2026-13-01", "2026-02-30", "2026-00-10", "2026-11-00", "0000-00-00", "0001-01-01", "9999-12-31", "2019-12-31", "2100-01-02",
    "20261101", "2026-1-1", "2026-11-1", "01-11-2026", "11/01/2026", "2026-W45-1", "2026-305", "yesterday", "now", "today", "-1", "0",
    "1e9", "NaN", "2026-11-01T00:00:00Z", "2026-11-01 ", " 2026-11-01", "2026-11-01\n", "2026\u201311\u201301", "２０２６-11-01", "٢٠٢٦-١١-٠١",
    "2026-11-01;", "2026-11-01'--", "2026-11-01%00", "{{2026}}", "null", "true", "[]", "-2026-11-01", "+2026-11-01", "12026-11-01",
]  # fmt: skip
NO_NUMBERS = [
    "0", "-1", "1001", "1.5", "1e2", "0x10", "NaN", "Infinity", "-Infinity", "99999999999999999999", "9" * 400, "ten", "1,000",
    "1_000x", "'1'", "1;--", "{{1}}", "null", "true", "[]", "1 OR 1=1", "\u00bd", "--1", "+-1", "1\0",
]  # fmt: skip
NO_IDS = [
    "1", "0", "-1", "x", "'", "null", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000",
    "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", "' OR '1'='1", "../", "{{1}}", "<script>", "[]", "1e9", "a" * 300, "%s", "\u0661",
    "00000000-0000-0000-0000-000000000000' OR 1=1--", "urn:uuid:", "NaN",
]  # fmt: skip
NO_CHOICES = [*TEXTS[:60], *NO_TEXTS, "DAY", "Day", "day ", " day", "month,day", "day;", "a" * 1000]


def _place(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


NO_PLACES = [
    "x", "!!!!", "=", "====", "AAAA", "a" * 999, "ä", "' OR 1=1--", "{{7*7}}", _place([]), _place({}), _place(None), _place(0), _place("x"),
    _place([0]), _place([2, "a"]), _place([True, "a", "b"]), _place([0, None, None]), _place([0, 1, 2]), _place([0, "a", "b", "c", "d"]),
    _place([0, "2026-11-01\0", "1"]), _place([0, ["a"], "1"]), _place([0, "9" * 5000, "9" * 5000]), _place([0, "NaN", "NaN"]),
    _place([0, "99999-01-01", "1"]), _place([0, "2026-11-01", "' OR 1=1"]), _place([0, "2026-11-01", str(1 << 64)]),
    base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("="), base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
    base64.urlsafe_b64encode(b"[1e999]").decode().rstrip("="), base64.urlsafe_b64encode(b'[0,"a"').decode().rstrip("="),
]  # fmt: skip

# No JSON document, or none that is an object.
NO_OBJECTS: list[bytes] = [
    b"{", b"}", b"[", b"]", b"[]", b"[{}]", b'""', b'"x"', b"1", b"-1", b"1e999", b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"{]",
    b"{'a': 1}", b"{a: 1}", b'{"a": 1,}', b'{"a" 1}', b'{"a": }', b"{}{}", b"{} x", b"// x\n{}", b"/**/{}", b"\xff\xfe{\x00}\x00",
    b"\x00", b"{}\x00", b"\xff", b'{"a": "\xff"}', b'{"a": "\n"}', b'{"a": "\\x"}', b'{"a": "\\u12"}', b"<xml/>", b"a=b", b"--x\r\n",
    b"[" * 2000, b'{"a":' * 2000, b"9" * 5000, b'{"a": ' + b"9" * 6000 + b"}", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"%PDF-1.7",
    b'!!python/object/apply:os.system ["id"]', b"gASVAAAAAAAAAAA=", b'O:8:"stdClass":0:{}',
]  # fmt: skip
# Objects that no endpoint takes: members it does not know.
STRANGE_OBJECTS: list[object] = [
    {"__proto__": {"is_admin": True}}, {"constructor": {"prototype": {}}}, {"$where": "1"}, {"$ne": None}, {"id": 1}, {"account": 1},
    {"account_id": "00000000-0000-0000-0000-000000000000"}, {"role": "admin"}, {"is_staff": True}, {"status": "active"}, {"key_hint": "x"},
    {"organization_id": "org-x"}, {"credential": {"sealed": ""}}, {"connected_at": "2020-01-01"}, {"wanted_from": "2020-01-01"},
    {"label[]": "x"}, {"label.x": 1}, {"": 1}, {" ": 1}, {"\0": 1}, {"a" * 5000: 1}, {"cost_source": "x"}, {"plan": "ultimate"},
    {"_method": "DELETE"}, {"csrfmiddlewaretoken": "x"}, {"ANTHROPIC_BASE_URL": "http://evil.example"}, {"base_url": "http://evil.example"},
    {"webhook_url": "http://169.254.169.254/"}, {"provider_url": "file:///etc/passwd"}, {"{{7*7}}": 1}, {"' OR 1=1--": 1}, {"<script>": 1},
]  # fmt: skip
# Values of the wrong type for a member that is a text.
NO_STRINGS: list[object] = [
    True, False, [], ["x"], {}, {"a": 1}, [[]], {"$gt": ""}, {"toString": "x"}, [None], "\0", "a\0", "a" * 5000, "\ud800",
]  # fmt: skip
# No text is a key; none of them may go upstream. Keys may be empty neither.
NO_KEYS: list[object] = [
    *NO_STRINGS, *TEXTS, "", " ", None, "sk-ant-", "sk-ant-admin01-", "sk-ant-admin01-é", "sk-ant-admin01-a b", "sk-ant-admin01-a\r\nx-api-key: b",
    "sk-ant-admin01-" + "a" * 600, "SK-ANT-ADMIN01-AAAAAAAAAAAAAAAAAAAA", "sk-openai-1234567890abcdef",
]  # fmt: skip

# What opens no door: each is the whole header.
NO_AUTHORIZATIONS = [
    "", " ", "Bearer", "Bearer ", "Bearer  ", "Bearer x y", "bearer x", "Basic YTpi", "Digest a", "Negotiate YTpi", "Token x", "Bearer null",
    "Bearer undefined", "Bearer " + "a" * 64, "Bearer " + "a" * 5000, "Bearer ' OR '1'='1", "Bearer {{7*7}}", "Bearer ../x", "Bearer \x7f",
    "Bearer %00", "Bearer é", "Bearer <script>", "Bearer " + "0" * 128, "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer 0, Bearer 1",
    "AWS4-HMAC-SHA256 x", "x" * 4000, "Bearer\tabc", "Bearer=abc", '"Bearer" abc', "Bearer [object Object]", "Bearer $(id)", "Bearer %s%n",
]  # fmt: skip
NO_HOSTS = [
    "evil.example", "evil.example:80", "localhost.evil.example", "localhost@evil.example", "localhost:evil", "a b", "", "..", "-", "[::1",
    "127.0.0.1.evil.example", "localhost\\evil.example", "localhost/evil", "localhost?x", "localhost#x", "é.example",
    "localhost,evil.example", "testserver.evil.example", "<script>", "{{7*7}}", "' OR 1=1--", "0", "169.254.169.254", "a" * 300,
]  # fmt: skip
NO_CONTENT_TYPES = [
    "text/plain", "text/xml", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html",
    "application/x-yaml", "application/octet-stream", "application/json5", "application/x-python-serialize", "x", "/", "json",
    "application/jsonp", "application/csp-report", "application/zip", "application/msgpack", "text/csv", "application/json/evil",
]  # fmt: skip
NO_METHODS = [
    "PUT",
    "TRACE",
    "CONNECT",
    "OPTIONS",
    "PROPFIND",
    "MOVE",
    "LOCK",
    "FOO",
    "GETX",
    "DEBUG",
    "PURGE",
    "LINK",
    "SEARCH",
]
NO_KEYS_OF_IDEMPOTENCY = ["\x7f", "é", "a" * 256, "a\tb", "\u202e", "a\x01", "ä" * 3]
# Headers that some servers obey; here nobody does, and the answer is the one without them.
IGNORED_HEADERS = [
    {"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method": "DELETE"}, {"X-Method-Override": "DELETE"}, {"X-Original-URL": "/admin/"},
    {"X-Rewrite-URL": "/admin/"}, {"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Server": "evil.example"}, {"X-Host": "evil.example"},
    {"Forwarded": "host=evil.example"}, {"X-Forwarded-For": "' OR 1=1--"}, {"X-Real-IP": "127.0.0.1"}, {"X-User-Id": "1"}, {"X-Remote-User": "root"},
    {"Remote-User": "root"}, {"X-Account": "1"}, {"Range": "bytes=0-1,1-2"}, {"Range": "bytes=" + ",".join("0-" for _ in range(500))},
    {"If-Modified-Since": "x"}, {"If-Unmodified-Since": "99999"}, {"Accept-Language": "../../etc/passwd"}, {"Accept-Language": "{{7*7}}"},
    {"Accept-Encoding": "gzip;q=NaN"}, {"Accept-Encoding": "x" * 3000}, {"Cookie": "sessionid=' OR 1=1--"}, {"Cookie": "sessionid=" + "a" * 3000},
    {"Cookie": "csrftoken={{7*7}}; messages=x"}, {"Cookie": "\x7f=\x7f; =; ;"}, {"Referer": "javascript:alert(1)"}, {"User-Agent": "${jndi:ldap://x}"},
    {"User-Agent": "() { :;}; id"}, {"User-Agent": "<script>alert(1)</script>"}, {"Origin": "null"}, {"Origin": "https://evil.example"},
    {"X-Request-ID": "a\x1b[2J"}, {"X-Request-ID": "a" * 3000}, {"traceparent": "x"}, {"HX-Request": "x"}, {"HX-Target": "<script>"},
    {"Expect": "200-ok"}, {"Upgrade": "h2c"}, {"Connection": "close, X-Real-IP"}, {"Max-Forwards": "-1"}, {"Te": "trailers, x"},
]  # fmt: skip
NO_PATHS = [
    "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../config/settings.py", "/static/..%2f..%2fconfig%2fsettings.py",
    "/static/%00", "/%00", "/\0", "/.git/config", "/.env", "/wp-login.php", "/cgi-bin/x", "/server-status", "/actuator/env", "/api/v1/../../admin/x",
    "/api/v1/costs/..;/x", "/api/v1/connections/%27/", "/api/v1/connections/1/", "/api/v1/connections/{{7*7}}/", "/api/v1/tokens/%00/",
    "/api/v1/%ff%fe/", "/api/v2/costs/", "/api/v1/costs//", "/api/v1/COSTS/", "/api/v1/costs/.json", "/connections/%27%20OR%201=1/",
    "/connections/00000000-0000-0000-0000-000000000000/../x/", "/views/x/", "/dashboards/1/", "/settings/tokens/1/revoke/", "/static/x.map",
    "/settings/people/99999999999999999999999999/remove/", "/settings/people/-1/remove/", "/explore/filters/__class__/", "/explore/filters/x%00/",
    "/invitations/x:y/", "/invitations/%00/", "/invitations/" + "a" * 2000 + "/", "/media/x", "/api/" + "a/" * 500, "/" + "a" * 3000,
    "/accounts/sso/login/", "/accounts/google/login/", "/admin%00/", "/\u202eadmin", "/%e2%80%ae",
]  # fmt: skip
