//! The routes.

mod connections;
mod document;
mod post;
mod lists;
mod page;
mod badge;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::status::SyncStatus;
use crate::store::Store;
use crate::timestamp;

/// How long a request may take until its answer begins, the disk included.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How many bytes of bodies are held in memory at the same time, all requests together.
const BODIES: usize = 32 << 20;

/// What the routes share.
#[derive(Clone)]
pub struct App {
    store: Store,
    token: Option<Arc<Token>>,
    stale_after: Duration,
    bodies: Arc<Semaphore>,
}

impl App {
    pub fn new(store: Store, token: Option<Token>, stale_after: Duration) -> Self {
        Self { store, token: token.map(Arc::new), stale_after, bodies: Arc::new(Semaphore::new(BODIES)) }
    }

    /// What was checked before this moment, in Unix seconds, is stale.
    fn fresh_from(&self) -> i64 {
        timestamp::now() - i64::try_from(self.stale_after.as_secs()).unwrap_or(i64::MAX)
    }
}

/// What POST and DELETE need.
#[derive(Debug)]
pub struct Token {
    text: String,
}

impl Token {
    /// Reads a token from a file.
    ///
    /// # Errors
    /// When the file cannot be read or holds none.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        ensure!(!text.trim().is_empty(), "cannot use `{}`: it holds no token", file.display());
        Ok(Self { text: text.trim().to_owned() })
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token.is_some_and(|(_, token)| self.text.as_bytes().ct_eq(token.trim().as_bytes()).into())
    }
}

/// How a status is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    OutOfSync,
    Unknown,
    Stale,
    Synced,
}

impl Shown {
    /// A difference that was found stays one; everything else proves nothing once it is old.
    fn of(sync_status: SyncStatus, last_check: i64, fresh_from: i64) -> Self {
        match sync_status {
            SyncStatus::OutOfSync => Self::OutOfSync,
            SyncStatus::Synced | SyncStatus::Unknown if last_check < fresh_from => Self::Stale,
            SyncStatus::Unknown => Self::Unknown,
            SyncStatus::Synced => Self::Synced,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::OutOfSync => "OUT_OF_SYNC",
            Self::Unknown => "UNKNOWN",
            Self::Stale => "STALE",
            Self::Synced => "SYNCED",
        }
    }
}

/// Answers requests until SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be waited for.
pub async fn serve(listener: TcpListener, app: App) -> Result<()> {
    connections::serve(listener, routes(app)).await
}

fn routes(app: App) -> Router {
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route("/", get(page::page))
        .route("/style.css", get(page::style))
        .route("/status.json", get(lists::statuses))
        .route("/history.json", get(lists::history))
        .route("/metrics", get(lists::metrics))
        .route("/badge/{repo}/{server}", get(badge::badge))
        .route("/api/status", post(post::post).delete(post::delete))
        .route("/healthz", get(health))
        .route("/livez", get(|| async { json(StatusCode::OK, &serde_json::json!({"status": "ok"})) }))
        .fallback(|| async { text(StatusCode::NOT_FOUND, "there is nothing here; try /status.json") })
        .method_not_allowed_fallback(|| async { text(StatusCode::METHOD_NOT_ALLOWED, "not with this method") })
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "no-referrer"))
        .layer(header(CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; frame-ancestors 'none'"))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIME))
        .with_state(app)
}

/// Whether statuses can be kept.
async fn health(State(app): State<App>) -> Response {
    match app.store.check().await {
        Ok(()) => json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
        Err(error) => {
            let reason = format!("{error:#}");
            json(StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!({"status": "failing", "reason": reason}))
        }
    }
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

fn text(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

/// For what may succeed a little later.
fn unavailable(error: &anyhow::Error) -> Response {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}"));
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

/// Text as HTML or SVG may hold it, in an attribute too.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}
