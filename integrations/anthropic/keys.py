"""Owns what the text of a key tells before it is used; the probe decides, a prefix is only a hint."""

from __future__ import annotations

from integrations.errors import Fate, Reason, UpstreamError, advice

_ANY = "sk-ant-"
_OAUTH = "sk-ant-oat01"
_INFERENCE = "sk-ant-api03"
_ENTERPRISE = "sk-ant-api01"
_ADMIN = "sk-ant-admin"


def require_sendable(api_key: str) -> None:
    """Refuse a key that cannot stand in a header: UpstreamError(key_malformed), without quoting it."""
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise _malformed("characters")


def require_key_shape(api_key: str) -> None:
    """Refuse what cannot be a stored Anthropic key: UpstreamError(key_malformed) naming what is wrong with it."""
    if not api_key.startswith(_ANY):
        raise _malformed("prefix")
    require_sendable(api_key)
    if api_key.startswith(_OAUTH):
        raise _malformed("oauth")
    if api_key == _ANY:
        raise _malformed("")


def looks_like_inference(api_key: str) -> bool:
    """Whether the key is most likely one for calling models; some keys of this prefix do have more rights."""
    return api_key.startswith(_INFERENCE)


def looks_like_enterprise(api_key: str) -> bool:
    """Whether the key was most likely made in claude.ai; older ones have other prefixes."""
    return api_key.startswith(_ENTERPRISE)


def looks_like_admin(api_key: str) -> bool:
    """Whether the key was most likely made in the Claude Console to administer an organisation."""
    return api_key.startswith(_ADMIN)


def _malformed(variant: str) -> UpstreamError:
    return UpstreamError.told(advice(Reason.KEY_MALFORMED, variant), Fate.FATAL)
