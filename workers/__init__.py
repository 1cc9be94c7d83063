"""The sync engine: lanes, runs, steps, the rate limiter, and the Celery tasks that wake them.

To see why no step is lost and none is done twice, read in this order:

    models       the rows: a lane is due at one moment, a run exists once, a step is open or closed, a page is kept
    lanes        who may act for a lane: every statement carries its guard, every holder its fencing token and lease id
    executor     processes a lane: claim, choose, take a token, note it, one request
    outcomes     what an answer changes, in one transaction that proves the lease first
    paging       whether the pages of a window lead to an end, judged when each arrives
    absent       which answers mean that there is no such report
    windows      the window of a step: judged from its archived pages, written as facts
    turned_off   what the operator does not want any more
    runs         why something is fetched, which step comes next
    states       what a connection is after each outcome, and which states only a person ends
    lifecycle    what people do with a connection, under the same locks
    schedule     the daily runs, and the tick that finds what is due (tasks)
    bucket       the rate, decided in Redis and shadowed in the lane; the places of people who wait
    probe_tokens tokens for connection tests, which hold no lane: all that a test needs, or a place
    failpoints   every place at which a process may die, and what is there then

**Not lost.** A run is committed before anything is done for it, together with a lane that is due (`runs.request_run`,
`schedule.start_due`). An active lane always has a `due_at` (a check constraint), and a tick wakes whatever is overdue,
whoever held it (`lanes.wake_due`). A lane becomes idle only under its lock, with no open step seen and none planned
(`executor._choose`); whoever adds a run takes the same lock first (`lanes.hold`, `lanes.make_due`). Steps of a connection that
is paused or needs a person are passed over, and only what that person does ends this state and makes its lanes due
(`states.STANDING`, `lifecycle._back_to_work`). So an open step is found until it is closed, or its connection says what
a person must do. A step is closed without its window only where upstream has no such report for the key, where the
operator turned it off, or where it was given up (`outcomes._skip`, `turned_off.skip`, `outcomes._fail_step`); of these the bill
can be given up only, and its days are missing then.

**Not held up.** The order of steps is one query (`runs.open_steps`): who has waited ten minutes, then by priority, in it
the bill before other reports, and reports in trouble last. An upstream that fails parks the lane, unless it failed a
report beside the bill and the bill can be asked for now (`outcomes._back_off_lane`). ConcurrencyLimit of people are seen by every
decision of the bucket, so that no lane, however urgent, takes what a person was promised; each ends by itself, so that
no lane waits for who does not come (docs/adr/0007).

**Not doubled.** Facts are written by `outcomes.record_page` only, in the transaction that archives the page and closes
the step, after the lane's row was locked and fencing token and lease id were found unchanged (`lanes.lock`) and the step was found
still open in its attempt (`_still_open`). Two holders of one lane therefore end as one. And were a window written
twice all the same, the second time would change nothing: `costs.ingest` replaces, it never adds. Shares of keys and
people, which are worked out from stored facts (`costs.attribution`), are replaced in the same way.

**Not for ever.** A step is given up after eight refusals in a row (`outcomes._fail_step`), a run after five starts that
left no outcome (`executor._is_poisoned`). Pages that lead nowhere are refused as they come (`paging.follow`), a window of
many pages lets others go first (`runs.open_steps`), and one whose data moves while it is read becomes smaller
(`runs.split`). An upstream that fails is asked again without end, and the connection says so meanwhile. What was given up
or missed is an unsettled day, which the next daily run finds (`runs.plan`).

Locks are taken in one order everywhere: lanes (by id), then the connection, under which its reports, names, facts and
sums are written. Runs and steps stand outside of this order, because only who holds their lane locks or changes them.
"""
