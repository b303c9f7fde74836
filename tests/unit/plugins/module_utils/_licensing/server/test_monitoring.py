# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules and the dashboard of docs/monitoring, run by Prometheus itself over license servers that run."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    NUMBERS,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    take,
    wait_until,
    why,
)
from support.licsrv import Server, free_address
from support.needs import needs_command

FOLDER = Path(__file__).resolve().parents[6] / "docs" / "monitoring"
RULES = FOLDER / "alerts.yml"
# The worst case of a test that is killed.
STOP_AFTER = "120"
# Grafana's variables, as a short look would have them.
VARIABLES = {"$instance": ".*", "$__rate_interval": "1m", "$__range": "5m"}


def rules() -> list[dict[str, Any]]:
    return list(yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"])


def queries() -> dict[tuple[str, str], str]:
    """Return the dashboard's queries by panel and letter."""
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    found = {}
    for panel in panels:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            found[panel["title"], target["refId"]] = query
    return found


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}:9090"

    def ask(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(f"{self._url}{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    def query(self, query: str) -> list[dict[str, Any]]:
        return list(self.ask("/api/v1/query", query=query)["result"])

    def number(self, query: str) -> float:
        (sample,) = self.query(query)
        return float(sample["value"][1])

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            self.ask("/api/v1/status/buildinfo")
            return True
        return False


@contextlib.contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[Prometheus]:
    """Run Prometheus with the alert rules over license servers, every second."""
    address = free_address()
    job = {"job_name": "aims-license-server", "static_configs": [{"targets": list(targets)}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [job],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = ["timeout", STOP_AFTER, "prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}:9090"]
    with (folder / "prometheus.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        made = Prometheus(address)
        wait_until(made.is_up)
        yield made
    finally:
        process.terminate()
        process.wait(30)


@needs_command("prometheus", "prometheus")
def test_the_rules_and_the_dashboard_have_data_from_servers_that_run(site: Site, tmp_path: Path) -> None:
    lab = site.lab
    first = site.serve()
    lab.deactivate(site.host, CLIENT)
    lab.activate(lab.new, CLIENT)
    with (
        Server(HOME, str(lab.new.root)) as second,
        prometheus(tmp_path, *(f"{server.address}:{MANAGEMENT_PORT}" for server in (first, second))) as made,
    ):
        wait_until(lambda: made.query("sum(up) == 2") != [])
        wait_until(lambda: made.query("count(licsrv_seats_denied_total == 0) == 3") != [])
        seats = [take(first)["seat"] for _seat in range(8)]
        assert why(take, first) == "no_seat"
        first.seats.release(seats[0])
        wait_until(lambda: made.query("sum(increase(licsrv_seats_denied_total[1m])) > 0") != [])
        assert made.number("sum(licsrv_license_seats_in_use)") == 7
        assert {sample["metric"]["license"] for sample in made.query("licsrv_license_served == 1")} == set(NUMBERS)
        for panel, query in queries().items():
            assert made.query(query), f"{panel}: {query}"
        wait_until(lambda: all(rule["health"] != "unknown" for rule in told_rules(made)))
        assert [rule for rule in told_rules(made) if rule["health"] != "ok"] == []
        assert {rule["name"] for rule in told_rules(made)} == {rule["alert"] for rule in rules()}
        wait_until(lambda: "LicenseSeatsDenied" in firing(made))
        # Whatever is well alarms nobody.
        assert firing(made) <= {"LicenseSeatsDenied"}
        second.stop()
        wait_until(lambda: made.query("sum(up) == 1") != [])
        assert made.number(queries()["Servers that do not answer", "A"]) == 1


def told_rules(made: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in made.ask("/api/v1/rules")["groups"] for rule in group["rules"]]


def firing(made: Prometheus) -> set[str]:
    alerts = made.ask("/api/v1/alerts")["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@needs_command("promtool", "prometheus")
@pytest.mark.parametrize(
    "command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")], ids=["check", "test"]
)
def test_promtool_accepts_the_rules(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_each_rule_is_tested_to_be_quiet_and_to_fire() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


def test_the_page_names_each_rule_and_each_metric_that_is_asked_for_is_documented() -> None:
    page = (FOLDER.parent / "monitoring.md").read_text(encoding="utf-8")
    documented = set(
        re.findall(r"\b(?:licsrv|process)_[a-z_]+", (FOLDER.parent / "api.md").read_text(encoding="utf-8"))
    )
    assert [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in page] == []
    for query in [*queries().values(), *(rule["expr"] for rule in rules())]:
        asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\blicsrv_[a-z_]+", query)}
        assert asked <= documented, query
