"""Keep what upstream said that this version does not know, for people to see; rows are stored whether or not."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from costs.models import UpstreamNovelty
from costs.news import News
from costs.records import MOST_VALUES

_VALUE_CHARACTERS = 200


def note(connection_id: UUID, news: Iterable[News], *, observed_at: dt.datetime) -> None:
    """
    Remember what is new, and on which days.

    Shape:   of a field at most twenty values are kept: one that differs in every row says nothing by its values
    Key:     (connection, report, field, value); the same news again widens the days it was seen on
    Effects: call inside the transaction that stores the window, by which one writer at a time is here
    """
    told = {_place(each): each for each in news}
    if not told:
        return
    stored = {
        (each.source, each.field, each.value): each
        for each in UpstreamNovelty.objects.filter(
            connection_id=connection_id, source__in={source for source, *_ in told}
        )
    }
    room = Counter((source, field) for source, field, _ in stored)
    new = []
    for place, each in told.items():
        if place in stored:
            _widen(stored[place], each)
        elif room[place[:2]] < MOST_VALUES:
            room[place[:2]] += 1
            new.append(_novelty(connection_id, each, observed_at))
    UpstreamNovelty.objects.bulk_create(new)


def _place(news: News) -> tuple[str, str, str]:
    return news.source, news.field[:_VALUE_CHARACTERS], news.value[:_VALUE_CHARACTERS]


def _novelty(connection_id: UUID, news: News, observed_at: dt.datetime) -> UpstreamNovelty:
    source, field, value = _place(news)
    return UpstreamNovelty(
        connection_id=connection_id, source=source, kind=news.kind, field=field, value=value, first_day=news.first_day,
        last_day=news.last_day or news.first_day, first_seen_at=observed_at,
    )  # fmt: skip


def _widen(stored: UpstreamNovelty, news: News) -> None:
    days = [day for day in (stored.first_day, stored.last_day, news.first_day, news.last_day) if day]
    seen = (min(days, default=None), max(days, default=None))
    if seen != (stored.first_day, stored.last_day):
        stored.first_day, stored.last_day = seen
        stored.save(update_fields=["first_day", "last_day"])
