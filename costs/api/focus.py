"""Costs as FOCUS 1.2, the FinOps Open Cost and Usage Specification: which column says what; pure but for labels.

Source: focus.finops.org/focus-specification/v1-2, read 2026-11. Columns that are ours begin with `x_`.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from accounts.permissions import rows_of
from costs.api.exported import Row
from costs.records import Origin
from integrations.models import Connection

VERSION = "1.2"
_DAY = dt.timedelta(days=1)
_SERVICES = {Origin.CLAUDE_PLATFORM: "Claude Platform", Origin.CLAUDE_AI: "Claude Enterprise"}
# What is sold, and what may change its price.
_SKU = ("model", "cost_type", "token_type")
_PRICE = ("service_tier", "context_window", "inference_geo", "speed")
# Null in every row, because no report of Anthropic's states it, although FOCUS wants one in each charge for usage.
WANTED = ("ConsumedQuantity", "ContractedUnitPrice", "ListUnitPrice", "PricingQuantity")
# Null in every row, as FOCUS has it: units where there is no quantity, an invoice where none is known to have the charge.
UNKNOWN = (*WANTED, "ConsumedUnit", "InvoiceId", "PricingUnit")
_OURS = {
    "x_ActorId": "actor_id",
    "x_ActorName": "actor_name",
    "x_ActorType": "actor_type",
    "x_ApiKeyId": "api_key_id",
    "x_ApiKeyName": "api_key_name",
    "x_Attribution": "attribution",
    "x_Connection": "connection",
    "x_ContextWindow": "context_window",
    "x_CostCenter": "cost_center",
    "x_CostType": "cost_type",
    "x_InferenceGeo": "inference_geo",
    "x_Model": "model",
    "x_ObservedAt": "observed_at",
    "x_Origin": "origin",
    "x_Product": "product",
    "x_ServiceTier": "service_tier",
    "x_Source": "source",
    "x_Speed": "speed",
    "x_State": "state",
    "x_TokenType": "token_type",
    "x_WorkspaceName": "workspace_name",
}
COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
    "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
    "SubAccountName", "SubAccountType",
    "x_ConnectionLabel", "x_ListCostIsStated", *_OURS,
)  # fmt: skip
_USAGE = "Usage"
_NO_SKU: Row = dict.fromkeys(("SkuId", "SkuMeter", "SkuPriceId", "SkuPriceDetails"))
# Credits, adjustments and taxes are not sold and not metered.
_NOT_SOLD: Row = {**_NO_SKU, "ChargeFrequency": "One-Time", "PricingCategory": None}
_ALWAYS: Row = {
    **dict.fromkeys(UNKNOWN),
    "BillingAccountType": "Organization",
    "BillingCurrency": "USD",
    "ChargeClass": None,
    "ChargeFrequency": "Usage-Based",
    "InvoiceIssuerName": "Anthropic",
    "PricingCategory": "Standard",
    "ProviderName": "Anthropic",
    "PublisherName": "Anthropic",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceSubcategory": "Generative AI",
}


# What is billed for use; FOCUS has other words for the rest.
_USE = frozenset({None, "", "tokens", "web_search", "code_execution", "session_usage"})
_CATEGORIES = (("credit", "Credit"), ("tax", "Tax"), ("refund", "Adjustment"), ("adjustment", "Adjustment"))


@dataclass(frozen=True, slots=True)
class _Billed:
    """Who is billed for a connection's costs."""

    organization_id: str
    organization_name: str
    label: str


def iter_charges(account_id: UUID, rows: Iterable[Row]) -> Iterator[Row]:
    """
    Turn cost rows into charges, one for each.

    Shape:   no column is an empty text, which FOCUS forbids also where null is allowed
    Units:   US dollars, exact: BilledCost, EffectiveCost and ContractedCost are what is billed, after discounts and
             before credits; ListCost is the list price where the report states one (x_ListCostIsStated), else the same
    """
    billed = {
        pk: _Billed(*rest)
        for pk, *rest in rows_of(account_id, Connection).values_list(
            "pk", "organization_id", "organization_name", "label"
        )
    }
    return (charge(row, billed[row["connection"]]) for row in rows)


def charge(row: Row, billed: _Billed) -> Row:
    """Return one charge by FOCUS column."""
    day: dt.date = row["day"]
    month = day.replace(day=1)
    amount, listed = row["amount_usd"], row["list_amount_usd"]
    workspace_id = row["workspace_id"] or None
    service = _SERVICES[Origin(row["origin"])]
    category = _category(row["cost_type"], amount)
    return {
        **_ALWAYS,
        **{column: _stated(row[name]) for column, name in _OURS.items()},
        **(
            _sku(row["product"] or row["description"], *(row[name] for name in (*_SKU, *_PRICE)))
            if category == _USAGE
            else _NOT_SOLD
        ),
        "ChargeCategory": category,
        "BilledCost": amount,
        "EffectiveCost": amount,
        "ContractedCost": amount,
        "ListCost": amount if listed is None else listed,
        "x_ListCostIsStated": "false" if listed is None else "true",
        "BillingAccountId": billed.organization_id,
        "BillingAccountName": billed.organization_name or None,
        "x_ConnectionLabel": billed.label or None,
        "BillingPeriodStart": _midnight(month),
        "BillingPeriodEnd": _midnight((month + 31 * _DAY).replace(day=1)),
        "ChargePeriodStart": _midnight(day),
        "ChargePeriodEnd": _midnight(day + _DAY),
        "ChargeDescription": row["description"] or _described(row) or service,
        "ServiceName": service,
        "SubAccountId": workspace_id,
        # Null where the id is: the default workspace has none in the reports. x_WorkspaceName has its name. Where the id
        # is given, FOCUS wants a name as well, also of a workspace that we may not read.
        "SubAccountName": workspace_id and (row["workspace_name"] or workspace_id),
        "SubAccountType": None if workspace_id is None else "Workspace",
    }


def _category(cost_type: str | None, amount: Decimal) -> str:
    """Say what kind of charge it is; a type we do not know is use, unless money comes back."""
    if cost_type in _USE:
        return _USAGE
    known = next((category for word, category in _CATEGORIES if word in str(cost_type).lower()), None)
    return known or ("Adjustment" if amount < 0 else _USAGE)


# Rows repeat: a large organisation has a few hundred different prices, and millions of rows.
@lru_cache(maxsize=4096)
def _sku(
    otherwise: str | None,
    model: str | None,
    cost_type: str | None,
    token_type: str | None,
    *terms: str | None,
) -> Row:
    """
    Compose ids out of what the report states: Anthropic publishes prices by these, and no ids for them.

    `otherwise` stands for them in a row that states none: every charge for usage has a SkuId.
    """
    stated_of_it = [part for part in (model, cost_type, token_type) if part]
    parts = stated_of_it or ([otherwise] if otherwise else [])
    if not parts:
        return _NO_SKU
    stated = {name: term for name, term in zip(_PRICE, terms, strict=True) if term}
    details = {f"x_{name.title().replace('_', '')}": term for name, term in stated.items()}
    return {
        "SkuId": "/".join(parts),
        "SkuMeter": token_type or cost_type,
        "SkuPriceId": "/".join((*parts, *stated.values())),
        "SkuPriceDetails": json.dumps(details, ensure_ascii=False) if details else None,
    }


def _stated(value: object) -> object:
    return None if value == "" else value


def _described(row: Mapping[str, str | None]) -> str | None:
    parts = [value.replace("_", " ") for name in ("product", *_SKU) if (value := row[name])]
    return ", ".join(parts) or None


@lru_cache(maxsize=4096)
def _midnight(day: dt.date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
