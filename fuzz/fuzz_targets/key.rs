//! Any text given for a private key: it is refused with a sentence, or repaired to what needs no further repair.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugin_gitops_status::repaired;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match repaired(text) {
        Err(sentence) => assert!(!sentence.is_empty()),
        Ok(key) => {
            assert!(key.starts_with("-----BEGIN ") && key.ends_with("-----\n") && !key.contains('\r'), "{key:?}");
            assert_eq!(repaired(&key), Ok(key.clone()));
        }
    }
});
