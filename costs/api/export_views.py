"""Endpoints of exports: every row of a query as one file, streamed."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from accounts.endpoints.views import ApiView
from costs import selectors, usage
from costs.api import examples, exported, focus, parquet_file
from costs.api.exported import Row
from costs.api.parameters import CostExportQuery, UsageExportQuery, cost_query, scope_of
from costs.coverage import Coverage, read_coverage
from costs.selectors import CostQuery
from costs.sources import Kind
from foundation import csv_text, streaming
from foundation.streaming import Export
from workers.clock import database_now

_CSV = "text/csv"
_PARQUET = "application/vnd.apache.parquet"
_ABOUT = (
    "One line for each row of the list with the same parameters, as of one moment: the amounts add up to the summary. "
    "The headers Tallystick-State, Tallystick-Missing and Tallystick-Complete-Through say of the same moment which days the "
    "file lacks. Sent in chunks; a transfer that breaks off lacks rows and ends without its last chunk. Needs HTTP/1.1."
)


class _Csv(BaseRenderer):
    """For content negotiation only: the answer is written by its view."""

    media_type = _CSV
    format = "csv"


class _Parquet(BaseRenderer):
    """For content negotiation only."""

    media_type = _PARQUET
    format = "parquet"


@dataclass(frozen=True, slots=True)
class File:
    """What a file is asked to hold, and which of its days are stored."""

    query: CostQuery
    dimensions: list[str]
    covered: Coverage


class ExportView(ApiView):
    """One file; a subclass says what is in it."""

    renderer_classes: Sequence[type[BaseRenderer]] = (_Csv,)
    name: ClassVar[str]
    media_type: ClassVar[str] = f"{_CSV}; charset=utf-8"
    kind: ClassVar[Kind] = "cost"
    more_problems: ClassVar[Mapping[str, tuple[HTTPStatus, ...]]] = {"GET": (HTTPStatus.UPGRADE_REQUIRED,)}

    def chunks(self, asked: File) -> Generator[bytes, None, None]:
        """Return the file's bytes; called and read inside one transaction."""
        raise NotImplementedError

    def export(self, request: Request) -> HttpResponseBase:
        """Answer with the file of the checked query."""
        query = self.read_query()
        wanted = cost_query(self.account.pk, query, self.kind)
        dimensions = query.get("dimensions", [])
        scope = scope_of(wanted, today=database_now().date(), kind=self.kind)
        told: list[Coverage] = []

        def produce() -> Generator[bytes, None, None]:
            # Inside the transaction that the rows are read in: the two never contradict each other.
            told.append(read_coverage(scope))
            yield from self.chunks(File(wanted, dimensions, told[0]))

        export = Export(self.name, self.account.pk, produce)
        stem, _, suffix = self.name.partition(".")
        filename = f"{stem}_{wanted.days.start}_{wanted.days.end}.{suffix}"
        answer = streaming.answer(request, export, filename=filename, media_type=self.media_type)
        for name, value in exported.state_headers(told[0] if told else read_coverage(scope)).items():
            answer.headers[name] = value
        return answer


def _costs(asked: File) -> Iterator[Row]:
    facts = selectors.list_facts(asked.query, dimensions=asked.dimensions)
    return exported.iter_rows(asked.query.account_id, facts, exported.COSTS)


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

    def chunks(self, asked: File) -> Generator[bytes, None, None]:
        return csv_text.lines(_costs(asked), exported.COSTS.columns)


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

    def chunks(self, asked: File) -> Generator[bytes, None, None]:
        facts = usage.list_facts(asked.query, dimensions=asked.dimensions)
        rows = exported.iter_rows(asked.query.account_id, facts, exported.USAGE)
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

    def chunks(self, asked: File) -> Generator[bytes, None, None]:
        charges = focus.iter_charges(asked.query.account_id, _costs(asked))
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

    def chunks(self, asked: File) -> Generator[bytes, None, None]:
        after = parquet_file.digits_after(selectors.list_facts(asked.query, dimensions=asked.dimensions))
        rows, about = _costs(asked), exported.state_texts(asked.covered)
        return parquet_file.write(rows, exported.COSTS.columns, after, about=about)
