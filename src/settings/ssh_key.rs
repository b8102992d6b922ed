//! The private key as ssh needs it: repaired where a secret store bent it, refused with a sentence where it cannot work.
//!
//! The OpenSSH format is walked through (`PROTOCOL.key` of OpenSSH), PEM formats down to their outermost length. What
//! only ssh itself can tell is asked of `ssh-keygen` before the run.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What to do about a passphrase; ssh has nobody to ask for it.
const PASSPHRASE: &str = "is protected by a passphrase, which cannot be entered here; make a key without one for this \
                          pipeline (ssh-keygen -t ed25519 -N '')";

const TRUNCATED: &str = "is cut off or damaged; store the complete file, from its BEGIN line to its END line";

/// The key with LF line ends and a last one.
///
/// # Errors
/// The end of a sentence that begins with the setting's name.
pub fn repaired(text: &str) -> Result<String, &'static str> {
    // Some secret stores keep one line and write the line ends out.
    let text = text.replace('\r', "\n");
    let text = if text.trim().contains('\n') { text } else { text.replace("\\n", "\n") };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Err(TRUNCATED) };
    if ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| first.starts_with(prefix)) || first.contains("PUBLIC KEY") {
        return Err("is a public key; store the private one, the file without .pub");
    }
    if first.starts_with("PuTTY-User-Key-File") {
        return Err("is in PuTTY's format; convert it (puttygen KEY -O private-openssh -o NEW)");
    }
    if !first.starts_with("-----BEGIN ") || !first.ends_with(" PRIVATE KEY-----") {
        return Err("is not a private key; its first line should be -----BEGIN OPENSSH PRIVATE KEY----- or similar");
    }
    if **last != first.replace("BEGIN", "END") {
        return Err(TRUNCATED);
    }
    if first.contains("ENCRYPTED")
        || lines.iter().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
    {
        return Err(PASSPHRASE);
    }
    let body = &lines[1..lines.len() - 1];
    let bytes = |body: &[&str]| BASE64_STANDARD.decode(body.concat()).map_err(|_| TRUNCATED);
    if first.contains("OPENSSH") {
        let bytes = bytes(body)?;
        if unencrypted(&bytes).ok_or(TRUNCATED)? {
            return Ok(lines.join("\n") + "\n");
        }
        return Err(PASSPHRASE);
    }
    // PEM may have headers before the key.
    let headers = body.iter().take_while(|line| line.contains(':')).count();
    let bytes = bytes(&body[headers..])?;
    if outer_length(&bytes) != Some(bytes.len()) {
        return Err(TRUNCATED);
    }
    Ok(lines.join("\n") + "\n")
}

/// Whether a whole OpenSSH key is without a passphrase; `None` where it is not whole.
fn unencrypted(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = ssh_string(&mut rest)?;
    let (_kdf, _options) = (ssh_string(&mut rest)?, ssh_string(&mut rest)?);
    let (count, after) = rest.split_at_checked(4)?;
    rest = after;
    for _ in 0..u32::from_be_bytes(count.try_into().ok()?) {
        ssh_string(&mut rest)?;
    }
    ssh_string(&mut rest)?;
    (rest.is_empty() || cipher != b"none").then_some(cipher == b"none")
}

/// One string of the SSH protocol: its length as four bytes, then itself.
pub(crate) fn ssh_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

/// The length of a DER sequence with its header, as its header says it.
fn outer_length(bytes: &[u8]) -> Option<usize> {
    let [0x30, first, rest @ ..] = bytes else { return None };
    if *first < 0x80 {
        return Some(usize::from(*first) + 2);
    }
    let digits = rest.get(..usize::from(first & 0x7f))?;
    let length =
        digits.iter().try_fold(0usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)))?;
    length.checked_add(2 + digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_private_key_is_refused_with_the_reason() {
        for (text, said) in [
            ("ssh-ed25519 AAAA me", "public key"),
            ("PuTTY-User-Key-File-3: x\ny", "puttygen"),
            ("hello", "not a private key"),
            (" ", TRUNCATED),
        ] {
            assert!(repaired(text).unwrap_err().contains(said), "{text}");
        }
    }
}
