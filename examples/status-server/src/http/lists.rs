//! What programs read: the statuses and the history as JSON, and the metrics.

use std::fmt::Write;

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::document::{Writer, document};
use super::{App, text};
use crate::status::SyncStatus;
use crate::store::{Columns, Listed, Period, PeriodFilter};
use crate::timestamp;

const JSON: &str = "application/json";

/// `GET /status.json`: a flat array, sorted by repository and server.
pub async fn statuses(State(app): State<App>) -> Response {
    document(JSON, |mut writer| async move {
        let (mut after, mut separator) = (None, "[");
        loop {
            let part = app.store.statuses_after(after.take(), Columns::All).await?;
            let Some(last) = part.last() else { break };
            after = Some(last.key.clone());
            for status in &part {
                writer.write(separator).await?;
                writer.write(&status.json).await?;
                separator = ",";
            }
        }
        writer.write(if separator == "[" { "[]" } else { "]" }).await?;
        Ok(writer)
    })
    .await
}

/// What `/history.json` takes; times are RFC 3339, or `now`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    repo: Option<String>,
    server: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// `GET /history.json`: each period in which neither a status nor its files changed.
pub async fn history(
    State(app): State<App>,
    query: Result<Query<HistoryQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Query(query) = match query {
        Ok(query) => query,
        Err(error) => return text(StatusCode::BAD_REQUEST, &format!("repo, server, from and to are known: {error}")),
    };
    let moment = |name: &str, value: Option<String>| {
        let moment = match value.as_deref() {
            Some("now") => Ok(Some(timestamp::now())),
            value => value.map(timestamp::parse).transpose(),
        };
        moment.with_context(|| format!("`{name}` cannot be used"))
    };
    let (from, to) = match (moment("from", query.from), moment("to", query.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(error), _) | (_, Err(error)) => return text(StatusCode::BAD_REQUEST, &format!("{error:#}")),
    };
    let filter = PeriodFilter { repo: query.repo, server: query.server, from, to };
    document(JSON, |mut writer| async move {
        let (mut after, mut separator) = (None, "[");
        loop {
            let part = app.store.periods_after(filter.clone(), after.take()).await?;
            let Some(last) = part.last() else { break };
            after = Some(last.cursor.clone());
            for period in &part {
                writer.write(separator).await?;
                writer.write(&period_json(period)?).await?;
                separator = ",";
            }
        }
        writer.write(if separator == "[" { "[]" } else { "]" }).await?;
        Ok(writer)
    })
    .await
}

fn period_json(period: &Period) -> Result<String> {
    #[derive(Serialize)]
    struct Listed<'a> {
        repo: &'a str,
        server: &'a str,
        sync_status: SyncStatus,
        drift_count: usize,
        files: Vec<File>,
        from: String,
        to: Option<String>,
        commit: Option<&'a str>,
        pipeline_url: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct File {
        name: String,
    }
    let names: Vec<String> = serde_json::from_str(&period.files)?;
    Ok(serde_json::to_string(&Listed {
        repo: &period.cursor.key.repo,
        server: &period.cursor.key.server,
        sync_status: period.sync_status,
        drift_count: names.len(),
        files: names.into_iter().map(|name| File { name }).collect(),
        from: timestamp::rfc3339(period.cursor.began),
        to: period.ended.map(timestamp::rfc3339),
        commit: period.commit.as_deref(),
        pipeline_url: period.pipeline_url.as_deref(),
    })?)
}

/// `GET /metrics` in Prometheus' text format.
pub async fn metrics(State(app): State<App>) -> Response {
    document("text/plain; version=0.0.4; charset=utf-8", |mut writer| async move {
        for metric in METRICS {
            writer.write(&format!("# HELP {} {}\n# TYPE {} gauge\n", metric.name, metric.help, metric.name)).await?;
            each_server(&app, &mut writer, metric).await?;
        }
        let healthy = u8::from(app.store.check().await.is_ok());
        let name = "gitops_status_server_healthy";
        let help = "Whether statuses can be kept: 1, or 0 after one could not.";
        writer.write(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {healthy}\n")).await?;
        Ok(writer)
    })
    .await
}

struct Metric {
    name: &'static str,
    help: &'static str,
    /// Writes the labels that come after the server's, and the value, once or more.
    samples: fn(&Listed) -> Vec<Sample>,
}

struct Sample {
    label: &'static str,
    value: i64,
}

const METRICS: &[Metric] = &[
    Metric {
        name: "gitops_sync_status",
        help: "The result of the newest check: 1 for the status that holds, 0 for the others.",
        samples: |status| {
            let labels = [
                (SyncStatus::Synced, ",sync_status=\"SYNCED\""),
                (SyncStatus::OutOfSync, ",sync_status=\"OUT_OF_SYNC\""),
                (SyncStatus::Unknown, ",sync_status=\"UNKNOWN\""),
            ];
            let sample = |(one, label)| Sample { label, value: i64::from(one == status.sync_status) };
            labels.map(sample).into()
        },
    },
    Metric {
        name: "gitops_drift_count",
        help: "How many files and other things differ from the repository.",
        samples: |status| vec![Sample { label: "", value: status.drift_count }],
    },
    Metric {
        name: "gitops_last_check_timestamp_seconds",
        help: "When the newest check began.",
        samples: |status| vec![Sample { label: "", value: status.last_check }],
    },
    Metric {
        name: "gitops_since_timestamp_seconds",
        help: "When the present status began.",
        samples: |status| vec![Sample { label: "", value: status.since }],
    },
];

async fn each_server(app: &App, writer: &mut Writer, metric: &Metric) -> Result<()> {
    let mut after = None;
    loop {
        let part = app.store.statuses_after(after.take(), Columns::WithoutJson).await?;
        let Some(last) = part.last() else { return Ok(()) };
        after = Some(last.key.clone());
        let mut text = String::new();
        for status in &part {
            let (repo, server) = (label_value(&status.key.repo), label_value(&status.key.server));
            for Sample { label, value } in (metric.samples)(status) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}{{repo=\"{repo}\",server=\"{server}\"{label}}} {value}", metric.name);
            }
        }
        writer.write(&text).await?;
    }
}

fn label_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
