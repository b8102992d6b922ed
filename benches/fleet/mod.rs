//! The events of a fleet, as the callback writes them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use plugin_gitops_status::line;

/// Writes the events of a run over `hosts` hosts and `tasks` tasks, all in sync and signed with `nonce`; the length of the
/// file in bytes.
pub fn in_sync(path: &Path, nonce: &str, hosts: usize, tasks: usize) -> u32 {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut number = 0;
    let mut event = |json: &str| {
        file.write_all(line(nonce, &format!("[{number},{json}]")).as_bytes()).unwrap();
        number += 1;
    };
    let host = |number: usize| format!("web{number:04}.example.net");
    let names: Vec<String> = (0..hosts).map(|number| format!("\"{}\"", host(number))).collect();
    let names = names.join(",");
    event(r#"{"open":{"ansible":"2.19.0"}}"#);
    event(
        r#"{"playbook":{"file":"site.yml","check":true,"limit":null,"tags":["all"],"skip_tags":[],"start_at_task":null,"step":false}}"#,
    );
    event(&format!(r#"{{"play":{{"name":"all","check":true,"hosts":[{names}],"named":[{names}]}}}}"#));
    for task in 0..tasks {
        event(&format!(
            r#"{{"task":{{"number":{task},"name":"manage {task}","action":"ansible.builtin.copy","place":"site.yml:{task}"}}}}"#
        ));
        event(&format!(r#"{{"start":{{"task":{task}}}}}"#));
        for number in 0..hosts {
            event(&format!(r#"{{"result":{{"task":{task},"host":"{}","status":"ok"}}}}"#, host(number)));
        }
    }
    let mut recap = String::new();
    for number in 0..hosts {
        let comma = if number > 0 { "," } else { "" };
        write!(recap, r#"{comma}"{}":{{"ok":{tasks},"failures":0,"unreachable":0,"changed":0,"skipped":0,"rescued":0,"ignored":0}}"#, host(number)).unwrap();
    }
    event(&format!(r#"{{"stats":{{"hosts":{{{recap}}}}}}}"#));
    file.flush().unwrap();
    u32::try_from(path.metadata().unwrap().len()).unwrap()
}
