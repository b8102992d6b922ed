//! Keeps the newest status of each repository and server, with its history, in one database file, and shows it to Grafana,
//! Prometheus, browsers and readers of badges. `README.md` beside this lists the routes.

mod options;
mod timestamp;
mod status;
mod import;
mod store;
mod http;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use options::{Command, Options};
use store::Store;

fn main() -> ExitCode {
    let end = match options::read(lexopt::Parser::from_env()) {
        Ok(Command::Run(options)) => run(&options),
        Ok(Command::Print(text)) => print(&text),
        Err(error) => Err(error),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let token = options.token_file.as_deref().map(http::Token::read).transpose()?;
    let lock = store::lock(&options.file)?;
    import::take_over(&options.file, timestamp::now())?;
    let (store, threads) = Store::open(&options.file, lock, options.keep_history)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let address = options.listen.as_str();
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{address}`"))?;
        let local = listener.local_addr().context("cannot tell the address that is listened on")?;
        if token.is_none() && !local.ip().is_loopback() {
            complain("everybody who reaches this port may post a status; set `--token-file`");
        }
        // Whoever started this with port 0 learns the port from here.
        print(&format!("listening on http://{local}\n"))?;
        let app = http::App::new(store, token, options.stale_after);
        http::serve(listener, app).await
    })?;
    // With it go the connections that were not finished in time, and with them the last handles of the store.
    drop(runtime);
    threads.join()
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")
}

/// Tells whoever runs this server about something that needs attention.
fn complain(text: &str) {
    let shown: String =
        text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    // Where nobody can be told, there is nobody to tell that either.
    let _ = writeln!(std::io::stderr(), "gitops-status-server: {shown}");
}
