"""Looks at what the examples give to Grafana and Kubernetes with their own models, and asks Grafana's questions.

    check.py models         nothing that Grafana or Kubernetes would not understand; prints nothing
    check.py queries URL [CHOSEN [NOW]]
                            asks the status server at URL: the rows of every panel and variable, and the firing ones of
                            every alert rule with their texts, by their titles, as JSON; `null` where the query fails. CHOSEN is a JSON
                            object with the values of variables that are not `All`; NOW is another time than the present,
                            in Unix seconds

A query's frame is made as the Infinity datasource's backend makes it: the root selector in jq, then the columns, which
are plain keys here. `${repo:json}` and the like are replaced as Grafana replaces them.
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
GRAFANA = EXAMPLES / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/gitops-status.json").read_text())
ALERTS = yaml.safe_load((GRAFANA / "provisioning/alerting/gitops-status.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def lost(before, after, path):
    """What a model did not give back as it was."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after)):
            yield from lost(*pair, f"{path}[{index}]")
    elif before != after:
        yield f"{path} is {before!r} and became {after!r}"


def models():
    import kubernetes_validate
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models import alerting, dashboard

    register_default_plugins()

    def through(model, data):
        return json.loads(JSONEncoder().encode(model.from_json(json.loads(json.dumps(data)))))

    problems = list(lost(DASHBOARD, through(dashboard.Dashboard, DASHBOARD), "dashboard"))
    printed = subprocess.run([sys.executable, GRAFANA / "dashboard.py"], capture_output=True, text=True, check=True).stdout
    if printed != (GRAFANA / "dashboards/gitops-status.json").read_text():
        problems.append("dashboard.py prints another dashboard than dashboards/gitops-status.json")
    for rule in RULES:
        problems += lost(rule, through(alerting.Rule, rule), rule["title"])
        problems += wrong_annotations(rule)
        if rule["for"] not in ("2m", "10m"):
            problems.append(f"{rule['title']}: one evaluation that fails would be an alert for each server")
    for source in yaml_files(GRAFANA / "provisioning/datasources"):
        uids = [datasource["uid"] for datasource in source["datasources"]]
        used = {query["datasourceUid"] for rule in RULES for query in rule["data"]} - {"__expr__"}
        used.add(DASHBOARD["templating"]["list"][0]["current"]["value"])
        if used != set(uids):
            problems.append(f"datasources {sorted(used)} are asked, and {uids} are provisioned")
    problems += wrong_mounts_and_rights(yaml.safe_load((GRAFANA / "docker-compose.yml").read_text())["services"])
    for resource in yaml_files(EXAMPLES / "kubernetes"):
        try:
            kubernetes_validate.validate(resource, "1.31", strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{resource['kind']}: {error.message}")
    sys.exit("\n".join(problems) or 0)


def wrong_annotations(rule):
    """A label that a rule's query does not give would read `[no value]`."""
    selector = rule["data"][0]["model"]["root_selector"]
    for name, text in rule["annotations"].items():
        for label in re.findall(r"\$labels\.(\w+)", text):
            if not re.search(rf"\b{label}\b", selector):
                yield f"{rule['title']}: {name} names the label {label}, which its query does not have"
    can_have_no_labels = "Alerting" in (rule["execErrState"], rule["noDataState"])
    if can_have_no_labels and "$labels" in json.dumps(rule["annotations"]):
        yield f"{rule['title']}: an alert because of an error or of no data has no labels to name"


def wrong_mounts_and_rights(services):
    """What the compose file may not do: hide Grafana's own files, or let whoever looks at Grafana post a status."""
    server, grafana = services["gitops-status-server"], services["grafana"]
    for volume in grafana["volumes"]:
        source, target, mode = volume.split(":")
        if not (GRAFANA / source).exists():
            yield f"docker-compose.yml mounts {source}, which is not there"
        if "/etc/grafana/provisioning".startswith(target) or re.search(r"/provisioning/[^/.]*$", target):
            yield f"docker-compose.yml mounts over the directory {target}, and what Grafana has in it is gone"
        if mode != "ro":
            yield f"docker-compose.yml lets Grafana write to {source}"
    if "--token-file" not in server["command"]:
        yield "docker-compose.yml lets everybody post a status"
    if "secrets" in grafana or "token" in json.dumps(grafana["environment"]).lower():
        yield "docker-compose.yml gives the token to Grafana, and a viewer could post a status through the datasource"
    if any(not port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"]):
        yield "docker-compose.yml publishes a port to other machines"


def yaml_files(directory):
    for path in sorted(directory.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def interpolated(text, choices, now):
    values = {v["name"]: v["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "constant"}
    values |= {v["name"]: v["allValue"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"}
    values |= {name: json.dumps(value) for name, value in choices.items()}
    values |= {"__from": f"{now - datetime.timedelta(days=1):%FT%T}.000Z", "__to": f"{now:%FT%T}.000Z"}
    return re.sub(r"\$\{(\w+)(?::[\w:]+)?\}", lambda match: values[match[1]], text)


class Server:
    def __init__(self, url, now):
        self.url, self.now, self.answers = url, now, {}

    def answer(self, path):
        if path not in self.answers:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                self.answers[path] = json.load(answer)
        return self.answers[path]

    def frame(self, query, choices):
        import jq

        # With any other parser alerting sees nothing, and without the slash the URL is a different host's.
        assert query["parser"] == "jq-backend" and query["url"].startswith("/"), query
        answer = self.answer(interpolated(query["url"], choices, self.now))
        selector = interpolated(query["root_selector"], choices, self.now)
        rows = jq.compile(f"def now: {self.now.timestamp()}; {selector}").input_value(answer).all()
        if len(rows) == 1 and isinstance(rows[0], list):
            rows = rows[0]
        if query["columns"]:
            rows = [{column["text"]: row.get(column["selector"]) for column in query["columns"]} for row in rows]
        return rows

    def asked(self, query, choices):
        try:
            return self.frame(query, choices)
        except (urllib.error.URLError, OSError):
            return None

    def firing(self, rule):
        query, threshold = rule["data"]
        evaluator = threshold["model"]["conditions"][0]["evaluator"]
        assert rule["condition"] == "B" and threshold["model"]["expression"] == "A", rule
        rows = self.asked(query["model"], {})
        if not rows:
            state = rule["execErrState"] if rows is None else rule["noDataState"]
            return [{"state": state}]
        found = []
        for row in rows:
            # Alerting wants exactly one number; the texts become labels.
            (number,) = [value for value in row.values() if isinstance(value, (int, float))]
            limit = evaluator["params"][0]
            if number > limit if evaluator["type"] == "gt" else number < limit:
                found.append(row)
        return found


def annotated(rule, labels):
    """The annotations of an alert, for the part of Go's templates that they use. A label that is not there is an error."""
    def filled(text):
        text = re.sub(r"{{ if \$labels\.(\w+) }}(.*?){{ end }}", lambda found: found[2] if labels[found[1]] else "", text)
        text = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: str(labels[found[1]]), text)
        assert "{{" not in text, text
        return " ".join(text.split())

    return {name: filled(text) for name, text in rule["annotations"].items()}


def queries(url, choices="{}", now=None):
    now = datetime.datetime.fromtimestamp(float(now) if now else time.time(), datetime.timezone.utc)
    server, choices = Server(url, now), json.loads(choices)
    asked = {panel["title"]: target for panel in DASHBOARD["panels"] for target in panel["targets"]}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            asked["$" + variable["name"]] = variable["query"]["infinityQuery"]
    assert len(asked) == len(DASHBOARD["panels"]) + 2, "titles are used twice"
    answers = {title: server.asked(query, choices) for title, query in asked.items()}
    for rule in RULES:
        firing = server.firing(rule)
        answers["alert: " + rule["title"]] = firing
        answers["text: " + rule["title"]] = [annotated(rule, {} if "state" in row else row) for row in firing
                                             if row.get("state") != "KeepLast"]
    print(json.dumps(answers))


if sys.argv[1:2] == ["queries"]:
    queries(*sys.argv[2:])
else:
    models()
