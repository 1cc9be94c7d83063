"""Where the processes of `up` and `demo` are told that people find them."""

import os

import pytest

from runtime import stack


class TestTellAddress:
    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({}, "http://127.0.0.1:8123"),
            ({"PUBLIC_URL": ""}, "http://127.0.0.1:8123"),
            ({"PUBLIC_URL": "https://costs.example.com"}, "https://costs.example.com"),
        ],
    )
    def test_is_the_real_one_unless_somebody_has_set_another(self, monkeypatch, given, told):
        monkeypatch.setattr(os, "environ", dict(given))

        stack.tell_address(8123)

        assert os.environ["PUBLIC_URL"] == told
