//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
gitops-status-server keeps the sync status of servers and shows it to Grafana, Prometheus and browsers.

  --listen ADDRESS        address and port to listen on; 127.0.0.1:8080 if not set
  --file FILE             database to keep the statuses in; status.db if not set
  --token-file FILE       file with the token that POST and DELETE need as `Authorization: Bearer`
  --keep-history TIME     how long ended periods stay in the history, such as 90d, which is also the default
  --stale-after TIME      age from which a SYNCED is shown as STALE on the page and the badges; 10m if not set
  --help, --version
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Options),
    /// Print this and end.
    Print(String),
}

/// How to run.
#[derive(Debug)]
pub struct Options {
    /// Address and port.
    pub listen: String,
    /// The database.
    pub file: PathBuf,
    /// Where the token is.
    pub token_file: Option<PathBuf>,
    /// How long a period stays in the history after its end.
    pub keep_history: Duration,
    /// From which age on a SYNCED proves nothing any more.
    pub stale_after: Duration,
}

/// Reads the command line.
///
/// # Errors
/// For an argument that is unknown, has no value, or has one that cannot be understood.
pub fn read(mut arguments: Parser) -> Result<Command> {
    let mut options = Options {
        listen: "127.0.0.1:8080".to_owned(),
        file: "status.db".into(),
        token_file: None,
        keep_history: Duration::from_secs(90 * 24 * 3600),
        stale_after: Duration::from_secs(600),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("listen") => options.listen = arguments.value()?.string()?,
            Arg::Long("file") => options.file = arguments.value()?.into(),
            Arg::Long("token-file") => options.token_file = Some(arguments.value()?.into()),
            Arg::Long("keep-history") => options.keep_history = duration(&mut arguments, "keep-history")?,
            Arg::Long("stale-after") => options.stale_after = duration(&mut arguments, "stale-after")?,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("version") => {
                return Ok(Command::Print(
                    concat!("gitops-status-server ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
                ));
            }
            Arg::Long(_) | Arg::Short(_) | Arg::Value(_) => return Err(argument.unexpected().into()),
        }
    }
    Ok(Command::Run(options))
}

fn duration(arguments: &mut Parser, name: &str) -> Result<Duration> {
    let text = arguments.value()?.string()?;
    let duration = humantime::parse_duration(&text)
        .with_context(|| format!("`--{name}` is {text:?}; write a time such as 10m or 90d"))?;
    if duration.as_secs() == 0 {
        bail!("`--{name}` is less than a second; write a time such as 10m or 90d");
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command> {
        read(Parser::from_args(arguments))
    }

    #[test]
    fn a_duration_needs_a_unit_and_a_length() {
        let Command::Run(options) = parse(&["--keep-history", "30d", "--stale-after=5m"]).unwrap() else { panic!() };
        assert_eq!(options.keep_history.as_secs(), 30 * 24 * 3600);
        assert_eq!(options.stale_after.as_secs(), 300);
        for wrong in ["0s", "90", "soon", ""] {
            let error = parse(&["--keep-history", wrong]).unwrap_err();
            assert!(format!("{error:#}").contains("`--keep-history`"), "{error:#}");
        }
    }

    #[test]
    fn an_unknown_argument_is_an_error() {
        for wrong in [&["--fiel", "x"][..], &["x"], &["--file"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
