"""Prints dashboards/gitops-status.json, so that what its panels share is written once.

    examples/grafana/dashboard.py > examples/grafana/dashboards/gitops-status.json
"""

import json

DATASOURCE = {"type": "yesoreyeram-infinity-datasource", "uid": "${datasource}"}
NO_ANSWER = "No answer from the status server"
MINUTE = "time:YYYY-MM-DD HH:mm"
COLOURS = {"OUT_OF_SYNC": "red", "UNKNOWN": "orange", "STALE": "purple", "SYNCED": "green"}

# `All` is the word null. A set and not a list of what is chosen: looking through a list for each server takes a second
# for some thousand servers.
CHOSEN = """
def rows: if type == "array" then .[] else . end;
def set: flatten | map(values | {(.): true}) | add;
([${repo:json}] | set) as $repos | ([${server:json}] | set) as $servers
| def chosen: rows | select(($repos == null or $repos[.repo]) and ($servers == null or $servers[.server]));
"""
# A check from the future proves as little as an old one: a clock was wrong.
STATUS = """
def age: try (now - (.last_check | fromdateiso8601)) catch 1e9 | if . < -300 then 1e9 else . end;
def status: if .sync_status == "OUT_OF_SYNC" then .sync_status
  elif age > ${stale_after} then "STALE"
  elif .sync_status == "SYNCED" then .sync_status
  else "UNKNOWN" end;
"""
# What is no file has the name of its Ansible module before a colon.
FILES = """
def other: test("^[a-z][a-z0-9_.]*:");
"""


def jq(*parts):
    return " ".join(" ".join(parts).split())


def query(root_selector, columns=(), url="/status.json"):
    return {
        "refId": "A", "type": "json", "source": "url", "parser": "jq-backend", "format": "table", "url": url,
        "url_options": {"method": "GET", "data": ""}, "root_selector": root_selector,
        "columns": [{"selector": selector, "text": text, "type": kind} for selector, text, kind in columns], "filters": [],
    }


def override(name, **properties):
    matcher = {"id": "byRegexp" if name.startswith("/") else "byName", "options": name}
    names = {key: key.replace("__", ".") for key in properties}
    return {"matcher": matcher, "properties": [{"id": names[key], "value": value} for key, value in properties.items()]}


def thresholds(*steps):
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def mappings():
    options = {word: {"text": word, "color": colour, "index": index} for index, (word, colour) in enumerate(COLOURS.items())}
    return [{"type": "value", "options": options}]


def panel(number, kind, title, description, place, target, **more):
    x, y, w, h = place
    return {
        "id": number, "type": kind, "title": title, "description": description, "datasource": DATASOURCE,
        "gridPos": {"h": h, "w": w, "x": x, "y": y}, "targets": [{"datasource": DATASOURCE, **target}], **more,
    }


def tile(number, title, description, x, root_selector, colour, field_mappings=()):
    # The number is coloured and not the tile: at zero it is quiet, in the dark as well.
    steps = thresholds((None, "text"), (1, colour)) if colour else thresholds((None, "text"))
    defaults = {"color": {"mode": "thresholds"}, "thresholds": steps, "mappings": list(field_mappings), "noValue": NO_ANSWER}
    options = {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "value",
        "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False},
    }
    return panel(number, "stat", title, description, (x, 0, 6, 3), query(root_selector),
                 fieldConfig={"defaults": defaults, "overrides": []}, options=options)


def table(number, title, description, place, root_selector, columns, overrides, hidden=()):
    order = {text: index for index, (_, text, _) in enumerate(columns)}
    organize = {"id": "organize", "options": {"excludeByName": {}, "includeByName": {}, "indexByName": order, "renameByName": {}}}
    defaults = {
        "custom": {"align": "left", "cellOptions": {"type": "auto"}, "inspect": False}, "noValue": NO_ANSWER,
        "thresholds": thresholds((None, "text")), "color": {"mode": "thresholds"},
    }
    # A panel without an answer says so; an empty cell says nothing.
    overrides = [override("/.*/", noValue=" "), *overrides, *(override(name, custom__hidden=True) for name in hidden)]
    footer = {"show": False, "reducer": ["sum"], "fields": "", "countRows": False}
    return panel(number, "table", title, description, place, query(root_selector, columns), transformations=[organize],
                 fieldConfig={"defaults": defaults, "overrides": overrides},
                 options={"cellHeight": "sm", "showHeader": True, "sortBy": [], "footer": footer})


def tiles():
    yield tile(
        1, "In sync", "Servers whose newest check found no difference and is not stale.", 0,
        jq(CHOSEN, STATUS, '[chosen | status] | {"In sync": "\\(map(select(. == "SYNCED")) | length) of \\(length)"}'), None,
        [{"type": "value", "options": {"0 of 0": {"text": "no server", "color": "text", "index": 0}}},
         {"type": "regex", "options": {"pattern": "/^(\\d+) of \\1$/", "result": {"color": "green", "index": 1}}}],
    )
    for number, title, colour, description in [
        (2, "Out of sync", "red", "Servers where something differs from the repository, however long ago that was found."),
        (3, "Unknown", "orange", "Servers whose newest check could not tell, where the step reports that (`report_unknown`)."),
        (4, "Stale", "purple", "Servers without a check for ten minutes that were not out of sync then: nobody knows."),
    ]:
        word = title.upper().replace(" ", "_")
        selector = jq(CHOSEN, STATUS, f'[chosen | select(status == "{word}")] | {{"{title}": length}}')
        yield tile(number, title, description, (number - 1) * 6, selector, colour)


def servers():
    root_selector = jq(CHOSEN, STATUS, FILES, """
        def began($status): if $status == "STALE" then (.last_check | fromdateiso8601) + ${stale_after}
          else (.since | fromdateiso8601) end;
        {"OUT_OF_SYNC": 0, "UNKNOWN": 1, "STALE": 2, "SYNCED": 3} as $severity
        | [chosen | status as $status | [.files[]?.name] as $names | {
            repo, server, status: $status, severity: $severity[$status],
            files: ($names | map(select(other | not)) | join(", ")), things: ($names | map(select(other)) | join(", ")),
            lasts: (try (now - began($status)) catch null), since: (try (began($status) | todateiso8601) catch null),
            last_check, url: ((.details.pipeline_url? // "") | if type == "string" and test("^https?://") then . else "" end),
            commit: ((.details.commit? // "") | tostring | .[0:8])
          } | .link = (if .url == "" then .commit elif .commit == "" then "pipeline" else .commit end)]
        | sort_by(.severity, .repo, .server)
        | if length == 0 then [{status: "no server", files: "No status has been reported."}] else . end""")
    columns = [
        ("status", "Status", "string"), ("repo", "Repository", "string"), ("server", "Server", "string"),
        ("files", "Files", "string"), ("things", "Other things", "string"), ("lasts", "For", "number"),
        ("last_check", "Last check", "timestamp"), ("link", "Pipeline", "string"), ("since", "Since", "timestamp"),
        ("url", "url", "string"),
    ]
    link = {"title": "Open the pipeline", "url": "${__data.fields.url:raw}", "targetBlank": True}
    wrap = {"type": "auto", "wrapText": True}
    status_cell = {"type": "color-background", "mode": "basic"}
    overrides = [
        override("Status", mappings=mappings(), custom__cellOptions=status_cell, custom__width=125,
                 color={"mode": "fixed", "fixedColor": "transparent"}),
        override("Repository", custom__width=110), override("Server", custom__width=130),
        override("Files", custom__cellOptions=wrap, custom__inspect=True, custom__minWidth=230),
        override("Other things", custom__cellOptions=wrap, custom__inspect=True, custom__minWidth=130),
        override("For", unit="dtdurations", decimals=0, custom__width=100),
        override("Last check", unit="dateTimeFromNow", custom__width=135),
        override("Pipeline", links=[link], custom__width=105),
        override("Since", unit=MINUTE, custom__width=140),
    ]
    return table(
        5, "Servers", "The newest status of each server, worst first. SYNCED becomes STALE after ten minutes without a check.",
        (0, 3, 24, 14), root_selector, columns, overrides, hidden=["url"],
    )


def differences():
    root_selector = jq(CHOSEN, FILES, """
        [chosen] as $chosen
        | [$chosen[] | {repo, server} as $on | .files[]?.name | {repo: $on.repo, server: $on.server, name: .}]
        | group_by([.repo, .name])
        | map({repo: .[0].repo, name: .[0].name, kind: (if .[0].name | other then "other" else "file" end),
               count: length, servers: (map(.server) | join(", "))})
        | sort_by(-.count, .repo, .name)
        | if length > 0 then .
          elif $chosen == [] then [{name: "No status has been reported."}]
          else [{name: "No difference is known."}] end""")
    columns = [
        ("repo", "Repository", "string"), ("name", "What differs", "string"), ("kind", "Kind", "string"),
        ("count", "Servers", "number"), ("servers", "On", "string"),
    ]
    wrap = {"type": "auto", "wrapText": True}
    overrides = [
        override("Repository", custom__width=110), override("Kind", custom__width=70), override("Servers", custom__width=80),
        override("/^(What differs|On)$/", custom__cellOptions=wrap, custom__inspect=True, custom__minWidth=180),
    ]
    description = "One row for each file or other thing that differs, with all servers where it does."
    return table(6, "What differs", description, (0, 17, 13, 9), root_selector, columns, overrides)


def stale():
    root_selector = jq(CHOSEN, STATUS, """
        [chosen] as $chosen
        | [$chosen[] | select(age > ${stale_after}) | {repo, server, sync_status, last_check, age_s: (age | if . >= 1e9 then null else . end)}]
        | sort_by(-(.age_s // 1e9), .repo, .server)
        | if length > 0 then . elif $chosen == [] then [{repo: "no server"}] else [{repo: "none"}] end""")
    columns = [
        ("repo", "Repository", "string"), ("server", "Server", "string"), ("sync_status", "Was", "string"), ("age_s", "Not for", "number"),
        ("last_check", "Last check", "timestamp"),
    ]
    overrides = [
        override("Repository", custom__minWidth=100), override("Server", custom__minWidth=100),
        override("Was", custom__width=115), override("Not for", unit="dtdurations", decimals=0, custom__width=95),
        override("Last check", unit=MINUTE, custom__width=140),
    ]
    description = "No check for ten minutes: the cron job does not run, the check fails, or it cannot reach the status server."
    return table(7, "Not checked", description, (13, 17, 11, 9), root_selector, columns, overrides)


def timeline():
    # Only what was not always in sync, and not more than can be looked at.
    root_selector = jq(CHOSEN, """
        ("${__from:date:iso}"[0:19] + "Z") as $start
        | [chosen] | group_by([.repo, .server])
        | map(select(any(.sync_status != "SYNCED"))) | .[0:50]
        | map((.[0] | .repo + " " + .server) as $name
            | (.[] | {time: ([.from, $start] | max), name: $name, status: .sync_status}),
              (.[-1] | select(.to != null) | {time: .to, name: $name, status: null}))
        | if length == 0 then [{time: $start, name: "all servers", status: "always in sync"}] else . end""")
    columns = [("time", "Time", "timestamp"), ("name", "Server", "string"), ("status", "Status", "string")]
    by_server = {"id": "partitionByValues", "options": {"fields": ["Server"], "keepFields": False, "naming": {"asLabels": True}}}
    defaults = {
        "custom": {"fillOpacity": 80, "lineWidth": 0}, "mappings": mappings(),
        "color": {"mode": "fixed", "fixedColor": "green"}, "noValue": NO_ANSWER, "displayName": "${__field.labels.Server}",
    }
    options = {
        "alignValue": "left", "mergeValues": True, "rowHeight": 0.8, "showValue": "never",
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel(
        8, "state-timeline", "History", "Servers that were not always in sync in this time, the first fifty of them.", (0, 26, 24, 9),
        query(root_selector, columns, "/history.json?from=${__from:date:iso}&to=${__to:date:iso}"),
        transformations=[by_server], fieldConfig={"defaults": defaults, "overrides": []}, options=options,
    )


def variable(name, label, root_selector):
    asked = query(root_selector, [(name, name, "string")])
    asked["refId"] = "variable"
    return {
        "type": "query", "name": name, "label": label, "datasource": DATASOURCE, "multi": True, "includeAll": True,
        "allValue": "null", "hide": 0, "refresh": 2, "sort": 5, "regex": "", "skipUrlSync": False, "options": [],
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "query": {"refId": "variable", "queryType": "infinity", "infinityQuery": asked},
    }


def variables():
    current = {"selected": False, "text": "GitOps status", "value": "gitops-status"}
    yield {
        "type": "datasource", "name": "datasource", "label": "Status server", "query": "yesoreyeram-infinity-datasource",
        "current": current, "hide": 0, "includeAll": False, "multi": False, "options": [], "refresh": 1, "regex": "",
        "skipUrlSync": False,
    }
    rows = 'def rows: if type == "array" then .[] else . end;'
    yield variable("repo", "Repository", jq(rows, "[rows | {repo}] | unique"))
    chosen = "([${repo:json}] | flatten | map(values | {(.): true}) | add) as $repos"
    yield variable("server", "Server", jq(rows, chosen, "| [rows | select($repos == null or $repos[.repo]) | {server}] | unique"))
    yield {
        "type": "constant", "name": "stale_after", "label": "Stale after (seconds)", "query": "600", "hide": 2, "options": [],
        "description": "A cron job every two minutes runs every two to three; less than 600 warns without reason.",
        "current": {"selected": False, "text": "600", "value": "600"}, "skipUrlSync": True,
    }


def dashboard():
    return {
        "uid": "gitops-status", "title": "GitOps status",
        "description": "Do the servers match their Git repositories? Reported by the Woodpecker plugin plugin-gitops-status.",
        "tags": ["gitops", "woodpecker", "ansible"], "schemaVersion": 41, "version": 1, "editable": True, "graphTooltip": 0,
        "fiscalYearStartMonth": 0, "weekStart": "", "refresh": "1m", "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser", "timepicker": {}, "liveNow": False, "links": [], "annotations": {"list": []},
        "templating": {"list": list(variables())},
        "panels": [*tiles(), servers(), differences(), stale(), timeline()],
    }


print(json.dumps(dashboard(), indent=2))
