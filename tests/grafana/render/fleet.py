"""A fleet with something to see, for the picture of the dashboard."""

import json
import time
import urllib.request

# 2026-04-21T10:30:00Z
NOW = 1776767400
MINUTE, HOUR = 60, 3600
SHOP, NGINX = "nginx/sites-enabled/shop.conf", ["nginx/nginx.conf", "service:nginx"]
REMOTE = ["rsyslog.d/30-remote.conf", "user:syslog"]


def statuses():
    """What was found on which server how long ago, in the order in which it is posted."""
    drifted = {"web02": [SHOP], "web05": [SHOP, *NGINX], "web06": [SHOP], "web07": [SHOP]}
    for number in range(1, 13):
        web, ago = f"web{number:02}", MINUTE + 5 * number
        yield "webservers", web, "SYNCED", [], 20 * HOUR
        if web == "web09":
            yield "webservers", web, "OUT_OF_SYNC", ["cron.d/backup"], 9 * HOUR
        if files := drifted.get(web):
            yield "webservers", web, "OUT_OF_SYNC", files, 3 * HOUR
            yield "webservers", web, "OUT_OF_SYNC", files, ago
        else:
            yield "webservers", web, "SYNCED", [], 95 * MINUTE if web == "web11" else ago
    for number in range(1, 7):
        database, status = f"db{number:02}", "UNKNOWN" if number == 3 else "SYNCED"
        yield "databases", database, "SYNCED", [], 22 * HOUR
        if status == "UNKNOWN":
            yield "databases", database, status, [], 2 * HOUR
        yield "databases", database, status, [], 100 + number
    for number in range(1, 6):
        log, drift = f"log{number:02}", REMOTE if number == 4 else []
        yield "rsyslog", log, "SYNCED", [], 23 * HOUR
        if drift:
            yield "rsyslog", log, "OUT_OF_SYNC", drift, 25 * MINUTE
        yield "rsyslog", log, "OUT_OF_SYNC" if drift else "SYNCED", drift, 90 + number
    yield "gateway", "gateway", "SYNCED", [], 21 * HOUR
    yield "gateway", "gateway", "SYNCED", [], 75


def post(url):
    for number, (repo, server, sync_status, files, ago) in enumerate(statuses()):
        status = {
            "repo": repo, "server": server, "sync_status": sync_status, "drift_count": len(files),
            "files": [{"name": name} for name in files],
            "last_check": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - ago)),
            "details": {"schema": 1, "commit": f"{(number * 2654435761) % 2**32:08x}d77a",
                        "pipeline_url": f"https://ci.example.net/repos/7/pipeline/{number}"},
        }
        body, headers = json.dumps(status).encode(), {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + "/api/status", body, headers), timeout=60) as answer:
            assert answer.read() == b"kept\n", status
