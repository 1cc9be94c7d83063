from __future__ import annotations

import pytest

from integrations.anthropic.reports.products import normalise


@pytest.mark.parametrize("spelling", ["claude_tag", "claude-tag", "claude-in-slack"])
def test_one_product_has_one_name(spelling):
    assert normalise(spelling) == "claude_tag"


@pytest.mark.parametrize("product", [None, "", "chat", "claude_in_slack", "other", "brand-new"])
def test_every_other_value_stays_as_it_is(product):
    assert normalise(product) == product
