//! Random bytes from the kernel. Nothing here may be guessed, so there is no generator with a seed of its own.

use anyhow::{Context, Result};
use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits as 32 hexadecimal digits.
///
/// # Errors
/// When the kernel gives no random bytes.
pub(crate) fn hex_128() -> Result<String> {
    let mut bytes = [0u8; 16];
    getrandom(&mut bytes, GetRandomFlags::empty()).context("cannot get random bytes")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// A random number from 0 to 1, both included; `None` when the kernel gives no random bytes.
pub(crate) fn fraction() -> Option<f64> {
    let mut bytes = [0u8; 4];
    getrandom(&mut bytes, GetRandomFlags::empty()).ok()?;
    Some(f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}
