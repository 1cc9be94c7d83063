"""What moved between the days shown and those before: the groups that changed most, why, and new and gone keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from costs.comparison import read_offers
from costs.read_snapshots import read_snapshot
from costs.source_precedence import Offers
from costs.values import is_made
from costs.variance import Comparison, Driver, Explain, GroupDelta
from dashboard import figures, labels
from dashboard.explore.report_context import ReportContext, ReportRequest, lacking, prepare
from dashboard.figures import Change

_MOST_MOVERS = 6
_MOST_ARRIVALS = 5
# What a change is explained by, most telling first; what is grouped by already is left out.
_EXPLAIN_BY = ("api_key_id", "actor_id", "workspace_id", "product", "model", "token_type")
# Not every report knows these: without a value they say nothing.
_UNTOLD = frozenset({"api_key_id", "actor_id", "product"})
_HALF, _WHOLE = 50, 100
# How a part is spoken of: mostly in workspace Search, mostly through API key ci-bot.
_WAYS = {
    "workspace_id": "in", "api_key_id": "through", "actor_id": "by", "product": "in", "model": "with", "token_type": "for",
}  # fmt: skip
# New and gone ones of these are named: somebody started or stopped something.
_ARRIVING = ("api_key_id", "actor_id")


@dataclass(frozen=True, slots=True)
class Mover:
    """One group that moved, with the part of it that moved most."""

    label: str
    link: str
    change: Change
    cause: str
    cause_change: Change | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A key or person with cost in one of the two ranges only."""

    label: str
    dimension: str
    link: str
    amount: Decimal
    is_new: bool


@dataclass(frozen=True, slots=True)
class Movers:
    """What moved; `why_none` says why nothing could be told, `unexplained_by` what could not be looked at, if so."""

    movers: list[Mover]
    arrivals: list[Arrival]
    why_none: str = ""
    unexplained_by: str = ""


@read_snapshot()
def read_movers(subject: ReportRequest) -> Movers:
    """
    Read what moved; without a grouping, by model.

    Units:   USD, exact
    Effects: one query for the groups, one for each dimension until the changes are explained
    """
    state = subject.state
    if not state.group_by:
        subject = ReportRequest(subject.account_id, state.changed(group_by=("model",)), subject.today)
    context = prepare(subject, also_named=_EXPLAIN_BY)
    if not context.compare:
        return Movers([], [], context.not_compared or "Compare with the previous period to see what moved.")
    compared = Comparison(context.query, context.before)
    group_by = context.state.group_by
    offers = read_offers(context.scope, context.before)
    names = [name for name in _EXPLAIN_BY if name not in group_by]
    unread = {name for name in names if offers.lacking(context.scope.filters, (*group_by, name))}
    movers = _movers(context, compared, [name for name in names if name not in unread])
    arrivals = _arrivals(context, compared, offers)
    withheld = f"Not looked at: {lacking(unread)} on some of the days compared." if unread else ""
    return Movers(movers, arrivals, unexplained_by=withheld)


def _movers(context: ReportContext, compared: Comparison, explain_by: Sequence[str]) -> list[Mover]:
    """List the groups that changed most, by amount, in either direction."""
    group_by = context.state.group_by
    moved = [each for each in compared.by(group_by) if each.difference_usd]
    ranked = sorted(moved, key=lambda each: -each.difference_usd.copy_abs())[:_MOST_MOVERS]
    causes = compared.causes(ranked, Explain(group_by, explain_by, _UNTOLD))
    return [_mover(context, each, causes.get(each.key)) for each in ranked]


def _mover(context: ReportContext, movement: GroupDelta, cause: Driver | None) -> Mover:
    words = ""
    if cause is not None:
        name = context.names.label(cause.dimension, cause.value)
        part = figures.share(cause.difference_usd, movement.difference_usd)
        # Others may have moved the other way, so that one part is more than the whole.
        how = "all" if part >= _WHOLE else "mostly" if part >= _HALF else "partly"
        is_none = cause.value is None and name.startswith("No ")
        words = (
            f"{how} with {name[0].lower()}{name[1:]}"
            if is_none
            else f"{how} {_WAYS[cause.dimension]} {labels.inline(cause.dimension)} {name}"
        )
    return Mover(
        label=context.label(movement.key),
        link=context.drill(movement.key),
        change=Change(movement.now_usd, movement.before_usd),
        cause=words,
        cause_change=Change(cause.difference_usd, Decimal(0)) if cause else None,
    )


def _arrivals(context: ReportContext, compared: Comparison, offers: Offers) -> list[Arrival]:
    """
    List keys and people with cost in one of the two ranges only, the most expensive first.

    Shape:   none of a dimension whose report is there for some of the days only: its keys did not come or go
    """
    found = []
    seen: set[str | None] = set()
    for name in _ARRIVING:
        if offers.lacking(context.scope.filters, (name,)):
            continue
        for each in compared.by([name]):
            if each.key[0] in seen:
                continue  # a key that acts for itself is one arrival, not two
            seen.add(each.key[0])
            # All keys together are no newcomer; each of them is one, by its own name.
            is_one = each.key[0] is not None and not is_made(name, each.key[0])
            if is_one and bool(each.now_usd) != bool(each.before_usd):
                link = context.state.narrowed({name: each.key[0]}).address
                label = context.names.label(name, each.key[0])
                amount = each.now_usd or each.before_usd
                found.append(Arrival(label, labels.dimension(name), link, amount, bool(each.now_usd)))
    return sorted(found, key=lambda each: -each.amount)[:_MOST_ARRIVALS]
