"""From figures to alerts to messages; several processes, of which one has the duty."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
from alert_world import World, alerts_policy, channel, of, rule
from receivers import Receivers

from serve_app.alerts.engine import Engine
from serve_app.alerts.overview import overview
from serve_app.alerts.silences import SilenceMatcher
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.errors import NotFound, PolicyRejected
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

HOOK = [channel("webhook", "webhook", secret_env="WEBHOOK_SECRET")]


@pytest.fixture
def world(store: Store, receivers: Receivers) -> World:
    return World(store, receivers.environ)


@pytest.fixture
async def gone() -> AsyncIterator[Store]:
    """A Redis that does not answer."""
    store = Store(RedisSettings(timeout_ms=50), SystemClock(), "redis://127.0.0.1:1")
    yield store
    await store.close()


def statuses(receivers: Receivers) -> list[tuple[str, str]]:
    return [(one["alert"], one["status"]) for one in receivers.taken("webhook")]


async def test_pending_then_firing_then_resolved_each_told_once(
    world: World, receivers: Receivers
) -> None:
    engine, _ = world.engine(alerts_policy(rules=[rule(for_s=10)], channels=HOOK))
    await world.step(engine, level=4)
    assert of(engine.book.state) == []
    await world.step(engine, level=9)
    assert [one.state for one in of(engine.book.state)] == ["pending"]
    await world.step(engine, level=9)
    await world.deliver(engine)
    assert statuses(receivers) == []
    await world.step(engine, level=9)
    assert engine.firing() == [("High", "warning")]
    for _ in range(3):
        await world.deliver(engine)
        await world.step(engine, level=9)
    assert statuses(receivers) == [("High", "firing")]
    await world.step(engine, level=1)
    await world.deliver(engine)
    await world.step(engine, level=1)
    await world.deliver(engine)
    assert statuses(receivers) == [("High", "firing"), ("High", "resolved")]
    assert of(engine.book.state) == []
    assert world.counts.sent == [("webhook", "sent")] * 2


async def test_what_holds_too_short_is_never_told(world: World, receivers: Receivers) -> None:
    engine, _ = world.engine(alerts_policy(rules=[rule(for_s=10)], channels=HOOK))
    for level in (9, 9, 1, 9, 9, 1):
        await world.step(engine, level=level)
        await world.deliver(engine)
    assert statuses(receivers) == []


async def test_two_processes_tell_each_alert_once_and_a_handover_changes_nothing(
    world: World, receivers: Receivers
) -> None:
    policy = alerts_policy(rules=[rule(for_s=10)], channels=HOOK)
    one, first = world.engine(policy, "r1")
    two, second = world.engine(policy, "r2")
    second.is_mine = False
    for _ in range(2):
        await world.step(one, two, level=9)
        await world.deliver(one, two)
    first.is_mine, second.is_mine = False, True  # it was pending for 5 of its 10 s
    await world.step(one, two, level=9)
    await world.deliver(one, two)
    assert statuses(receivers) == [("High", "firing")]
    first.is_mine, second.is_mine = True, False
    for _ in range(3):
        await world.step(one, two, level=9)
        await world.deliver(one, two)
    assert statuses(receivers) == [("High", "firing")]
    first.is_mine, second.is_mine = False, True
    await world.step(one, two, level=1)
    await world.deliver(one, two)
    assert statuses(receivers) == [("High", "firing"), ("High", "resolved")]


async def test_two_who_both_believe_to_have_the_duty_tell_once(
    world: World, receivers: Receivers
) -> None:
    policy = alerts_policy(channels=HOOK)
    one, _ = world.engine(policy, "r1")
    two, _ = world.engine(policy, "r2")
    for level in (9, 9, 9, 1, 1, 1):
        await world.step(one, two, level=level)
        await world.deliver(one, two)
    assert statuses(receivers) == [("High", "firing"), ("High", "resolved")]


async def test_a_message_whose_sender_died_is_sent_by_the_next(
    world: World, receivers: Receivers
) -> None:
    policy = alerts_policy(channels=HOOK)
    one, first = world.engine(policy, "r1")
    two, second = world.engine(policy, "r2")
    second.is_mine = False
    await world.step(one, level=9)  # and it dies before it sends
    first.is_mine, second.is_mine = False, True
    await world.step(two, level=9)
    await world.deliver(two)
    assert statuses(receivers) == [("High", "firing")]


async def test_a_message_under_way_elsewhere_is_waited_for(
    world: World, receivers: Receivers
) -> None:
    policy = alerts_policy(channels=HOOK)
    one, first = world.engine(policy, "r1")
    two, second = world.engine(policy, "r2")
    await world.step(one, level=9)
    assert one.book.state is not None
    waiting = one.book.state.outbox["webhook"][0]
    waiting.taken_by, waiting.taken_at = "r1", world.clock.wall()
    assert await one.book.save()  # it began to send, and died
    first.is_mine = False
    assert second.is_mine
    await world.step(two, level=9)
    await world.deliver(two)
    assert statuses(receivers) == []
    await world.step(two, s=15, level=9)
    await world.deliver(two)
    assert statuses(receivers) == [("High", "firing")]


async def test_without_redis_an_alert_is_told_and_ended_once(
    world: World, receivers: Receivers, store: Store, gone: Store
) -> None:
    policy = alerts_policy(rules=[rule("Gone", "redis_up < 1")], channels=HOOK)
    engine, _ = world.engine(policy)
    await world.step(engine, redis_up=1)
    engine.shelf._store = engine.silences._store = gone
    for _ in range(3):
        await world.step(engine, redis_up=0)
        await world.deliver(engine)
    assert statuses(receivers) == [("Gone", "firing")]
    shown = await overview(engine)
    assert [one["alert"] for one in shown["firing"]] == ["Gone"]
    assert [one["what"] for one in shown["history"]] == ["fired"]

    engine.shelf._store = engine.silences._store = store
    for _ in range(3):
        await world.step(engine, redis_up=1)
        await world.deliver(engine)
    assert statuses(receivers) == [("Gone", "firing"), ("Gone", "resolved")]
    events = (await overview(engine))["history"]
    assert [one["what"] for one in events] == ["resolved", "fired"]


async def test_what_only_one_saw_without_redis_is_ended_by_the_next(
    world: World, receivers: Receivers, store: Store, gone: Store
) -> None:
    """Redis was away from the one that had the duty alone; meanwhile another one took it."""
    policy = alerts_policy(rules=[rule("Gone", "redis_up < 1"), rule()], channels=HOOK)
    one, first = world.engine(policy, "r1")
    two, second = world.engine(policy, "r2")
    second.is_mine = False
    await world.step(one, redis_up=1, level=9)
    await world.deliver(one)
    one.shelf._store = one.silences._store = gone
    await world.step(one, redis_up=0, level=9)
    await world.deliver(one)
    second.is_mine = True
    await world.step(two, redis_up=1, level=9)
    one.shelf._store = one.silences._store = store
    first.is_mine = False
    await world.step(one, redis_up=1, level=9)
    for _ in range(2):
        await world.step(two, redis_up=1, level=9)
        await world.deliver(two)
    told = [("High", "firing"), ("Gone", "firing"), ("Gone", "resolved")]
    assert statuses(receivers) == told
    await world.step(two, redis_up=1, level=1)
    await world.deliver(two)
    assert statuses(receivers) == [*told, ("High", "resolved")]


async def test_a_silence_holds_back_what_is_new_and_not_the_end_of_what_was_told(
    world: World, receivers: Receivers
) -> None:
    engine, _ = world.engine(alerts_policy(channels=HOOK, rules=[rule(group_by=["x"])]))
    await world.step(engine, level__a=9)
    await world.deliver(engine)
    matchers = [SilenceMatcher("alert", "High"), SilenceMatcher("x", "a|b", "=~")]
    silence = await engine.silences.add(matchers, 60, "ann", "being mended")
    await world.step(engine, level__a=9, level__b=9, level__c=9)
    await world.deliver(engine)
    await world.step(engine, level__b=9)
    await world.deliver(engine)
    said = [(one["group"]["x"], one["status"]) for one in receivers.taken("webhook")]
    assert said == [("a", "firing"), ("c", "firing"), ("a", "resolved"), ("c", "resolved")]
    shown = await overview(engine)
    assert [(one["labels"]["x"], one["silenced"]) for one in shown["firing"]] == [("b", True)]

    await world.step(engine, s=60, level__b=9)  # it is over
    await world.deliver(engine)
    assert [one["group"]["x"] for one in receivers.taken("webhook")][4:] == ["b"]
    assert [one.id for one in await engine.silences.read()] == [silence.id]
    await engine.silences.take_back(silence.id)
    with pytest.raises(NotFound):
        await engine.silences.take_back(silence.id)


async def test_alerts_of_a_group_share_a_message_and_are_repeated(
    world: World, receivers: Receivers
) -> None:
    policy = alerts_policy(
        channels=HOOK, rules=[rule(repeat_s=3600)], group_wait_s=10, group_interval_s=30
    )
    engine, _ = world.engine(policy)
    for _ in range(3):
        await world.step(engine, level__a=9, level__b=7)
        await world.deliver(engine)
    [first] = receivers.taken("webhook")
    assert [item["summary"] for item in first["items"]] == ["9 at a", "7 at b"]
    await world.step(engine, level__a=9, level__b=7, level__c=8)
    await world.deliver(engine)
    assert len(receivers.taken("webhook")) == 1  # not so soon
    await world.step(engine, s=30, level__a=9, level__b=1, level__c=8)
    await world.deliver(engine)
    second = receivers.taken("webhook")[1]
    told = [(item["labels"]["x"], item["status"]) for item in second["items"]]
    assert (second["status"], told) == (
        "firing", [("a", "firing"), ("c", "firing"), ("b", "resolved")]
    )  # fmt: skip
    await world.step(engine, s=3600, level__a=9, level__c=8)
    await world.deliver(engine)
    assert len(receivers.taken("webhook")) == 3
    await world.step(engine, s=30, level__a=1)
    await world.deliver(engine)
    assert receivers.taken("webhook")[3]["status"] == "resolved"


async def test_a_figure_about_its_threshold_does_not_tell_again_and_again(
    world: World, receivers: Receivers
) -> None:
    engine, _ = world.engine(alerts_policy(channels=HOOK, rules=[rule(keep_s=20)]))
    for level in (9, 4, 9, 4, 4, 9, 4):
        await world.step(engine, level=level)
        await world.deliver(engine)
    assert statuses(receivers) == [("High", "firing")]
    for _ in range(4):
        await world.step(engine, level=4)
        await world.deliver(engine)
    assert statuses(receivers) == [("High", "firing"), ("High", "resolved")]


async def test_a_dead_channel_keeps_no_other_waiting(world: World, receivers: Receivers) -> None:
    channels = [channel("dead", "webhook", timeout_s=1), *HOOK]
    engine, _ = world.engine(alerts_policy(channels=channels, max_waiting=2))
    engine.start()
    try:
        for level in (9, 1, 9, 1):
            await world.step(engine, level=level)
            await receivers.wait("webhook", len(receivers.taken("webhook")) + 1)
        shown = await overview(engine)
        dead = shown["channels"][0]
        assert (dead["waiting"], dead["problem"]) == (2, "no connection (ClientConnectorError)")
    finally:
        await engine.close()
    assert world.counts.sent.count(("webhook", "sent")) == 4
    assert world.counts.sent.count(("dead", "lost")) == 2
    assert ("dead", "failed") in world.counts.sent


async def test_what_fails_is_tried_again_and_given_up_in_the_end(
    world: World, receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    policy = alerts_policy(channels=HOOK, retry_s=2, max_retry_s=5, give_up_s=60)
    engine, _ = world.engine(policy)
    receivers.mode("/webhook", "500", "503", "401", "ok")
    await world.step(engine, level=9)
    pauses = []
    [courier] = engine.post.couriers.values()
    for _ in range(3):
        assert await courier.step() == 0
        pauses.append(round(await courier.step(), 3))
        world.clock.advance(pauses[-1])
    assert pauses == [2, 4, 5]
    await world.deliver(engine)
    assert statuses(receivers) == [("High", "firing")]
    assert (await overview(engine))["channels"][0]["problem"] == ""

    receivers.mode("/webhook", "500")
    await world.step(engine, level=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            await world.deliver(engine)
            world.clock.advance(5)
    assert world.counts.sent.count(("webhook", "lost")) == 1
    assert "alert channel webhook: it answered 500; it is tried again" in caplog.text
    assert "a message about High was given up" in caplog.text


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_channels_of_their_severities_and_of_a_rule(
    world: World, receivers: Receivers
) -> None:
    channels = [
        *HOOK,
        channel("json", "apprise", severities=["critical"]),
        channel("feishu", "feishu", secret_env="FEISHU_SECRET", severities=["info"]),
    ]
    rules = [
        rule("Bad", "level > 8", severity="critical"),
        rule("Named", "level > 8", severity="warning", channels=["feishu"]),
        rule("Odd", "level > 8", severity="info"),
    ]
    engine, _ = world.engine(alerts_policy(channels=channels, rules=rules))
    await world.step(engine, level=9)
    await world.deliver(engine)
    assert [one["alert"] for one in receivers.taken("webhook")] == ["Bad"]
    assert [one["title"] for one in receivers.taken("json")] == ["[serve-app] FIRING critical: Bad"]
    texts = [one["content"]["text"] for one in receivers.taken("feishu")]
    assert [("Named" in text, "Odd" in text) for text in texts] == [(True, False), (False, True)]


async def test_another_policy_ends_what_it_no_longer_has(
    world: World, receivers: Receivers
) -> None:
    engine, _ = world.engine(alerts_policy(channels=HOOK))
    await world.step(engine, level=9)
    await world.deliver(engine)
    with pytest.raises(PolicyRejected, match=r"alerts.rules: High: .*\(column 15\)"):
        engine.reconfigure(alerts_policy(rules=[rule(expr="rate(level[5m]")]), {})
    engine.reconfigure(alerts_policy(rules=[rule("Other")], channels=HOOK), {})
    await world.step(engine, level=9)
    await world.deliver(engine)
    assert sorted(statuses(receivers)) == [
        ("High", "firing"), ("High", "resolved"), ("Other", "firing")
    ]  # fmt: skip


async def test_without_fresh_figures_nothing_is_judged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    engine, _ = world.engine(alerts_policy())
    await world.step(engine, level=9)
    world.clock.advance(60)
    with caplog.at_level(logging.WARNING):
        await engine.step()
        await engine.step()
    assert [one.state for one in of(engine.book.state)] == ["firing"]
    assert caplog.text.count("no fresh metrics") == 1


async def test_a_rule_that_cannot_be_evaluated_says_so_and_stops_no_other(world: World) -> None:
    rules = [rule("Broken", "level + on () level > 1"), rule()]
    engine, _ = world.engine(alerts_policy(rules=rules))
    await world.step(engine, level__a=9, level__b=9)
    shown = await overview(engine)
    assert {one["alert"] for one in shown["firing"]} == {"High"}
    problems = {one["name"]: one["problem"] for one in shown["rules"]}
    assert problems == {"Broken": "several series have the labels {}", "High": ""}


async def test_infinite_values_are_kept_and_shown(world: World) -> None:
    engine, _ = world.engine(alerts_policy(rules=[rule(expr="level / zero > $threshold")]))
    await world.step(engine, level=9, zero=0)
    other, _ = world.engine(alerts_policy(rules=[rule(expr="level / zero > $threshold")]), "r2")
    await world.step(other, level=9, zero=0)
    shown = await overview(other)
    assert [(one["value"], one["summary"]) for one in shown["firing"]] == [(None, "- at -")]


async def test_any_process_shows_what_is_known_and_without_redis_only_the_holder(
    world: World, gone: Store
) -> None:
    one, _ = world.engine(alerts_policy(), "r1")
    two, second = world.engine(alerts_policy(), "r2")
    second.is_mine = False
    await world.step(one, level=9)
    assert (await overview(two))["firing"] == (await overview(one))["firing"] != []
    assert two.firing() == []
    two.shelf._store = gone
    with pytest.raises(StoreUnavailable):
        await overview(two)


async def test_an_engine_that_runs_tells_and_closes(world: World, receivers: Receivers) -> None:
    engine, _ = world.engine(alerts_policy(channels=HOOK))
    world.figures.show(level=9)
    engine.start()
    try:
        [told] = await receivers.wait("webhook", 1)
        assert told["items"][0]["summary"] == "9 at -"
    finally:
        await engine.close()
    next_one: Engine
    next_one, _ = world.engine(alerts_policy(channels=HOOK), "r2")
    await world.step(next_one, level=9)
    await world.deliver(next_one)
    assert len(receivers.taken("webhook")) == 1
