//! Any text and any secret: the secret is not in what is shown, and nothing else is changed, however the text is split.
//!
//! The first line is the secret, the first byte after it how the rest is split.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plugin_gitops_status::{MASK, Redactor, SHORTEST};

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() { Some(0) } else { text.windows(part.len()).position(|window| window == part) }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(secret), Some(rest)) = (parts.next(), parts.next()) else { return };
    let Ok(secret) = std::str::from_utf8(secret) else { return };
    let secret = secret.trim();
    // A secret with a mask's character may appear anew beside a mask.
    if secret.len() < SHORTEST || secret.contains('*') || secret.contains('\r') {
        return;
    }
    let Some((size, text)) = rest.split_first() else { return };
    let redactor = Redactor::new([secret]).expect("long enough");
    let show = |size: usize| {
        let (mut stream, mut out) = (redactor.clone(), Vec::new());
        text.chunks(size.max(1)).for_each(|chunk| stream.pass(chunk, &mut out));
        stream.finish(&mut out);
        out
    };
    let shown = show(usize::from(*size));
    assert_eq!(shown, show(text.len()), "it depends on how the text is split");
    assert!(find(&shown, secret.as_bytes()).is_none(), "the secret is shown");
    // What stands between the masks stands in the text, in that order. A text with stars in it says nothing of that.
    if !text.contains(&b'*') {
        let (mut left, mut shown) = (text, &shown[..]);
        while let Some(at) = find(shown, MASK) {
            let found = find(left, &shown[..at]).expect("nothing else is changed");
            (left, shown) = (&left[found + at..], &shown[at + MASK.len()..]);
        }
        assert!(left.ends_with(shown), "nothing else is changed");
    }
});
