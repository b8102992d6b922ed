//! Points in time as whole Unix seconds, which is how they are kept and compared.

use anyhow::{Context, Result, ensure};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// The present time by this machine's clock.
pub fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// Reads an RFC 3339 time, with any offset and any fraction of a second; the fraction is dropped.
///
/// # Errors
/// For text that is no such time, and for times before 1970, which nobody means.
pub fn parse(text: &str) -> Result<i64> {
    let time = OffsetDateTime::parse(&text.to_uppercase(), &Rfc3339)
        .with_context(|| format!("{text:?} is not a time such as 2026-04-21T10:30:00Z"))?;
    let seconds = time.unix_timestamp();
    // A time near the end of the last year may lie beyond it in UTC, where it could not be written any more.
    ensure!(seconds >= 0 && time.checked_to_offset(UtcOffset::UTC).is_some(), "{text:?} is out of range");
    Ok(seconds)
}

/// The one form that is sent to others: UTC, whole seconds, `Z`. Infinity's queries understand no other.
pub fn rfc3339(seconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_becomes_the_same_one() {
        for form in [
            "2026-04-21T10:30:00Z",
            "2026-04-21t10:30:00z",
            "2026-04-21T12:30:00+02:00",
            "2026-04-21T10:30:00.999Z",
            "2026-04-21T10:30:00-00:00",
        ] {
            assert_eq!(rfc3339(parse(form).unwrap()), "2026-04-21T10:30:00Z", "{form}");
        }
        // A leap second is the second before it.
        assert_eq!(rfc3339(parse("2016-12-31T23:59:60Z").unwrap()), "2016-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_no_time_or_cannot_be_written_is_refused() {
        for wrong in [
            "",
            "yesterday",
            "2026-04-21",
            "2026-04-21T10:30:00",
            "2026-02-30T10:30:00Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00+01:00",
            "2026-04-21T10:30:00Z ",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
