//! What changes a status: POST and DELETE of `/api/status`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{App, text, unavailable};
use crate::status::{Key, Status};
use crate::store::Outcome;
use crate::timestamp;

/// The longest body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// How long the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// The longest idempotency key, in bytes.
const KEY_LIMIT: usize = 255;

/// `POST /api/status`.
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let read = timeout(BODY_TIME, async {
        match refusal(&app, &headers) {
            // What nobody looks at is read all the same: a client that is still sending would miss the answer.
            Some(refusal) => {
                discard(body).await;
                Err(refusal)
            }
            None => read(&app, body).await,
        }
    });
    let body = match read.await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return refusal,
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body takes too long"),
    };
    let status = match Status::parse(&body.bytes, timestamp::now()) {
        Ok(status) => status,
        Err(error) => return text(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error:#}")),
    };
    drop(body);
    let idempotency_key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    match app.store.keep(status, idempotency_key).await {
        Ok(outcome) => answer(outcome),
        Err(error) => unavailable(&error),
    }
}

/// `DELETE /api/status?repo=REPO&server=SERVER`.
pub async fn delete(
    State(app): State<App>,
    headers: HeaderMap,
    Query(mut query): Query<HashMap<String, String>>,
) -> Response {
    if let Some(refusal) = unauthorised(&app, &headers) {
        return refusal;
    }
    if app.token.is_none() {
        return text(StatusCode::FORBIDDEN, "a status can be removed where this server runs with `--token-file`");
    }
    let (Some(repo), Some(server)) = (query.remove("repo"), query.remove("server")) else {
        return text(StatusCode::BAD_REQUEST, "write which one: DELETE /api/status?repo=REPO&server=SERVER");
    };
    match app.store.remove(Key { repo, server }).await {
        Ok(outcome) => answer(outcome),
        Err(error) => unavailable(&error),
    }
}

fn answer(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Kept => text(StatusCode::OK, "kept"),
        Outcome::OlderThan(newer) => {
            let newer = timestamp::rfc3339(newer);
            text(StatusCode::OK, &format!("not kept: a newer check is known, which began at {newer}"))
        }
        Outcome::KeyReused => {
            text(StatusCode::UNPROCESSABLE_ENTITY, "this `Idempotency-Key` came with another status before")
        }
        Outcome::TooManyServers => text(
            StatusCode::INSUFFICIENT_STORAGE,
            "there are too many servers; remove those that are gone with DELETE /api/status",
        ),
        Outcome::Removed => text(StatusCode::OK, "removed"),
        Outcome::NotThere => text(StatusCode::NOT_FOUND, "there is no status of that repository and server"),
        Outcome::Writable => text(StatusCode::OK, "ok"),
    }
}

/// Why a request is not looked at further, by its head.
fn refusal(app: &App, headers: &HeaderMap) -> Option<Response> {
    if let Some(refusal) = unauthorised(app, headers) {
        return Some(refusal);
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Some(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be application/json"));
    }
    let usable = |key: &str| (1..=KEY_LIMIT).contains(&key.len());
    match headers.get("idempotency-key").map(|key| key.to_str().is_ok_and(usable)) {
        Some(false) => {
            Some(text(StatusCode::BAD_REQUEST, "`Idempotency-Key` has to be 1 to 255 visible characters of ASCII"))
        }
        Some(true) | None => None,
    }
}

fn unauthorised(app: &App, headers: &HeaderMap) -> Option<Response> {
    let token = app.token.as_ref()?;
    (!token.is_in(headers)).then(|| text(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong"))
}

/// A body, and its share of the memory that all bodies have together.
struct Read {
    bytes: Vec<u8>,
    memory: OwnedSemaphorePermit,
}

async fn read(app: &App, mut body: Body) -> Result<Read, Response> {
    let busy = |_| unavailable(&anyhow!("too many long requests at the same time"));
    let memory = Arc::clone(&app.bodies).try_acquire_many_owned(0).map_err(busy)?;
    let mut read = Read { bytes: Vec::new(), memory };
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| text(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.bytes.len() + data.len() > BODY_LIMIT {
            discard(body).await;
            return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is longer than {BODY_LIMIT} bytes")));
        }
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        read.memory.merge(Arc::clone(&app.bodies).try_acquire_many_owned(length).map_err(busy)?);
        read.bytes.extend_from_slice(&data);
    }
    Ok(read)
}

async fn discard(mut body: Body) {
    let mut left = BODY_LIMIT;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
        if left == 0 {
            return;
        }
    }
}
