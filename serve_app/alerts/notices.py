"""Who is to be told what: alerts and what channels know in, messages into their outboxes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence

import msgspec

from serve_app.alerts import wording
from serve_app.alerts.rules import Rule
from serve_app.alerts.state import Alert, Item, Notice, State, Told, Waiting
from serve_app.config.alerts_policy import AlertChannel, AlertsPolicy, Language

Keys = dict[str, list[str]]
"""By group, the names of its alerts."""


class Notices:
    """Makes messages under one policy.

    A group is told once that it fires, again when one more of it does or one ends, and again
    after `repeat_s` while it lasts. What is silenced is not told; that it is over is told to those
    who know that it was.
    """

    def __init__(self, policy: AlertsPolicy, rules: Sequence[Rule]) -> None:
        self._policy = policy
        self._rules = {rule.name: rule for rule in rules}

    def gather(
        self, state: State, is_silenced: Callable[[Alert], bool], now: float
    ) -> list[tuple[str, Notice]]:
        """Put what is due into the outboxes of a state.

        Returns:
            Messages that had to go from an outbox that was full, with their channels.
        """
        self._let_go(state)
        loud = self._grouped(state, lambda a: a.state == "firing" and not is_silenced(a))
        lost: list[tuple[str, Notice]] = []
        for channel in self._policy.channels:
            told = state.told.setdefault(channel.name, {})
            wanted = {g: keys for g, keys in loud.items() if self._is_for(channel, g)}
            for group in sorted({*wanted, *told}):
                notice = self._due(state, channel, group, wanted.get(group, []), now)
                if notice is not None:
                    lost += self._post(state, channel.name, notice)
        return lost

    def _let_go(self, state: State) -> None:
        """Of channels that are no more."""
        names = {channel.name for channel in self._policy.channels}
        for kept in (state.told, state.outbox, state.troubles):
            for gone in kept.keys() - names:
                del kept[gone]

    def _grouped(self, state: State, counts: Callable[[Alert], bool]) -> Keys:
        groups: Keys = {}
        for key, alert in state.alerts.items():
            if counts(alert) and alert.rule in self._rules:
                by = self._rules[alert.rule].says.group_by
                groups.setdefault(_group(alert, by), []).append(key)
        return groups

    def _is_for(self, channel: AlertChannel, group: str) -> bool:
        says = self._rules[_read(group)[0]].says
        if says.channels:
            return channel.name in says.channels
        return says.severity in channel.severities

    def _due(
        self, state: State, channel: AlertChannel, group: str, firing: list[str], now: float
    ) -> Notice | None:
        told = state.told[channel.name].get(group)
        known = [] if told is None else told.firing
        ended = [key for key in known if not _fires(state, key)]
        fresh = [key for key in firing if key not in known]
        if not self._is_time(state, told, fresh, ended, firing, now):
            return None
        if not fresh and not ended and not self._repeats(group, told, firing, now):
            return None
        still = [key for key in known if key not in ended]
        state.told[channel.name][group] = Told([*still, *fresh], now)
        if not still and not fresh:
            del state.told[channel.name][group]
        items = [*_there(state, firing), *_there(state, ended)]
        return self._notice(channel, group, items, now) if items else None

    def _is_time(
        self,
        state: State,
        told: Told | None,
        fresh: Iterable[str],
        ended: list[str],
        firing: list[str],
        now: float,
    ) -> bool:
        if told is not None:
            return now - told.at >= self._policy.group_interval_s
        since = min((state.alerts[key].fired_at for key in fresh), default=now)
        return now - since >= self._policy.group_wait_s

    def _repeats(self, group: str, told: Told | None, firing: list[str], now: float) -> bool:
        if told is None or not firing:
            return False
        return now - told.at >= self._rules[_read(group)[0]].says.repeat_s

    def _notice(self, channel: AlertChannel, group: str, alerts: list[Alert], now: float) -> Notice:
        name, labels = _read(group)
        policy, rule = self._policy, self._rules.get(name)
        language = channel.language or policy.language
        items = [self._item(alert, language) for alert in alerts]
        return Notice(
            id=f"alert_{secrets.token_hex(12)}",
            alert=name,
            severity=alerts[0].severity,
            status="firing" if any(item.status == "firing" for item in items) else "resolved",
            group=labels,
            at=now,
            runbook="" if rule is None else rule.runbook(policy.runbooks),
            language=language,
            service=policy.service,
            items=items,
        )

    def _item(self, alert: Alert, language: Language) -> Item:
        rule = self._rules.get(alert.rule)
        fires = alert.state == "firing"
        said, value = alert.rule, wording.number(alert.value, "number")
        if rule is not None:
            said = wording.summary(rule.says, alert.labels, alert.value, language)
            value = wording.number(alert.value, rule.says.unit)
        return Item(
            alert=alert.rule,
            status="firing" if fires else "resolved",
            labels=alert.labels,
            value=value,
            summary=said,
            since=alert.since,
            ended_at=0.0 if fires else alert.ended_at,
        )

    def _post(self, state: State, channel: str, notice: Notice) -> list[tuple[str, Notice]]:
        outbox = state.outbox.setdefault(channel, [])
        outbox.append(Waiting(notice))
        gone = outbox[: max(0, len(outbox) - self._policy.max_waiting)]
        del outbox[: len(gone)]
        return [(channel, one.notice) for one in gone]


def _fires(state: State, key: str) -> bool:
    return key in state.alerts and state.alerts[key].state == "firing"


def _there(state: State, keys: Iterable[str]) -> list[Alert]:
    return [state.alerts[key] for key in keys if key in state.alerts]


def _group(alert: Alert, by: Sequence[str]) -> str:
    labels = {name: alert.labels.get(name, "") for name in sorted(by)}
    return msgspec.json.encode((alert.rule, labels)).decode()


def _read(group: str) -> tuple[str, dict[str, str]]:
    return msgspec.json.decode(group, type=tuple[str, dict[str, str]])
