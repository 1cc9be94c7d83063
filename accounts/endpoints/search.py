"""The same question with its parameters in a body: many of them make an address that no proxy lets through."""

from typing import Any, ClassVar, cast

from accounts.endpoints.views import ApiView
from accounts.models import Role
from foundation.api.fields import NumberField
from foundation.api.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, CursorField
from foundation.api.parsing import QuerySerializer


class CursorQuery(QuerySerializer):
    """Where a list goes on; `next` and `previous` have it in their address."""

    cursor = CursorField(
        required=False,
        trim_whitespace=False,
        help_text="From `next` or `previous`; opaque. Send the same body to that address.",
    )


class PageSize(QuerySerializer):
    """How long a page of a search is."""

    page_size = NumberField(
        required=False,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        default=DEFAULT_PAGE_SIZE,
        help_text="Rows of one page.",
    )


class SearchView(ApiView):
    """
    Stands before the view of a GET, and gives it the body in place of the query.

    `searched` checks the body as it checks the query of an address: lists are lists, anything else is a single value.
    """

    http_method_names = ["post"]
    required_role = Role.VIEWER
    changes_nothing = True
    searched: ClassVar[type[QuerySerializer]]

    def read_query(self) -> dict[str, Any]:
        beside = super().read_query()
        query = self.searched.of_body(
            cast("dict[str, Any]", self.request.data)
        )  # the parser lets nothing else in
        query.is_valid(raise_exception=True)
        return {**query.validated_data, **beside}
