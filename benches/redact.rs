//! How fast Ansible's output passes the redactor: a key of 40 lines and a few passwords are looked for in 256 MB.
//!
//! `cargo bench --bench redact`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and prints its figures")]

use std::fmt::Write as _;
use std::time::Instant;

use plugin_gitops_status::Redactor;

const PIECE: usize = 64 << 10;
const PIECES: usize = 4096;

fn main() {
    let mut key = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
    for line in 0u64..40 {
        let words = [line, line + 1, line + 2].map(|seed| (seed + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        writeln!(key, "{:016x}{:016x}{:016x}", words[0], words[1], words[2]).unwrap();
    }
    key += "-----END OPENSSH PRIVATE KEY-----\n";
    let mut redactor =
        Redactor::new([key.as_str(), "correct horse battery staple", "a-bearer-token", "hunter2"]).unwrap();

    let mut output = String::new();
    while output.len() < PIECE {
        let number = output.len();
        writeln!(output, "TASK [role : Install the configuration {number}] **********************").unwrap();
        writeln!(output, "ok: [web{number}.example.net] => (item=rsyslog.d/{number}.conf)").unwrap();
    }
    output.truncate(PIECE);
    let mut shown = Vec::with_capacity(PIECE * 2);
    let mut speeds: Vec<f64> = (0..5)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..PIECES {
                shown.clear();
                redactor.pass(output.as_bytes(), &mut shown);
            }
            assert!(!shown.is_empty());
            f64::from(u32::try_from(PIECE * PIECES).unwrap()) / 1e6 / began.elapsed().as_secs_f64()
        })
        .collect();
    speeds.sort_by(f64::total_cmp);
    println!("{:.0} MB/s (median of 5)", speeds[2]);
}
