//! The settings together with the files that they name, looked at before anything runs: whatever can be known to be wrong by
//! then is told at once.

use std::ffi::OsString;

use time::Date;

use crate::ansible::preflight;
use crate::delivery::payload_file::{self, PayloadFile};
use crate::delivery::tls;
use crate::settings::Settings;
use crate::verdict::explain;

/// Reads the settings from environment variables, and looks at the files they name. `today` is the day in UTC.
///
/// # Errors
/// Everything that is wrong, one line each. An earlier status in `payload_file` is removed then: a step that does not begin
/// claims nothing.
pub fn read_settings(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    today: Date,
) -> Result<Settings, Vec<String>> {
    Settings::read_with(variables, today, problems).map_err(|problems| {
        // One that cannot be removed is the smallest problem here, and the next step names it.
        drop(problems.payload_file.map(PayloadFile::new));
        problems.lines
    })
}

/// What is wrong with the files, one line each. `settings` may be such as could be read in part.
fn problems(settings: &Settings) -> Vec<String> {
    let missing = preflight::missing(&settings.ansible);
    let ca_cert = settings.destination.set_server().and_then(tls::ca_cert_problem);
    let payload_file = settings.report.payload_file.as_deref().and_then(payload_file::problem);
    missing.iter().map(explain::missing).chain(ca_cert).chain(payload_file).collect()
}
