"""A thread of a worker keeps its connection to PostgreSQL from task to task, and notices when it broke in between."""

from __future__ import annotations

from contextlib import closing

import pytest
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import task_postrun, task_prerun
from django.db import connection as database

from config.celery import app
from workers import tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh():
    """Whatever ran before this test may have left a connection of another age."""
    database.close()
    yield
    database.close()


def run_task() -> int:
    """Do what Celery does around a task, which asks for the process that serves it."""
    around = {"task_id": "1", "task": tasks.tick}
    fixup = DjangoWorkerFixup(app)
    fixup.on_task_prerun(sender=tasks.tick)
    task_prerun.send(sender=tasks.tick, args=(), kwargs={}, **around)
    try:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])
    finally:
        fixup.on_task_postrun(sender=tasks.tick)
        task_postrun.send(sender=tasks.tick, args=(), kwargs={}, retval=None, state="SUCCESS", **around)


def test_next_task_finds_the_connection_of_the_last():
    assert run_task() == run_task()


def test_next_task_gets_a_new_one_after_the_server_ended_it():
    ended = run_task()
    with closing(database.copy()) as another, another.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])

    assert run_task() != ended


def test_next_task_gets_a_new_one_after_its_time():
    first = run_task()
    database.close_at = 0.0

    assert run_task() != first
