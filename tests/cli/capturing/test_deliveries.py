"""Each delivery of a file of rules is one of the sink of alerts."""

from __future__ import annotations

from agentsight_rx.cli.capturing.deliveries import alert_sinks
from agentsight_rx.events.loss import Ledger
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules

WAYS = ('command = ["true"]', 'webhook = "https://x.example/"', "journald = true", "desktop = true", 'file = "~/alerts"')


def test_each_way_has_its_counts() -> None:
    rules = read_rules("".join(f"[[deliver]]\n{way}\n" for way in WAYS), "guard.toml")
    (sink,) = alert_sinks(rules)
    ledger = Ledger()
    sink.open(ledger).close()
    assert ["command 1", "webhook 2", "journald 3", "desktop 4", "file 5"] == [
        meter.stage.removeprefix("deliver ") for meter in ledger
    ]


def test_without_a_delivery_or_a_stop_there_is_no_sink() -> None:
    assert [] == alert_sinks(None) == alert_sinks(built_in_rules())
    assert 1 == len(alert_sinks(read_rules('[rule.loop]\ndo = "stop"', "guard.toml")))
    assert 1 == len(alert_sinks(built_in_rules(), reloads=True))  # a rule may stop later
