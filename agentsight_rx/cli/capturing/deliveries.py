"""The deliveries of a file of rules -> the sink of alerts, with what stops an agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...core.sink import Sink
from ...policy.rules.guard.values import Deliver, Rules
from ...runtime import plugins
from ...sinks.alerts.sink import Deliver as Delivering
from ...sinks.alerts.sink import Delivery, alerts, by_command, by_desktop, by_file, by_journald, by_webhook
from ...view import AlertRow, Output
from .launch import invoking_user


def alert_sinks(
    rules: Rules | None, stopped: Callable[[AlertRow], None] | None = None, *, reloads: bool = False
) -> list[Sink[Output]]:
    """
    The sink of alerts, where the rules deliver or stop anything, or `reloads`: may do so later. Raises UsageError for an
    unknown plugin.
    """
    if rules is None or not (reloads or rules.deliver or any(rule.do == "stop" for rule in rules.rules)):
        return []
    return [alerts([_delivery(each, number) for number, each in enumerate(rules.deliver, 1)], stopped)]


def _delivery(given: Deliver, number: int) -> Delivery:
    way = next(name for name in ("command", "webhook", "journald", "desktop", "file", "plugin") if getattr(given, name))
    return Delivery(f"{way} {number}", given.level, _deliver(given))


def _deliver(given: Deliver) -> Delivering:
    owner = invoking_user()
    if given.command:
        return by_command(given.command, deadline_s=given.deadline_s, owner=owner)
    if given.webhook:
        return by_webhook(given.webhook, deadline_s=given.deadline_s)
    if given.journald:
        return by_journald()
    if given.desktop:
        return by_desktop(deadline_s=given.deadline_s, owner=owner)
    if given.file:
        return by_file(Path(given.file).expanduser(), owner=owner)
    return plugins.delivery(given.plugin)
