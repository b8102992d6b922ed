//! The stages of plugin-gitops-status, in the order data flows through them. A stage names only stages above it; `main.rs`
//! tells the story.
//!
//! Everything is private but the one list at the end.

// Read it from top to bottom: sorted by name it would tell nothing.
mod random;
mod settings;
mod output;
mod ansible;
mod process;
mod evidence;
mod verdict;
mod delivery;
mod named_files;
mod outcome;
mod log;
mod panic_hook;

// What main, the tests, the benches and the fuzz targets use, and nothing else.
pub use crate::ansible::early_end::suspects;
pub use crate::ansible::host_keys::unknown_host_keys;
pub use crate::ansible::modules::{CheckMode, find as find_module};
pub use crate::ansible::passwd::Needs;
pub use crate::ansible::run_dir::RunDir;
pub use crate::ansible::surroundings::Surroundings;
pub use crate::delivery::client::Client;
pub use crate::delivery::failure::{Failure, FailureKind, NamedProxy, Peer};
pub use crate::delivery::payload::{RunInfo, payloads};
pub use crate::delivery::payload_file::PayloadFile;
pub use crate::delivery::retry::{Budget, Sent, retry_after_in, send};
pub use crate::delivery::{Progress, deliver};
pub use crate::evidence::collect::{Evidence, collect};
pub use crate::evidence::event_file::line;
pub use crate::log::{Log, messages};
pub use crate::named_files::read_settings;
pub use crate::outcome::Outcome;
pub use crate::output::redact::{MASK, Redactor, SHORTEST};
pub use crate::panic_hook::{clean_up_after, install as install_panic_hook};
pub use crate::process::run::Run;
pub use crate::process::signals::Signals;
pub use crate::process::supervise::Ending;
pub use crate::settings::ssh_key::repaired;
pub use crate::settings::{Destination, Secrets, Settings, TABLE};
pub use crate::verdict::judge::{SyncStatus, Verdict, judge};
