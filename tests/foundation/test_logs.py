from __future__ import annotations

import io
import json
import logging
import logging.config

import structlog

from foundation import logs

KEY = "sk-ant-admin01-abcdefghijklmnopqrstuvwxyz-0123456789"


def logged(act) -> str:
    stream = io.StringIO()
    configuration = logs.configure("json", "INFO")
    configuration["handlers"]["stderr"]["stream"] = stream
    formatter = logging.config.DictConfigurator(configuration).configure_formatter(
        configuration["formatters"]["structured"]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("test.redaction")
    logger.addHandler(handler)
    try:
        act(structlog.get_logger("test.redaction"), logger)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


class TestRedaction:
    def test_covers_text_fields_nested_values_and_arguments(self):
        def act(log, plain):
            log.warning("event", text=f"key {KEY}", nested={"a": [KEY]}, api_key="anything", pair=(KEY,))
            plain.warning("with %s", KEY)

        out = logged(act)

        assert out.count("\n") == 2
        assert KEY not in out
        assert "abcdefghij" not in out
        assert "anything" not in out

    def test_covers_tracebacks(self):
        def act(log, plain):
            try:
                int(f"bad key {KEY}")
            except ValueError:
                log.exception("failed")
                plain.exception("failed")

        out = logged(act)

        assert "ValueError" in out
        assert KEY not in out

    def test_covers_bearer_tokens(self):
        out = logged(lambda log, _: log.warning("event", header="Authorization: Bearer abcdef0123456789"))

        assert "abcdef0123456789" not in out

    def test_writes_one_json_object_a_line(self):
        out = logged(lambda log, _: log.warning("event", number=1))

        assert json.loads(out)["number"] == 1
