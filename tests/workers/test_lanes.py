from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest
from django.db import transaction

from tests.others import Other, at_once
from workers import lanes
from workers.bucket import Answer, rate_of
from workers.clock import database_now
from workers.lanes import LeaseLostError
from workers.models import Lane

pytestmark = pytest.mark.django_db(transaction=True)


def lane(*, due_in: float = -1, state: str = "waiting") -> Lane:
    now = database_now()
    due_at = None if state == "idle" else now + dt.timedelta(seconds=due_in)
    return Lane.objects.create(
        organization_id=str(uuid4()), family="classic", state=state, due_at=due_at, level_us=0, level_at=now
    )


class TestWakeDue:
    def test_wakes_what_is_due_oldest_first(self):
        young, old = lane(due_in=-1), lane(due_in=-60)
        lane(due_in=60)
        lane(state="idle")

        assert lanes.wake_due() == [old.pk, young.pk]

    def test_wakes_a_lane_once_until_its_message_counts_as_lost(self, settings):
        settings.WAKE_SECONDS = 60
        lane()

        assert len(lanes.wake_due()) == 1
        assert lanes.wake_due() == []

    def test_wakes_a_lane_whose_holder_died(self):
        held = lane(state="leased", due_in=-1)

        assert lanes.wake_due() == [held.pk]

    def test_leaves_a_lane_that_another_dispatcher_has_locked(self):
        locked, free = lane(), lane()
        found: list[int] = []
        with transaction.atomic():
            Lane.objects.select_for_update().get(pk=locked.pk)
            other = Other(lambda: found.extend(lanes.wake_due()))
            waits = other.is_blocked_at_last()
        other.join()

        assert not waits
        assert found == [free.pk]


class TestClaim:
    def test_takes_a_woken_lane_once(self):
        woken = lane(state="woken", due_in=60)

        assert lanes.claim(woken.pk) is not None
        assert lanes.claim(woken.pk) is None

    def test_ignores_a_message_that_came_too_early(self):
        assert lanes.claim(lane(due_in=60).pk) is None

    def test_ignores_an_idle_or_unknown_lane(self):
        assert lanes.claim(lane(state="idle").pk) is None
        assert lanes.claim(0) is None

    def test_counts_the_fence_up(self):
        due = lane(state="woken", due_in=60)
        first = lanes.claim(due.pk)
        Lane.objects.update(due_at=database_now())

        second = lanes.claim(due.pk)

        assert second.fencing_token == first.fencing_token + 1


class TestFence:
    @pytest.fixture
    def lost(self):
        """A lease whose time ran out and whose lane somebody else has claimed."""
        due = lane(state="woken", due_in=60)
        lease = lanes.claim(due.pk)
        Lane.objects.update(due_at=database_now())
        assert lanes.claim(due.pk) is not None
        return lease

    def test_refuses_the_late_holder_a_lock(self, lost):
        with pytest.raises(LeaseLostError), transaction.atomic():
            lanes.lock(lost)

    @pytest.mark.parametrize(
        "act",
        [
            lambda lease: lanes.park(lease, 0),
            lanes.release,
            lambda lease: lanes.note_grant(lease, Answer(True, 0, 0, 0)),
            lambda lease: lanes.note_penalty(lease, Answer(False, 0, 0, 60)),
        ],
        ids=["park", "release", "note_grant", "note_penalty"],
    )
    def test_refuses_the_late_holder_every_change(self, lost, act):
        before = Lane.objects.values().get()

        with pytest.raises(LeaseLostError):
            act(lost)

        assert Lane.objects.values().get() == before


class TestRing:
    def test_makes_an_idle_lane_due(self):
        idle = lane(state="idle")

        lanes.make_due(idle.pk)

        assert lanes.wake_due() == [idle.pk]

    def test_makes_a_waiting_lane_look_again(self):
        waiting = lane(due_in=60)

        lanes.make_due(waiting.pk)

        assert lanes.wake_due() == [waiting.pk]

    def test_wakes_a_lane_that_its_holder_is_about_to_let_rest(self):
        """The holder has seen no step and not committed yet; what it did not see would be found by nobody."""
        held = lane(state="leased", due_in=60)

        refused = at_once(
            lambda: Lane.objects.update(state=Lane.State.IDLE, due_at=None), lambda: lanes.make_due(held.pk)
        )

        assert refused is None
        assert lanes.wake_due() == [held.pk]

    def test_leaves_a_lane_to_its_holder(self):
        held = lane(state="leased", due_in=60)

        lanes.make_due(held.pk)

        assert lanes.wake_due() == []


class TestTwoWhoNoteTheLevel:
    """A turn and a connection test each took a token; they write it down in either order."""

    MINUTE_US = 60_000_000

    def level(self) -> float:
        return round(Lane.objects.get().level_us / self.MINUTE_US, 1)

    @pytest.mark.parametrize("tokens", [(3, 2), (2, 3)])
    def test_of_a_turn_keeps_the_lower(self, tokens):
        lease = lanes.claim(lane(state="woken", due_in=60).pk)
        Lane.objects.update(level_us=4 * self.MINUTE_US, level_at=database_now())

        first, second = (Answer(True, 0, left * self.MINUTE_US, 0) for left in tokens)
        lanes.note_grant(lease, first)
        lanes.note_grant(lease, second)

        assert self.level() == 2

    @pytest.mark.parametrize("tokens", [(3, 2), (2, 3)])
    def test_of_a_connection_test_keeps_the_lower(self, tokens):
        tested = lane()
        Lane.objects.update(level_us=4 * self.MINUTE_US, level_at=database_now())

        first, second = (Answer(True, 0, left * self.MINUTE_US, 0) for left in tokens)
        lanes.note_level(tested.organization_id, "classic", first)
        lanes.note_level(tested.organization_id, "classic", second)

        assert self.level() == 2


class TestSeed:
    def test_earns_credit_by_the_database_clock(self):
        known = lane()
        Lane.objects.update(level_us=5_000_000, level_at=database_now() - dt.timedelta(seconds=10))

        level = lanes.seed_of(known.organization_id, "classic").level_us

        assert 15_000_000 <= level < 17_000_000

    def test_is_full_for_an_unknown_owner(self):
        assert lanes.seed_of("nobody", "classic").level_us == rate_of("classic").full_us
