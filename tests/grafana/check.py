"""Looks at what the examples give to Grafana and Kubernetes with their own models, and asks Grafana's questions.

    check.py models                 nothing that Grafana or Kubernetes would not understand; prints nothing
    check.py queries STATUS_JSON    the rows of every panel and variable and the firing ones of every alert rule, as JSON

A query's frame is made as the Infinity datasource's backend makes it: the root selector in jq, then the columns, which
are plain keys here. `${repo:json}` and the like are replaced as Grafana replaces them, with everything chosen.
"""

import json
import pathlib
import re
import sys

import jq
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
    for rule in RULES:
        problems += lost(rule, through(alerting.Rule, rule), rule["title"])
    for source in yaml_files(GRAFANA / "provisioning/datasources"):
        uids = [datasource["uid"] for datasource in source["datasources"]]
        used = {query["datasourceUid"] for rule in RULES for query in rule["data"]} - {"__expr__"}
        used.add(DASHBOARD["templating"]["list"][0]["current"]["value"])
        if used != set(uids):
            problems.append(f"datasources {sorted(used)} are asked, and {uids} are provisioned")
    for resource in yaml_files(EXAMPLES / "kubernetes"):
        try:
            kubernetes_validate.validate(resource, "1.31", strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{resource['kind']}: {error.message}")
    sys.exit("\n".join(problems) or 0)


def yaml_files(directory):
    for path in sorted(directory.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def chosen(selector, statuses):
    values = {"repo": [status["repo"] for status in statuses], "server": [status["server"] for status in statuses]}
    values |= {v["name"]: v["query"] for v in DASHBOARD["templating"]["list"] if v["type"] == "constant"}

    def value(match):
        name, form = match.groups()
        return json.dumps(values[name]) if form == "json" else values[name]

    return re.sub(r"\$\{(\w+)(?::(\w+))?\}", value, selector)


def frame(query, statuses):
    # With any other parser alerting sees nothing, and without the slash the URL is a different host's.
    assert query["parser"] == "jq-backend" and query["url"] == "/status.json", query
    rows = jq.compile(chosen(query["root_selector"], statuses)).input_value(statuses).all()
    if len(rows) == 1 and isinstance(rows[0], list):
        rows = rows[0]
    if query["columns"]:
        rows = [{column["text"]: row[column["selector"]] for column in query["columns"]} for row in rows]
    return rows


def firing(rule, statuses):
    query, threshold = rule["data"]
    evaluator = threshold["model"]["conditions"][0]["evaluator"]
    assert rule["condition"] == "B" and threshold["model"]["expression"] == "A" and evaluator["type"] == "gt", rule
    for row in frame(query["model"], statuses):
        # Alerting wants exactly one number; the texts become labels.
        (number,) = [value for value in row.values() if isinstance(value, (int, float))]
        if number > evaluator["params"][0]:
            yield row


def queries(path):
    statuses = json.loads(pathlib.Path(path).read_text())
    asked = {panel["title"]: target for panel in DASHBOARD["panels"] for target in panel["targets"]}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            asked["$" + variable["name"]] = variable["query"]["infinityQuery"]
    assert len(asked) == len(DASHBOARD["panels"]) + 2, "titles are used twice"
    answers = {title: frame(query, statuses) for title, query in asked.items()}
    answers |= {"alert: " + rule["title"]: list(firing(rule, statuses)) for rule in RULES}
    print(json.dumps(answers))


if sys.argv[1:2] == ["queries"]:
    queries(sys.argv[2])
else:
    models()
