"""Null in the FOCUS file: where FOCUS 1.2 allows it, and where ours differ, which docs/api.md has to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from costs.api import focus
from tests.api.conftest import record, store, stored_connection
from tests.api.test_costs import FIRST
from tests.api.test_exports import fetched, lines_of

pytestmark = pytest.mark.django_db(transaction=True)

# "MUST NOT be null" in every row, or in every one of the category "Usage" that is no correction: specification/columns
# of github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec at v1.2, read 2026-11-22, of the columns that we send.
NEVER = {
    "BilledCost", "BillingAccountId", "BillingAccountType", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
    "ServiceSubcategory",
}  # fmt: skip
NEVER_OF_USAGE = {
    "ConsumedQuantity", "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingQuantity", "SkuId", "SkuPriceId",
}  # fmt: skip
NEVER_BUT_ADVISED = {"ChargeDescription"}
# This one is null whenever that one is: "MUST be null when … is null".
WITH = {
    "ConsumedUnit": "ConsumedQuantity", "PricingUnit": "PricingQuantity", "SkuMeter": "SkuId",
    "SkuPriceDetails": "SkuPriceId", "SubAccountName": "SubAccountId", "SubAccountType": "SubAccountId",
}  # fmt: skip
API_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.fixture
def account(transactional_db, account):
    return account


@pytest.fixture
def sparse(viewer, account) -> list[dict[str, str]]:
    """Charges of rows that state little: next to nothing, empty texts, one thing, a workspace without a name."""
    store(
        stored_connection(account),
        record(FIRST, "1"),
        record(FIRST, "2", model="", cost_type="", token_type="", description="", speed="", workspace_id=""),
        record(FIRST, "3", description="Code execution"),
        record(FIRST, "4", product="claude_code"),
        record(FIRST, "5", workspace_id="wrkspc_unknown", model="opus"),
        record(FIRST, "-6", token_type="output_tokens", service_tier="batch"),
    )  # fmt: skip
    return sorted(lines_of(fetched(viewer, "focus.csv")), key=lambda line: abs(float(line["BilledCost"])))


class TestNull:
    def test_is_where_focus_wants_a_value_only_in_columns_that_are_named(self, sparse):
        wanted = (NEVER | NEVER_OF_USAGE | NEVER_BUT_ADVISED) - set(focus.WANTED)

        # The first two state nothing that a product or price could be told by.
        missing = [{name for name in wanted if line[name] == ""} for line in sparse]
        assert missing == [{"SkuId", "SkuPriceId"}] * 2 + [set()] * 4

    def test_is_in_those_columns_always(self, sparse):
        assert {line[name] for line in sparse for name in focus.UNKNOWN} == {""}
        assert set(focus.WANTED) < NEVER_OF_USAGE

    def test_goes_together(self, sparse):
        astray = [name for line in sparse for name, other in WITH.items() if line[name] and not line[other]]

        assert astray == []

    def test_is_never_an_empty_text(self, viewer, sparse):
        content = fetched(viewer, "focus.csv").decode()

        assert re.findall(r'(?:^|,)""(?:,|\r)', content, re.MULTILINE) == []

    def test_names_of_sub_accounts_are_not_null_beside_an_id(self, sparse):
        named = [(line["SubAccountId"], line["SubAccountName"]) for line in sparse if line["SubAccountId"]]

        assert named == [("wrkspc_unknown", "wrkspc_unknown")]

    def test_is_explained_for_whoever_reads_the_file(self):
        section = API_GUIDE.read_text().partition("What FOCUS asks for")[2].partition("## Errors")[0]

        unexplained = [name for name in (*focus.UNKNOWN, "SkuId", "SkuPriceId") if f"`{name}`" not in section]
        assert unexplained == []


class TestCategory:
    @pytest.mark.parametrize(
        ("cost_type", "amount", "category"),
        [
            ("credit", "-5", "Credit"),
            ("promotional_credit", "-5", "Credit"),
            ("refund", "-5", "Adjustment"),
            ("something_new", "-5", "Adjustment"),
            ("something_new", "5", "Usage"),
            ("tokens", "-5", "Usage"),
            ("sales_tax", "5", "Tax"),
            (None, "5", "Usage"),
        ],
    )
    def test_is_what_the_row_is_billed_for(self, viewer, account, cost_type, amount, category):
        store(stored_connection(account), record(FIRST, amount, cost_type=cost_type))

        (line,) = lines_of(fetched(viewer, "focus.csv"))

        assert line["ChargeCategory"] == category

    def test_of_a_credit_is_no_thing_that_is_sold(self, viewer, account):
        store(stored_connection(account), record(FIRST, "-5", cost_type="credit", description="Goodwill"))

        (line,) = lines_of(fetched(viewer, "focus.csv"))

        assert (line["SkuId"], line["SkuPriceId"], line["PricingCategory"]) == ("", "", "")
        assert (line["ChargeFrequency"], line["BilledCost"], line["x_CostType"]) == (
            "One-Time",
            "-5.00",
            "credit",
        )


class TestSku:
    def test_is_what_the_report_states_of_the_product(self, sparse):
        assert [line["SkuId"] for line in sparse] == [
            "", "", "Code execution", "claude_code", "opus", "output_tokens",
        ]  # fmt: skip

    def test_has_the_terms_of_its_price(self, sparse):
        assert sparse[-1]["SkuPriceId"] == "output_tokens/batch"
