//! Answers that are as long as there are servers: they are made part by part while they are read, so that a slow reader
//! costs a few kilobytes and not a copy of everything.

use std::future::Future;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::unavailable;

/// How long a reader may take for the whole answer.
const READ_TIME: Duration = Duration::from_secs(120);

/// How many bytes are sent at once.
const PART: usize = 16 * 1024;

/// Takes the text of an answer.
pub struct Writer {
    parts: mpsc::Sender<Part>,
    buffer: String,
    deadline: Instant,
}

enum Part {
    Text(String),
    Failed(anyhow::Error),
    /// Without it, what was sent is not the whole.
    End,
}

impl Writer {
    /// Adds text. Waits until the reader has taken what came before.
    ///
    /// # Errors
    /// When the reader is gone or too slow.
    pub async fn write(&mut self, text: &str) -> Result<()> {
        self.buffer.push_str(text);
        if self.buffer.len() < PART {
            return Ok(());
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.buffer);
        let sent = timeout_at(self.deadline, self.parts.send(Part::Text(text))).await;
        sent.context("the reader is too slow")?.map_err(|_| anyhow!("the reader is gone"))
    }
}

/// An answer of this type with the text that `write` adds. If it fails before the first part, the answer is an error;
/// after that the connection breaks off, so that a part cannot pass for the whole.
pub async fn document<F>(content_type: &'static str, write: impl FnOnce(Writer) -> F) -> Response
where
    F: Future<Output = Result<Writer>> + Send + 'static,
{
    let (parts, mut received) = mpsc::channel(1);
    let writer = Writer { parts: parts.clone(), buffer: String::new(), deadline: Instant::now() + READ_TIME };
    let written = write(writer);
    tokio::spawn(async move {
        let end = async {
            written.await?.send().await?;
            Ok(Part::End)
        };
        let last = end.await.unwrap_or_else(Part::Failed);
        // A reader that is gone misses nothing.
        let _ = timeout_at(Instant::now() + READ_TIME, parts.send(last)).await;
    });
    match received.recv().await {
        Some(Part::Failed(error)) => unavailable(&error),
        Some(first) => ([(CONTENT_TYPE, content_type)], body(first, received)).into_response(),
        None => unavailable(&anyhow!("the answer could not be made")),
    }
}

fn body(first: Part, received: mpsc::Receiver<Part>) -> Body {
    Body::from_stream(stream::unfold((Some(first), received), async |(waiting, mut received)| {
        let part = match waiting {
            Some(part) => Some(part),
            None => received.recv().await,
        };
        match part {
            Some(Part::Text(text)) => Some((Ok(Bytes::from(text)), (None, received))),
            Some(Part::Failed(error)) => Some((Err(io::Error::other(format!("{error:#}"))), (None, received))),
            Some(Part::End) => None,
            None => Some((Err(io::Error::other("the answer was given up")), (None, received))),
        }
    }))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// What a reader gets of these parts, if it is the whole.
    async fn read(parts: impl IntoIterator<Item = Part>) -> Option<Bytes> {
        let (sender, received) = mpsc::channel(8);
        for part in parts {
            sender.send(part).await.unwrap_or_else(|_| panic!("nobody reads"));
        }
        drop(sender);
        let whole = body(Part::Text("[1".to_owned()), received).collect().await;
        whole.ok().map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn only_an_answer_with_an_end_passes_for_the_whole() {
        let rest = || Part::Text("]".to_owned());
        assert_eq!(read([rest(), Part::End]).await.as_deref(), Some(&b"[1]"[..]));
        assert_eq!(read([rest(), Part::Failed(anyhow!("broken"))]).await, None);
        assert_eq!(read([rest()]).await, None);
    }
}
