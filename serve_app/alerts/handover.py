"""What one who lost the duty while Redis was away hands to the one who has it now."""

from __future__ import annotations

from serve_app.alerts.state import State, Told


def handed_over(theirs: State, ours: State, since: float) -> State:
    """Their state, and what began with us that they do not know: it is theirs to end.

    So an alert that only we saw (Redis was away from us alone) is told and ended once.

    Args:
        since: Unix seconds; from then on nothing of ours could be kept.
    """
    new = {
        key: alert
        for key, alert in ours.alerts.items()
        if alert.state != "pending" and alert.fired_at >= since and key not in theirs.alerts
    }
    theirs.alerts.update(new)
    for channel, groups in ours.told.items():
        known = theirs.told.setdefault(channel, {})
        for group, told in groups.items():
            if added := [key for key in told.firing if key in new]:
                before = known.get(group, Told([], told.at))
                known[group] = Told([*before.firing, *added], before.at)
    for channel, outbox in ours.outbox.items():
        theirs.outbox.setdefault(channel, []).extend(
            waiting for waiting in outbox if waiting.notice.at >= since
        )
    return theirs
