//! Connections: how many, and how long each may take over what.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::complain;

/// How many connections there are at the same time, where the limit of open files allows for it. Further ones wait.
const CONNECTIONS: u64 = 4096;

/// Open files that are not connections: the database, its journal, and what the runtime needs.
const OTHER_FILES: u64 = 64;

/// How long the head of a request may take, and how long a connection may be idle before the next one.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a reader may take nothing at all of what is sent to it.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// How much a connection may hold of a head, or of an answer that is not read yet, in bytes.
const BUFFER: usize = 16 * 1024;

/// How long requests that are under way may still take after a signal to end; a container gets ten seconds or more.
const END_TIME: Duration = Duration::from_secs(8);

/// Answers requests until SIGTERM or SIGINT, then finishes those that are under way.
///
/// # Errors
/// When signals cannot be waited for.
pub async fn serve(listener: TcpListener, routes: Router) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let places = Arc::new(Semaphore::new(connections()));
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            (stream, place) = next(&listener, &places) => answer(stream, place, &routes, &graceful),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop(listener);
    // Those that are not finished then are cut off.
    let _ = timeout(END_TIME, graceful.shutdown()).await;
    Ok(())
}

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                complain(&format!("cannot accept a connection: {error}"));
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn answer(stream: TcpStream, place: OwnedSemaphorePermit, routes: &Router, graceful: &GracefulShutdown) {
    // Answers are small, and one that waits for more to come along would only be late.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(routes.clone()));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // How a connection ended is the client's affair.
        let _ = connection.await;
        drop(place);
    });
}

/// How many connections the limit of open files allows for, after raising it as far as it goes.
fn connections() -> usize {
    let limits = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS + OTHER_FILES;
    let raised = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = limits.current.unwrap_or(wanted);
    let allowed =
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised.max(current)), maximum: limits.maximum }) {
            Ok(()) => raised.max(current),
            Err(_) => current,
        };
    let connections = allowed.saturating_sub(OTHER_FILES).clamp(1, CONNECTIONS);
    usize::try_from(connections).unwrap_or(1)
}
