//! The files that settings name, looked at before anything runs, so that what is wrong with them is told together with what
//! is wrong with the settings themselves.

use crate::ansible::preflight;
use crate::delivery::{payload_file, tls};
use crate::settings::Settings;
use crate::verdict::explain;

/// What is wrong with the files, one line each. `settings` may be such as could be read in part.
pub fn problems(settings: &Settings) -> Vec<String> {
    let missing = preflight::missing(&settings.ansible);
    let ca_cert = settings.destination.set_server().and_then(tls::ca_cert_problem);
    let payload_file = settings.report.payload_file.as_deref().and_then(payload_file::problem);
    missing.iter().map(explain::missing).chain(ca_cert).chain(payload_file).collect()
}
