"""The arithmetic of request budgets, over arbitrary questions at arbitrary moments."""

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from libs.exchanges.binance.rest import WEIGHT_POOL
from libs.exchanges.budget import LONGEST_BAN_MS, HostState, Pool, Priority, Wait, Wish

START = 1_000_000
FORGET_MS = 3_000
POOL = Pool("test", limit=100, window_ms=6_000, share=0.8, parts=(1.0, 0.9, 0.75, 0.5))

Step = tuple[int, int, Priority]
steps = st.lists(
    st.tuples(st.integers(0, 2_000), st.integers(1, 40), st.sampled_from(Priority)), min_size=1, max_size=120
)


def ask(state: HostState, now_ms: int, weight: int, priority: Priority = Priority.LIVE, who: str = "a") -> Wait:
    return state.ask(POOL, Wish(who, weight, priority, now_ms), now_ms, FORGET_MS)


@given(steps)
def test_no_window_wherever_it_begins_holds_more_than_its_last_question_may_fill(asked: list[Step]) -> None:
    state, now = HostState(), START
    given_: list[Step] = []
    for pause, weight, priority in asked:
        now += pause
        if ask(state, now, weight, priority).ms == 0:
            given_.append((now, weight, priority))
        state.withdraw(POOL, Wish("a", weight, priority, now))
    for number, (at, _, priority) in enumerate(given_):
        held = sum(weight for other, weight, _ in given_[: number + 1] if at - POOL.window_ms < other)
        assert held <= POOL.ceiling(POOL.limit, priority)


@given(steps)
def test_whoever_waits_as_long_as_it_is_told_to_gets_its_turn(asked: list[Step]) -> None:
    state, now = HostState(), START
    for pause, weight, priority in asked:
        now += pause
        wish, looks = Wish("a", weight, priority, now), 0
        while (wait := state.ask(POOL, wish, now, FORGET_MS)).ms:
            assert wait.reason == "full"
            assert wait.ms <= POOL.window_ms + POOL.slot_ms
            now, looks = now + wait.ms, looks + 1
        assert looks <= 1, "nobody else asks, so the first estimate is right"
    assert state.pool(POOL).waiting == {}


def test_a_question_dearer_than_everything_is_asked_alone() -> None:
    state = HostState()
    assert ask(state, START, 1).ms == 0
    wait = ask(state, START + 10, 500)
    assert wait.reason == "full"
    assert ask(state, START + 10 + wait.ms, 500).ms == 0
    assert ask(state, START + 20 + wait.ms, 1, who="b").ms > 0


@given(st.permutations(list(Priority)), st.integers(0, 4))
def test_the_waiting_are_served_by_priority_and_then_in_the_order_of_their_coming(
    order: list[Priority], later: int
) -> None:
    state = HostState()
    assert ask(state, START, 80, Priority.POSITIONS).ms == 0
    wishes = [Wish(f"{number}", 10, priority, START + number) for number, priority in enumerate(order)]
    wishes.append(Wish("later", 10, Priority(later), START + 100))
    for wish in wishes:
        assert state.ask(POOL, wish, START + 200, FORGET_MS).ms
    served, now = [], START + POOL.window_ms + POOL.slot_ms
    while wishes:
        turns = [wish for wish in wishes if not state.ask(POOL, wish, now, FORGET_MS * 10).ms]
        served += turns
        wishes = [wish for wish in wishes if wish not in turns]
        now += POOL.window_ms // 3
    assert [wish.priority for wish in served] == sorted(wish.priority for wish in served)
    same = [wish.who for wish in served if wish.priority == later]
    assert same[-1] == "later"


GUARDED = replace(POOL, reserve=0.2)


@given(steps)
def test_a_guard_finds_its_reserve_whatever_the_others_ask(asked: list[Step]) -> None:
    state, now, mine = HostState(), START, [(START, 1)]
    assert state.ask(GUARDED, Wish("guard", 1, Priority.GUARD, now), now, FORGET_MS).ms == 0
    for pause, weight, priority in asked:
        now += min(pause, 500)
        if priority is not Priority.GUARD:
            state.ask(GUARDED, Wish("other", weight, priority, now), now, FORGET_MS)
            continue
        weight = min(weight, 10)
        held = sum(spent for at, spent in mine if now < at + GUARDED.window_ms + GUARDED.slot_ms)
        wait = state.ask(GUARDED, Wish("guard", weight, priority, now), now, FORGET_MS)
        if wait.ms == 0:
            mine.append((now, weight))
            continue
        state.withdraw(GUARDED, Wish("guard", weight, priority, now))  # it gives up: its next wish is another one
        if held:
            assert held + weight > GUARDED.limit * GUARDED.reserve, "its share was not free"


def test_nothing_is_kept_where_there_is_no_guard() -> None:
    state = HostState()
    assert state.ask(GUARDED, Wish("a", 80, Priority.POSITIONS, START), START, FORGET_MS).ms == 0
    free = START + GUARDED.window_ms + GUARDED.slot_ms
    assert state.ask(GUARDED, Wish("guard", 1, Priority.GUARD, free), free, FORGET_MS).ms == 0
    assert state.ask(GUARDED, Wish("a", 62, Priority.POSITIONS, free), free, FORGET_MS).reason == "full"
    assert state.ask(GUARDED, Wish("b", 60, Priority.POSITIONS, free), free, FORGET_MS).reason == "queue"
    state.withdraw(GUARDED, Wish("a", 62, Priority.POSITIONS, free))
    assert state.ask(GUARDED, Wish("b", 60, Priority.POSITIONS, free), free, FORGET_MS).ms == 0


def test_at_the_start_of_a_whole_house_orders_have_room_beside_the_past_and_a_guard_that_comes_later() -> None:
    state, now = HostState(), START
    while state.ask(WEIGHT_POOL, Wish("past", 5, Priority.WARM_UP, START), now, FORGET_MS).ms == 0:
        pass
    for _ in range(4):
        now += 100
        assert state.ask(WEIGHT_POOL, Wish("guard", 85, Priority.GUARD, now), now, FORGET_MS).ms == 0
    for comparison in range(6):
        now = START + 9_000 * (comparison + 1)
        for weight in (40, 40, 5):
            found = state.ask(WEIGHT_POOL, Wish("executor", weight, Priority.POSITIONS, now), now, FORGET_MS)
            assert found.ms == 0, f"comparison {comparison}: {found}"


def test_a_light_question_does_not_overtake_a_heavy_one_of_its_kind() -> None:
    state = HostState()
    assert ask(state, START, 50).ms == 0
    assert state.ask(POOL, Wish("heavy", 20, Priority.LIVE, START + 1), START + 1, FORGET_MS).reason == "full"
    assert state.ask(POOL, Wish("light", 1, Priority.LIVE, START + 2), START + 2, FORGET_MS).reason == "queue"
    assert state.ask(POOL, Wish("urgent", 20, Priority.POSITIONS, START + 3), START + 3, FORGET_MS).ms == 0


def test_a_waiter_that_is_not_seen_again_is_forgotten() -> None:
    state = HostState()
    assert ask(state, START, 80, Priority.POSITIONS).ms == 0
    assert ask(state, START + 1, 10, Priority.POSITIONS, who="dead").reason == "full"
    free = START + POOL.window_ms + POOL.slot_ms
    state.pool(POOL).waiting["dead"].seen_ms = free - FORGET_MS
    mine = Wish("mine", 10, Priority.LIVE, free)
    assert state.ask(POOL, mine, free, FORGET_MS).reason == "queue"
    assert state.ask(POOL, mine, free + 1, FORGET_MS).ms == 0
    assert state.usage(POOL, free + 1, FORGET_MS).waiting == (0, 0, 0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 10), st.integers(0, 200)), max_size=30))
def test_what_the_venue_has_counted_is_never_taken_for_less(told: list[tuple[int, int, int]]) -> None:
    state, now = HostState(), START
    for pause, weight, used in told:
        now += pause
        ask(state, now, weight)
        state.withdraw(POOL, Wish("a", weight, Priority.LIVE, now))
        before = state.usage(POOL, now, FORGET_MS).used
        state.report(POOL, used, now, 700)
        assert state.usage(POOL, now, FORGET_MS).used >= max(used, before)
    assert state.usage(POOL, now + 700, FORGET_MS).used <= sum(weight for _, weight, _ in told), (
        "theirs ends with their window"
    )
    assert state.usage(POOL, now + 2 * POOL.window_ms, FORGET_MS).used == 0


def test_a_limit_stops_its_pool_and_a_ban_the_host() -> None:
    state, other = HostState(), Pool("other", limit=10, window_ms=1_000)
    state.limit(POOL, START + 5_000)
    assert ask(state, START, 1) == Wait(5_000, "limited")
    assert state.ask(other, Wish("b", 1, Priority.LIVE, START), START, FORGET_MS).ms == 0
    state.ban(START + 9_000, 77)
    state.ban(START + 8_000, 66)
    assert ask(state, START, 1) == Wait(9_000, "banned")
    assert state.ask(other, Wish("b", 1, Priority.LIVE, START), START, FORGET_MS) == Wait(9_000, "banned")
    assert state.usage(other, START, FORGET_MS).blocked_ms == 9_000
    assert ask(state, START + 9_000, 1).ms == 0


def test_a_ban_goes_on_after_a_reboot_by_the_wall_clock_and_never_longer_than_bans_last() -> None:
    state = HostState(boot="before", now_ms=START)
    state.ban(START + 60_000, 5_000_000)
    again = msgspec.json.decode(msgspec.json.encode(state), type=HostState).after_reboot(100, 4_990_000, 2.0)
    assert again.banned_until_ms == 100 + 20_000, "ten seconds are twenty of the venue's"
    assert state.after_reboot(100, 5_000_001, 1.0).banned_until_ms == 0
    assert state.after_reboot(100, -(10**15), 1.0).banned_until_ms == 100 + LONGEST_BAN_MS


@given(st.integers(0, 3 * POOL.window_ms))
def test_a_venues_window_ends_at_the_next_multiple(venue_ms: int) -> None:
    left = POOL.left_of_window(venue_ms)
    assert 0 < left <= POOL.window_ms
    assert (venue_ms + left) % POOL.window_ms == 0
