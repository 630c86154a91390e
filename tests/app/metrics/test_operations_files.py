"""The dashboard, the alert rules and the page about metrics name what there is, and all of it."""

import json
import re

from app.metrics.live import LIVE
from app.metrics.measures import METRICS
from tests.test_imports import ROOT

OPERATIONS = ROOT / "docs" / "operations"
DASHBOARD = json.loads((OPERATIONS / "dashboard.json").read_text(encoding="utf-8"))
ALERTS = (OPERATIONS / "alerts.yml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/operations/metrics.md").read_text(encoding="utf-8")

NAME = re.compile(
    r"\b(?:realtime|http|store|event_loop|process|python|queue|rate_limited)_\w+(?=\W|$)"
)
LABELS = re.compile(r"(?:by|without) \(([^)]*)\)|(\w+)\s*(?:=~|!=|=)\s*\"")
PROMETHEUS_OWN = {"instance", "job", "le"}
SUFFIXES = ("_total", "_bucket", "_sum", "_count", "")


def families(server):
    return {family.name: family for family in server.app[METRICS].registry.collect()}


def named_by(expressions):
    return {name for expression in expressions for name in NAME.findall(expression)}


def dashboard_expressions():
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def alert_expressions():
    return re.findall(r"^ +expr: (.+)$", ALERTS, re.MULTILINE)


def samples_of(family):
    """Return the sample names that a family may have."""
    if family.type == "counter":
        return {f"{family.name}_total"}
    if family.type == "histogram":
        return {f"{family.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return {family.name}


async def test_every_metric_named_exists(server):
    """A panel or a rule that names a metric which is gone would be silent for ever."""
    there = {name for family in families(server).values() for name in samples_of(family)}
    for expressions in (dashboard_expressions(), alert_expressions()):
        assert len(expressions) > 10
        wanted = named_by(expressions)
        assert len(wanted) > 10
        assert wanted - there == set()


async def test_every_label_named_exists(server):
    """No expression groups or filters by a label that none of its metrics has."""
    metrics = server.app[METRICS]
    labels = {}
    for family in metrics.registry.collect():
        labels[family.name] = {name for sample in family.samples for name in sample.labels}
    for instrument in vars(metrics).values():
        if hasattr(instrument, "_labelnames"):
            labels[instrument._name] = set(instrument._labelnames)
    for expression in (*dashboard_expressions(), *alert_expressions()):
        known = set(PROMETHEUS_OWN)
        for name in named_by([expression]):
            base = next(name[: len(name) - len(end)] for end in SUFFIXES if name.endswith(end))
            known |= labels.get(base, labels.get(name, set()))
        used = {
            label.strip()
            for group, filtered in LABELS.findall(expression)
            for label in (group or filtered).split(",")
        }
        assert used <= known, expression


async def test_every_metric_of_ours_is_documented_and_shown(server):
    """The page has each one, and the dashboard draws it."""
    ours = {
        family.name
        for name, family in families(server).items()
        if not name.startswith(("process_", "python_"))
    }
    assert server.app[LIVE] is not None
    drawn = {
        name.removesuffix("_bucket").removesuffix("_total")
        for name in named_by(dashboard_expressions())
    }
    assert len(ours) > 15
    assert [name for name in sorted(ours) if f"`{name}" not in PAGE] == []
    assert sorted(ours - drawn) == []


def test_every_alert_says_what_to_do():
    """A rule that wakes somebody up tells them where to look."""
    rules = ALERTS.split("- alert: ")[1:]
    assert len(rules) > 10
    for rule in rules:
        assert "\n          summary: " in rule
        assert "\n          do: " in rule
        assert "severity: " in rule
