//! `GET /badge/REPO/SERVER.svg`: one status as a small picture, for a README or a wiki.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::{App, Shown, escaped, text, unavailable};
use crate::status::Key;

/// A badge; a server that is not known gets a grey one, with 404.
pub async fn badge(State(app): State<App>, Path((repo, file)): Path<(String, String)>) -> Response {
    let Some(server) = file.strip_suffix(".svg") else {
        return text(StatusCode::NOT_FOUND, "a badge is at /badge/REPO/SERVER.svg");
    };
    let status = match app.store.status(Key { repo, server: server.to_owned() }).await {
        Ok(status) => status,
        Err(error) => return unavailable(&error),
    };
    let shown = status.map(|status| Shown::of(status.sync_status, status.last_check, app.fresh_from()));
    let (code, words, colour) = match shown {
        Some(Shown::Synced) => (StatusCode::OK, "in sync", "#2b7a2b"),
        Some(Shown::OutOfSync) => (StatusCode::OK, "out of sync", "#c4162a"),
        Some(Shown::Unknown) => (StatusCode::OK, "unknown", "#a35200"),
        Some(Shown::Stale) => (StatusCode::OK, "stale", "#7c3aa8"),
        None => (StatusCode::NOT_FOUND, "no status", "#666"),
    };
    // Proxies for pictures keep what may be kept.
    (code, [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache, max-age=0")], svg(server, words, colour))
        .into_response()
}

fn svg(server: &str, words: &str, colour: &str) -> String {
    let (left, right) = (width(server), width(words));
    let (label, title, all) = (escaped(server), escaped(&format!("{server}: {words}")), left + right);
    let (middle, rest) = (left / 2, left + right / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img" aria-label="{title}"><title>{title}</title><clipPath id="r"><rect width="{all}" height="20" rx="3"/></clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g><g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{middle}" y="14">{label}</text><text x="{rest}" y="14">{words}</text></g></svg>
"##
    )
}

/// About how wide text is, in pixels, with its margins.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 7 } else { 11 }).sum::<usize>() + 12
}
