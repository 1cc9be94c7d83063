from __future__ import annotations

import datetime as dt
from decimal import Decimal

from costs.forecast import forecast_month

ONE = dt.timedelta(days=1)
TODAY = dt.date(2026, 11, 22)  # a Sunday, with nine days of November left


def stored(days: int, amount: str = "10") -> dict[dt.date, Decimal]:
    return {TODAY - ONE * ago: Decimal(amount) for ago in range(1, days + 1)}


class TestForecastMonth:
    def test_of_equal_days_is_the_whole_month_of_them(self):
        forecast = forecast_month(stored(28), TODAY)

        assert (forecast.spent_usd, forecast.expected_usd, forecast.days_left) == (210, 300, 9)

    def test_knows_weekends(self):
        """Weekdays cost 10, weekends nothing; 22 to 30 November has six weekdays, 1 to 21 November fifteen."""
        daily = {day: Decimal(0) if day.weekday() > 4 else amount for day, amount in stored(28).items()}

        assert forecast_month(daily, TODAY).expected_usd == 150 + 60

    def test_adds_the_days_so_far_exactly(self):
        daily = stored(28) | {TODAY - ONE: Decimal("10.000000000000000000001")}

        assert forecast_month(daily, TODAY).spent_usd == Decimal("210.000000000000000000001")

    def test_is_not_guessed_from_less_than_a_week(self):
        assert forecast_month(stored(6), dt.date(2026, 11, 22)) is None

    def test_is_not_given_while_a_day_of_the_month_is_missing(self):
        daily = stored(28)
        del daily[TODAY - ONE * 3]

        assert forecast_month(daily, TODAY) is None

    def test_on_the_first_of_a_month_rests_on_the_weeks_before(self):
        first = dt.date(2026, 12, 1)
        daily = {first - ONE * ago: Decimal(10) for ago in range(1, 29)}

        forecast = forecast_month(daily, first)

        assert (forecast.spent_usd, forecast.expected_usd, forecast.days_left) == (0, 310, 31)

    def test_uses_what_weekdays_there_are(self):
        """With the seven days before it each weekday has one; the month began before the seven days."""
        second = dt.date(2026, 11, 8)
        daily = {second - ONE * ago: Decimal(ago) for ago in range(1, 8)}

        forecast = forecast_month(daily, second)

        assert forecast.days_used == 7
        assert forecast.spent_usd == 28
