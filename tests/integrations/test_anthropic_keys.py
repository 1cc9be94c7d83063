from __future__ import annotations

import pytest

from integrations.anthropic.keys import (
    looks_like_enterprise,
    looks_like_inference,
    require_key_shape,
    require_sendable,
)
from integrations.errors import Fate, Reason, UpstreamError


class TestRequireKeyShape:
    @pytest.mark.parametrize(
        "key", ["sk-ant-admin01-abc", "sk-ant-api01-abc", "sk-ant-api03-abc", "sk-ant-older-abc"]
    )
    def test_accepts_every_prefix_that_could_be_a_key(self, key):
        require_key_shape(key)

    @pytest.mark.parametrize(
        ("key", "words"),
        [
            ("", "does not start with"),
            ("sk-proj-abc", "does not start with"),
            (" sk-ant-admin01-abc", "does not start with"),
            ("sk-ant-admin01-abc\n", "a line break"),
            ("sk-ant-admin01-a bc", "a space"),
            ("sk-ant-admin01-ébc", "no Anthropic key has"),
            ("sk-ant-oat01-abc", "short-lived"),
            ("sk-ant-", "not an Anthropic key"),
        ],
    )
    def test_says_what_is_wrong_with_others(self, key, words):
        with pytest.raises(UpstreamError, match=words) as caught:
            require_key_shape(key)

        assert (caught.value.reason, caught.value.fate) == (Reason.KEY_MALFORMED, Fate.FATAL)


class TestRequireSendable:
    @pytest.mark.parametrize("key", ["", "a b", "a\tb", "a\r\nb", "é", "a\x00", "a\x7f"])
    def test_refuses_what_cannot_stand_in_a_header(self, key):
        with pytest.raises(UpstreamError, match="key_malformed"):
            require_sendable(key)


class TestHints:
    def test_tell_by_prefix(self):
        assert looks_like_inference("sk-ant-api03-x")
        assert not looks_like_inference("sk-ant-api01-x")
        assert looks_like_enterprise("sk-ant-api01-x")
        assert not looks_like_enterprise("sk-ant-admin01-x")
