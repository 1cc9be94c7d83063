"""Keep what upstream said that this version does not know, for people to see; rows are stored whether or not."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from costs.models import UpstreamNovelty
from costs.news import News
from costs.records import MOST_VALUES
from costs.texts import shorten

_VALUE_CHARACTERS = 200
# Of a report; field names that differ in every row would be a row of novelties each.
MOST_FIELDS = 200


def note(connection_id: UUID, news: Iterable[News], *, observed_at: dt.datetime) -> None:
    """
    Remember what is new, and on which days.

    Shape:   of a field at most twenty values are kept: one that differs in every row says nothing by its values. Of a
             report at most MOST_FIELDS fields, for the same reason
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
    fields = Counter(source for source, _ in room)
    new = []
    for place, each in told.items():
        if place in stored:
            _widen(stored[place], each)
        elif _has_room(room[place[:2]], fields[each.source]):
            fields[each.source] += room[place[:2]] == 0
            room[place[:2]] += 1
            new.append(_novelty(connection_id, each, observed_at))
    UpstreamNovelty.objects.bulk_create(new)


def _has_room(values: int, fields: int) -> bool:
    """Say whether one more value of a field is kept; of a field that is new, whether one more field is."""
    return 0 < values < MOST_VALUES or (values == 0 and fields < MOST_FIELDS)


def _place(news: News) -> tuple[str, str, str]:
    return news.source, shorten(news.field, _VALUE_CHARACTERS), shorten(news.value, _VALUE_CHARACTERS)


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
