//! `GET /`: the statuses as a page, for who has no Grafana. It needs no script.

use std::fmt::Write;

use anyhow::Result;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document::{Writer, document};
use super::{App, Shown, escaped};
use crate::status::{commit, pipeline_url};
use crate::store::{Columns, Listed};
use crate::timestamp;

/// How many files a row names; the others are counted.
const FILES: usize = 50;

/// The page's style.
pub async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css")).into_response()
}

/// The page: what needs attention comes first.
pub async fn page(State(app): State<App>) -> Response {
    document("text/html; charset=utf-8", |mut writer| async move {
        let (now, fresh_from) = (timestamp::now(), app.fresh_from());
        let counts = app.store.counts(fresh_from).await?;
        let total = counts.synced + counts.out_of_sync + counts.unknown + counts.stale;
        writer.write(HEAD).await?;
        let kinds = [
            (counts.out_of_sync, "out-of-sync", "out of sync"),
            (counts.unknown, "unknown", "unknown"),
            (counts.stale, "stale", "stale"),
        ];
        let mut summary = format!("<p class=\"summary\"><b>{} of {total}</b> in sync", counts.synced);
        for (count, class, words) in kinds.into_iter().filter(|(count, _, _)| *count > 0) {
            // Writing to a String cannot fail, here and below.
            let _ = write!(summary, " · <span class=\"{class}\">{count} {words}</span>");
        }
        writer.write(&summary).await?;
        let time = timestamp::rfc3339(now);
        writer.write(&format!(" · as of <time datetime=\"{time}\">{}</time></p>\n", clock(now))).await?;
        if let Err(error) = app.store.check().await {
            let error = escaped(&format!("{error:#}"));
            writer.write(&format!("<p class=\"alarm\">Statuses cannot be kept: {error}</p>\n")).await?;
        }
        if total == 0 {
            writer.write("<p>No status has been reported yet.</p>\n").await?;
        } else {
            writer.write(TABLE_HEAD).await?;
            for shown in [Shown::OutOfSync, Shown::Unknown, Shown::Stale, Shown::Synced] {
                rows(&app, &mut writer, shown, fresh_from, now).await?;
            }
            writer.write("</tbody>\n</table>\n").await?;
        }
        writer.write(TAIL).await?;
        Ok(writer)
    })
    .await
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="60">
<title>GitOps status</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<h1>GitOps status</h1>
"#;

const TABLE_HEAD: &str = "<table>
<thead><tr><th>Status</th><th>Repository</th><th>Server</th><th>Differs</th><th>Since</th><th>Last check</th></tr></thead>
<tbody>
";

const TAIL: &str = "<footer><a href=\"status.json\">status.json</a> · <a href=\"history.json\">history.json</a> · \
<a href=\"metrics\">metrics</a></footer>
</body>
</html>
";

async fn rows(app: &App, writer: &mut Writer, wanted: Shown, fresh_from: i64, now: i64) -> Result<()> {
    let mut after = None;
    loop {
        let part = app.store.statuses_after(after.take(), Columns::All).await?;
        let Some(last) = part.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for status in &part {
            if Shown::of(status.sync_status, status.last_check, fresh_from) == wanted {
                writer.write(&row(status, wanted, now - fresh_from, now)?).await?;
            }
        }
    }
}

/// What a row needs besides the columns of the database.
#[derive(Deserialize)]
struct Object {
    files: Vec<File>,
    details: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct File {
    name: String,
}

fn row(status: &Listed, shown: Shown, stale_after: i64, now: i64) -> Result<String> {
    let Object { files, details } = serde_json::from_str(&status.json)?;
    let mut differs = String::new();
    for File { name } in files.iter().take(FILES) {
        let _ = write!(differs, "<li>{}</li>", escaped(name));
    }
    if files.len() > FILES {
        let _ = write!(differs, "<li class=\"more\">and {} more</li>", files.len() - FILES);
    }
    if !differs.is_empty() {
        differs = format!("<ul>{differs}</ul>");
    }
    // Stale is what it has been since it was not checked in time.
    let since = if shown == Shown::Stale { status.last_check + stale_after } else { status.since };
    let class = match shown {
        Shown::OutOfSync => "out-of-sync",
        Shown::Unknown => "unknown",
        Shown::Stale => "stale",
        Shown::Synced => "synced",
    };
    let before = match shown {
        Shown::Stale => format!(" <small>was {}</small>", status.sync_status.as_str()),
        Shown::OutOfSync | Shown::Unknown | Shown::Synced => String::new(),
    };
    let pipeline = pipeline(details.as_ref());
    let (repo, server) = (escaped(&status.key.repo), escaped(&status.key.server));
    Ok(format!(
        "<tr class=\"{class}\"><td><b>{}</b>{before}</td><td data-label=\"Repository\">{repo}</td>\
         <td data-label=\"Server\">{server}</td><td data-label=\"Differs\">{differs}</td>\
         <td data-label=\"Since\">{}</td><td data-label=\"Last check\">{}{pipeline}</td></tr>\n",
        shown.word(),
        moment(since, now, "for "),
        moment(status.last_check, now, ""),
    ))
}

fn pipeline(details: Option<&Map<String, Value>>) -> String {
    let commit = commit(details).map_or(String::new(), |commit| format!(" at {}", commit.get(..8).unwrap_or(commit)));
    match pipeline_url(details) {
        Some(url) => format!("<small><a href=\"{}\" rel=\"noreferrer\">pipeline</a>{commit}</small>", escaped(url)),
        None if commit.is_empty() => String::new(),
        None => format!("<small>{}</small>", commit.trim_start()),
    }
}

/// A moment as its distance from now, with the moment itself for who points at it.
fn moment(moment: i64, now: i64, before: &str) -> String {
    let distance = distance(now - moment);
    let (before, after) = if before.is_empty() { ("", " ago") } else { (before, "") };
    let (time, clock) = (timestamp::rfc3339(moment), clock(moment));
    format!("<time datetime=\"{time}\" title=\"{clock}\">{before}{distance}{after}</time><small>{clock}</small>")
}

fn clock(moment: i64) -> String {
    timestamp::rfc3339(moment).replace('T', " ").replace('Z', " UTC")
}

/// A duration as a person says it, in one unit.
fn distance(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..5_400 => format!("{} min", seconds / 60),
        5_400..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_has_one_unit() {
        let said = [-5, 59, 60, 3_600, 5_400, 172_800].map(distance);
        assert_eq!(said, ["0 s", "59 s", "1 min", "60 min", "1 h", "2 d"]);
    }
}
