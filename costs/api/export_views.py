"""Endpoints of exports: every row of a query as one file, streamed."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from config import csv_text, streaming
from config.api.views import ApiView
from config.streaming import Export
from costs import selectors, usage
from costs.api import examples, exported, focus, parquet_file
from costs.api.exported import Row
from costs.api.parameters import CostExportQuery, UsageExportQuery, cost_query
from costs.selectors import CostQuery
from costs.sources import Kind

_CSV = "text/csv"
_PARQUET = "application/vnd.apache.parquet"
_ABOUT = (
    "One line for each row of the list with the same parameters, as of one moment: the amounts add up to the summary. "
    "Sent in chunks; a transfer that breaks off lacks rows and ends without its last chunk. Needs HTTP/1.1."
)


class _Csv(BaseRenderer):
    """For content negotiation only: the answer is written by its view."""

    media_type = _CSV
    format = "csv"


class _Parquet(BaseRenderer):
    """For content negotiation only."""

    media_type = _PARQUET
    format = "parquet"


class ExportView(ApiView):
    """One file; a subclass says what is in it."""

    renderer_classes: Sequence[type[BaseRenderer]] = (_Csv,)
    name: ClassVar[str]
    media_type: ClassVar[str] = f"{_CSV}; charset=utf-8"
    kind: ClassVar[Kind] = "cost"
    more_problems: ClassVar[Mapping[str, tuple[HTTPStatus, ...]]] = {"GET": (HTTPStatus.UPGRADE_REQUIRED,)}

    def chunks(self, wanted: CostQuery, dimensions: list[str]) -> Generator[bytes, None, None]:
        """Return the file's bytes; called and read inside one transaction."""
        raise NotImplementedError

    def export(self, request: Request) -> HttpResponseBase:
        """Answer with the file of the checked query."""
        query = self.read_query()
        wanted = cost_query(self.account.pk, query, self.kind)
        dimensions = query.get("dimensions", [])
        export = Export(self.name, self.account.pk, lambda: self.chunks(wanted, dimensions))
        stem, _, suffix = self.name.partition(".")
        filename = f"{stem}_{wanted.days.start}_{wanted.days.end}.{suffix}"
        return streaming.answer(request, export, filename=filename, media_type=self.media_type)


def _costs(wanted: CostQuery, dimensions: list[str]) -> Iterator[Row]:
    facts = selectors.list_facts(wanted, dimensions=dimensions)
    return exported.iter_rows(wanted.account_id, facts, exported.COSTS)


class CostsCsvView(ExportView):
    """Cost rows as CSV."""

    queries: ClassVar = {"GET": CostExportQuery}
    name = "costs.csv"

    @extend_schema(
        operation_id="exports_costs_csv",
        summary="Export cost rows as CSV",
        description=f"{_ABOUT} The columns are those of the list; in a text that a spreadsheet would run, an "
        'apostrophe stands before the sign; null is an empty cell, an empty text is `""`.',
        parameters=[CostExportQuery],
        responses={
            (200, _CSV): OpenApiResponse(OpenApiTypes.STR, "The file.", examples=[examples.COSTS_CSV])
        },
        tags=["exports"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(request)

    def chunks(self, wanted: CostQuery, dimensions: list[str]) -> Generator[bytes, None, None]:
        return csv_text.lines(_costs(wanted, dimensions), exported.COSTS.columns)


class UsageCsvView(ExportView):
    """Usage rows as CSV."""

    queries: ClassVar = {"GET": UsageExportQuery}
    name = "usage.csv"
    kind = "usage"

    @extend_schema(
        operation_id="exports_usage_csv",
        summary="Export usage rows as CSV",
        description=_ABOUT,
        parameters=[UsageExportQuery],
        responses={
            (200, _CSV): OpenApiResponse(OpenApiTypes.STR, "The file.", examples=[examples.USAGE_CSV])
        },
        tags=["exports"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(request)

    def chunks(self, wanted: CostQuery, dimensions: list[str]) -> Generator[bytes, None, None]:
        facts = usage.list_facts(wanted, dimensions=dimensions)
        rows = exported.iter_rows(wanted.account_id, facts, exported.USAGE)
        return csv_text.lines(rows, exported.USAGE.columns)


class FocusCsvView(ExportView):
    """Cost rows in the columns of FOCUS."""

    queries: ClassVar = {"GET": CostExportQuery}
    name = "focus.csv"

    @extend_schema(
        operation_id="exports_focus_csv",
        summary=f"Export cost rows as FOCUS {focus.VERSION}",
        description=f"{_ABOUT} Columns of FOCUS {focus.VERSION}, then ours, which begin with `x_`. What Anthropic's "
        "reports do not state is null: quantities, unit prices, invoices; docs/api.md says where FOCUS wants a value.",
        parameters=[CostExportQuery],
        responses={
            (200, _CSV): OpenApiResponse(OpenApiTypes.STR, "The file.", examples=[examples.FOCUS_CSV])
        },
        tags=["exports"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(request)

    def chunks(self, wanted: CostQuery, dimensions: list[str]) -> Generator[bytes, None, None]:
        charges = focus.iter_charges(wanted.account_id, _costs(wanted, dimensions))
        return csv_text.lines(charges, focus.COLUMNS)


class CostsParquetView(ExportView):
    """Cost rows as Parquet."""

    queries: ClassVar = {"GET": CostExportQuery}
    name = "costs.parquet"
    media_type = _PARQUET
    renderer_classes = (_Parquet,)

    @extend_schema(
        operation_id="exports_costs_parquet",
        summary="Export cost rows as Parquet",
        description=f"{_ABOUT} Amounts are exact: decimal(38, 16), with more "
        "digits after the point where one of them needs them. One that 38 digits do not hold is null there, and text in "
        "`amount_usd_text` or `list_amount_usd_text`.",
        parameters=[CostExportQuery],
        responses={(200, _PARQUET): OpenApiResponse(OpenApiTypes.BINARY, "The file.")},
        tags=["exports"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.export(request)

    def chunks(self, wanted: CostQuery, dimensions: list[str]) -> Generator[bytes, None, None]:
        facts = selectors.list_facts(wanted, dimensions=dimensions)
        after = parquet_file.digits_after(facts)
        return parquet_file.write(_costs(wanted, dimensions), exported.COSTS.columns, after)
