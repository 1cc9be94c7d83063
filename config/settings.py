"""Django settings, all from the environment; sections follow `.env.example`."""

import sys
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from foundation import env, logs, role

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Secrets -----------------------------------------------------------------------------------
SECRET_KEY = env.secret("SECRET_KEY")
# AES-256-GCM ring for stored provider keys: ((key id, 32 bytes), …), the first one is active.
CREDENTIAL_KEYS = env.key_ring("CREDENTIAL_KEYS", provider=env.text("CREDENTIAL_KEYS_PROVIDER", ""))

# --- Services ----------------------------------------------------------------------------------
try:
    _database = environ.Env.db_url_config(env.secret("DATABASE_URL"))
except (ValueError, environ.ImproperlyConfigured) as error:
    raise ImproperlyConfigured("DATABASE_URL: it is not a postgres:// address.") from error
if "postgresql" not in _database["ENGINE"]:
    raise ImproperlyConfigured("DATABASE_URL: PostgreSQL is the only database supported. Use postgres://…")
DATABASES = {
    "default": {
        **_database,
        # Every web and worker thread keeps its connection; health checks replace one that a restart of
        # the server broke before it is used.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            # In pg_stat_activity and the server's log; the address or PGAPPNAME may say something else.
            "fallback_application_name": f"tallystick {role.name_of(sys.argv)}",
            # A server or network that vanished without a word: found within 25 s when idle, within 20 s when
            # something sent is not acknowledged. Without them a thread waits for as long as the kernel does:
            # a quarter of an hour, or two. libpq ignores all four on a socket of this machine.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            **_database.get("OPTIONS", {}),
        },
    },
}
# One Redis database, told apart by key prefix (managed clusters offer only database 0):
#   tallystick:broker:*      queues, and what else kombu keeps  ·  tallystick:bucket:*  rate limits
#   tallystick:key-owner:*   whose key it was when last tested
#   tallystick:beat          there while beat lives
#   tallystick:cache:*       cache (sign-in throttles, nothing that must last)
REDIS_URL = env.redis_url("REDIS_URL")
CELERY_BROKER_URL = env.broker_url(REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "tallystick:cache",
        # A server that takes packets and never answers must not hold a thread of the web process.
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    },
}

# --- Anthropic ---------------------------------------------------------------------------------
# Keys travel there.
ANTHROPIC_BASE_URL = env.https_url("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
ANTHROPIC_REQUESTS_PER_MINUTE = env.number("ANTHROPIC_REQUESTS_PER_MINUTE", "1", low=0.01, high=60_000)
ANTHROPIC_BURST = env.whole("ANTHROPIC_BURST", "10", low=1, high=10_000)
# The analytics family allows 60 requests in any minute: a full bucket and a minute's refill together stay below.
ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE = env.number(
    "ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE", "50", low=0.01, high=60_000
)
ANTHROPIC_ANALYTICS_BURST = env.whole("ANTHROPIC_ANALYTICS_BURST", "10", low=1, high=10_000)
ANTHROPIC_TIMEOUT_SECONDS = env.number("ANTHROPIC_TIMEOUT_SECONDS", "30", low=1, high=60)
DAILY_SYNC_UTC = env.time_of_day("DAILY_SYNC_UTC", "06:00")
REREAD_DAYS_PLATFORM = env.whole("REREAD_DAYS_PLATFORM", "7", low=1, high=30)
REREAD_DAYS_ENTERPRISE = env.whole("REREAD_DAYS_ENTERPRISE", "30", low=1, high=30)
# Reports that are not read. The bill itself (cost_report, enterprise_cost) is always read.
REPORTS_OFF = env.names(
    "REPORTS_OFF",
    known={
        "usage_report", "claude_code", "analytics_cost", "analytics_cost_serving", "analytics_usage",
        "analytics_usage_serving", "enterprise_cost_speed", "enterprise_usage", "enterprise_usage_speed",
        "api_keys", "users", "members",
    },
)  # fmt: skip
# How long the raw answers are kept after their window was written; 0 keeps them for ever.
PAGE_ARCHIVE_DAYS = env.whole("PAGE_ARCHIVE_DAYS", "0", low=0, high=36_500)

# --- Engine ------------------------------------------------------------------------------------
# A worker holds a lane at most this long; longer than any request (60 s) plus any write.
LEASE_SECONDS = env.whole("LEASE_SECONDS", "120", low=2, high=3600)
# How long the tick waits for a woken lane to be claimed before it assumes the message was lost.
WAKE_SECONDS = env.whole("WAKE_SECONDS", "60", low=1, high=3600)
# The daily wave is spread over this many seconds by a stable jitter per connection.
DAILY_JITTER_SECONDS = env.whole("DAILY_JITTER_SECONDS", "1800", low=0, high=43_200)

# --- Web ---------------------------------------------------------------------------------------
DEBUG = False
# Where links in pages and e-mails lead: the address that people know, and so one that is answered and believed.
PUBLIC_URL = env.http_url("PUBLIC_URL", "http://localhost:8000")
ALLOWED_HOSTS = [
    *(h.strip() for h in env.text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")),
    env.host_of(PUBLIC_URL),
]
# A proxy may change Host or scheme on the way; what a browser names as the origin of a form is this all the same.
CSRF_TRUSTED_ORIGINS = [*env.origins("CSRF_TRUSTED_ORIGINS"), env.origin_of(PUBLIC_URL)]
CSRF_FAILURE_VIEW = "foundation.problems.forged_form"
# Whose X-Forwarded-For and X-Forwarded-Proto are believed; from everybody else they are removed.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", "127.0.0.1,::1")
IPWARE_META_PRECEDENCE_ORDER = ("REMOTE_ADDR",)  # the logs' reader of addresses: ours is the only answer
# Off by default so that http://localhost can sign in; an https address for people is as good as saying so.
_behind_tls = env.text("BEHIND_TLS", "no").lower() in {"1", "yes", "true", "on"} or PUBLIC_URL.startswith(
    "https://"
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _behind_tls
SECURE_HSTS_SECONDS = 31_536_000 if _behind_tls else 0
# Only what a trusted proxy sent is left of it (foundation.request_guards).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    },
}

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "runtime",
    "accounts",
    "integrations",
    "costs",
    "workers",
    "alerts",
    "dashboard",
    "devtools.demo",
    "config.admin_without_pages.OperatorsWithoutPages"
    if role.is_engine(sys.argv)
    else "accounts.apps.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_filters",
    "django_htmx",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]
MIDDLEWARE = [
    "foundation.request_guards.proxy_middleware",
    "foundation.request_guards.address_middleware",
    "django.middleware.security.SecurityMiddleware",
    # Outside of whitenoise: where nobody ran collectstatic, its files are not compressed beforehand. Tokens in
    # forms are masked anew for each answer, so that compressing them together with what was sent tells nothing.
    "django.middleware.gzip.GZipMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "foundation.attended.middleware",
    "accounts.audit.origin_middleware",
    "csp.middleware.CSPMiddleware",
    "foundation.request_guards.size_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.sessions.last_seen_middleware",
    "accounts.sessions.private_middleware",
    "accounts.recognition.middleware",
    "django_htmx.middleware.HtmxMiddleware",
    "foundation.problems.TemporaryMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context.shell",
            ],
        },
    },
]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# Static files are served from the apps themselves, so that no command works only after collectstatic.
WHITENOISE_USE_FINDERS = True

# --- People ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.pages.sign_in.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # whoever is here was invited by mail or made by an operator
ACCOUNT_FORMS = {"reset_password": "accounts.pages.sign_in.ResetPasswordForm"}
# Nobody gets a mail from us because a stranger typed their address.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Tallystick: "
# Wrong passwords: ten a minute from one address, five in five minutes for one person; counted in Redis.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/300s/key"}
MFA_ADAPTER = "accounts.second_factor.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # for the same reason
MFA_TOTP_ISSUER = "Tallystick"
# Single sign-on with one OpenID Connect provider; off without an issuer.
OIDC_ISSUER = env.https_url("OIDC_ISSUER")
OIDC_NAME = env.text("OIDC_NAME", "Single sign-on")
SOCIALACCOUNT_ADAPTER = "accounts.pages.sign_in.SingleSignOnAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True  # by an address that the provider has verified, and by no other
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = ""
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] = [
        {
            "provider_id": "sso",
            "name": OIDC_NAME,
            "client_id": env.required("OIDC_CLIENT_ID"),
            "secret": env.secret("OIDC_CLIENT_SECRET"),
            "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
        }
    ]
    # The sign-in form answers with a redirect to the provider, which browsers count as a target of the form.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] += [
        env.origin_of(OIDC_ISSUER),
        *env.origins("OIDC_ORIGINS"),
    ]
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"

# --- Mail --------------------------------------------------------------------------------------
vars().update(environ.Env.email_url_config(env.secret("EMAIL_URL", default="consolemail://")))
EMAIL_TIMEOUT = 10  # a mail server that swallows packets must not hold the threads that do the work
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "Tallystick <tallystick@localhost>")

# --- REST API ----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.tokens.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.HasRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "foundation.problems.exception_handler",
    # Whoever sends no token is Django's nobody, as on a page: middleware asks every request's user whether they are signed in.
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tallystick",
    "DESCRIPTION": "Exact, restatement-aware Claude cost and usage.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": "/", "description": "The installation that serves this document."}],
    "TAGS": [
        {"name": "connections", "description": "Organisations that are read, and how complete they are."},
        {"name": "runs", "description": "What is being fetched, and what was."},
        {"name": "costs", "description": "Dollars: rows and sums."},
        {"name": "usage", "description": "Tokens, searches, requests, and Claude Code activity."},
        {"name": "exports", "description": "Every row as one file."},
        {"name": "restatements", "description": "What changed after it was first stored."},
        {"name": "names", "description": "What the ids in rows are called, now and before."},
        {"name": "tokens", "description": "The API tokens of the account."},
        {"name": "audit", "description": "Who did what."},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_MODEL": "accounts.ApiToken",
    "TOKEN_TTL": None,
    "AUTO_REFRESH": False,
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 - a model's name
# Its own token table is swapped out, yet its migrations would still make it, pointing at our users.
MIGRATION_MODULES = {"knox": None}

# --- The rest ----------------------------------------------------------------------------------
DEFAULT_EXCEPTION_REPORTER = "foundation.error_reporting.Report"
DEFAULT_EXCEPTION_REPORTER_FILTER = "foundation.error_reporting.ReportFilter"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "runtime.test_runner.PytestRunner"
LOGGING = logs.configure(env.text("LOG_FORMAT", "json"), env.text("LOG_LEVEL", "INFO").upper())
LOGGING_CONFIG = "logging.config.dictConfig"
