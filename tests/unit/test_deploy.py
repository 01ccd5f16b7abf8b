"""What is in `deploy/`, as far as it can be tried without the programs that it is for."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from readstate import metrics
from readstate.app import create_app
from readstate.settings import Settings
from readstate.settings.values import check_known
from readstate.store.examination import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"readstate_\w+")
assert metrics.REQUESTS  # its import registers the metrics


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    return yaml.safe_load(text(name))


def alerts() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = read_yaml("alerts.yml")["groups"][0]["rules"]
    return rules


def queries() -> list[str]:
    """Every expression in the alert rules and on the dashboard."""
    panels = json.loads(text("grafana/readstate.json"))["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [rule["expr"] for rule in alerts()] + shown


def samples() -> set[str]:
    """The names of the samples that the service gives."""
    kinds = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
    return {
        family.name + ending
        for family in REGISTRY.collect()
        if family.name.startswith("readstate_")
        for ending in kinds[family.type]
    }


def families() -> set[str]:
    """The names of the metrics."""
    return {re.sub("_(total|bucket|count|sum)$", "", name) for name in samples()}


def program(name: str) -> str:
    """The path of a program. Without it the test is skipped."""
    if not (found := shutil.which(name)):
        pytest.skip(f"{name} is not installed")
    return found


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    named = {name for query in queries() for name in METRIC.findall(query)}
    assert named - samples() == set()
    assert len(named) > 10


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for query in queries() for name in METRIC.findall(query)}
    assert [family for family in families() if not any(name.startswith(family) for name in shown)] == []


def test_the_alert_of_failing_calls_knows_what_a_failure_is() -> None:
    app = create_app(Settings(redis_url="unix:///x", api_key="a" * 32, client_key="c" * 32, token_secret="t" * 32))
    failures = set().union(*(dialect.failures for dialect in app.dialects))
    (rule,) = (rule for rule in alerts() if rule["alert"] == "ReadstateCallsFail")
    (named,) = re.findall(r'outcome=~"([^"]*)"', rule["expr"])
    assert set(named.split("|")) == failures


def test_operations_that_are_asked_for_exist() -> None:
    lua = {path.stem for path in (ROOT / "lua").glob("*.lua")}
    named = {
        name for query in queries() for names in re.findall(r'operation=~"([^"]*)"', query) for name in names.split("|")
    }
    assert named - lua == set()


def test_every_alert_has_its_page() -> None:
    """And no page is about another one. A page begins with the alert's name and says what to do."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "alerts").glob("*.md")}
    runbooks = {rule["alert"]: rule["annotations"]["runbook"] for rule in alerts()}
    assert runbooks == {name: f"docs/alerts/{name}.md" for name in pages}
    for name, page in pages.items():
        assert re.findall("^#+ (.*)$", page, re.MULTILINE) == [name, "Look at", "What to do"]


def test_the_pages_of_alerts_name_metrics_settings_and_checks_that_there_are() -> None:
    for path in (ROOT / "docs" / "alerts").glob("*.md"):
        page = path.read_text(encoding="utf-8")
        assert set(METRIC.findall(page)) - samples() - families() == set(), path.name
        for setting in re.findall(r"READSTATE_\w+", page):
            check_known(setting)
        assert set(re.findall(r"`(store \w+)`", page)) - QUESTIONS.keys() == set(), path.name


def test_the_rules_fire_when_they_should() -> None:
    """Each for what it is about, none when all is well."""
    promtool = program("promtool")
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        run = subprocess.run([promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_unit_is_sound_and_closed(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    unit = tmp_path / "readstate.service"
    unit.write_text(text("readstate.service").replace("/opt/readstate/bin/readstate", "/bin/true"), encoding="utf-8")
    run = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    rating = subprocess.run(
        [analyze, "security", "--offline=true", unit], capture_output=True, text=True, check=False
    ).stdout
    if not (found := re.search(r"exposure level for readstate.service: ([0-9.]+)", rating)):
        pytest.skip("this systemd-analyze rates no files")
    assert float(found[1]) <= 2.5


def test_the_composition_names_files_and_settings_that_there_are() -> None:
    composition = read_yaml("compose.yaml")
    service = composition["services"]["readstate"]
    for variable in service["environment"]:
        check_known(variable)
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    mounted = [
        volume.partition(":")[0]
        for one in composition["services"].values()
        for volume in one.get("volumes", [])
        if volume.startswith("./")
    ]
    assert [path for path in mounted if not (DEPLOY / path).exists()] == []
    secrets = {value.removeprefix("/run/secrets/") for name, value in service["environment"].items() if "FILE" in name}
    assert secrets == set(service["secrets"])
    assert secrets < set(composition["secrets"])


def test_prometheus_asks_the_port_that_the_container_has() -> None:
    (port,) = re.findall(r"READSTATE_OPS_PORT=(\d+)", text("Containerfile"))
    (job,) = read_yaml("prometheus.yml")["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"readstate:{port}"]
    assert f"127.0.0.1:{port}/healthz" in text("Containerfile")


def test_the_container_is_made_of_what_there_is() -> None:
    containerfile = text("Containerfile")
    for line in re.findall(r"^COPY (?!--)(.*) \S+$", containerfile, re.MULTILINE):
        assert [name for name in line.split() if not (ROOT / name).exists()] == []
    for variable in re.findall(r"(READSTATE_\w+)=", containerfile):
        check_known(variable)
    assert re.search(r"^USER readstate$", containerfile, re.MULTILINE)
