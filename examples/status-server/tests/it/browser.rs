//! The page as a browser shows it: readable on a phone and in the dark.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::{Server, from_now, not_tested, status};

/// What a person would look for: does it fit, can it be read, is everything there, has a name become markup.
const MEASURE: &str = r#"(() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const contrast = element => {
        const ink = light(getComputedStyle(element).color);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    };
    const seen = [...document.querySelectorAll("td, td b, li, p, span, small, time, footer")]
        .filter(element => element.getClientRects().length && element.textContent);
    return {
        fits: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
        dark: paper < 0.2,
        contrast: Math.min(...seen.map(contrast)),
        smallest: Math.min(...seen.map(element => parseFloat(getComputedStyle(element).fontSize))),
        statuses: [...document.querySelectorAll("tbody tr")].map(row => row.querySelector("b").textContent),
        shown: [...document.querySelectorAll("tbody td[data-label=Server]")].every(cell => {
            const box = cell.getBoundingClientRect();
            return box.width > 30 && box.right <= innerWidth + 1;
        }),
        files: [...document.querySelectorAll("li")].map(item => item.textContent),
        heads: [...document.querySelectorAll("th")].every(head => head.getBoundingClientRect().height < 45),
        links: [...document.querySelectorAll("td a")].map(link => link.href),
        scripts: document.querySelectorAll("script, img, iframe").length,
        style: document.styleSheets.length,
    };
})()"#;

#[test]
fn the_page_is_readable_on_a_phone_and_in_the_dark() {
    let server = Server::start();
    let hostile = "<img src=x onerror=alert(1)>";
    let long = format!("conf.d/{}", "a-long-name-without-a-place-to-break/".repeat(12));
    server.post(&status("web01", &[], &from_now(-90)));
    server.post(&status("web02", &[hostile, &long, "service:nginx"], &from_now(-60)));
    for (name, url) in [("web03", "https://ci.example/7"), ("web04", "javascript:alert(1)")] {
        let mut stale = status(name, &[], &from_now(-7200));
        stale["details"] = json!({"pipeline_url": url, "commit": "4f2a9c1"});
        server.post(&stale);
    }
    let mut unknown = status(&"x".repeat(200), &[], &from_now(-60));
    unknown["sync_status"] = json!("UNKNOWN");
    server.post(&unknown);

    let pictures = std::env::temp_dir().join(format!("status-page-{}", std::process::id()));
    std::fs::create_dir_all(&pictures).unwrap();
    let looks: Vec<Value> = [(1280, 800), (375, 812)]
        .into_iter()
        .flat_map(|size| [(size, false), (size, true)])
        .map(|((width, height), dark)| {
            let shade = if dark { "dark" } else { "light" };
            let screenshot = pictures.join(format!("{width}-{shade}.png"));
            json!({"width": width, "height": height, "dark": dark, "expression": MEASURE, "screenshot": screenshot})
        })
        .collect();
    let Some(seen) = looked(&server.url("/"), &Value::from(looks)) else { return };
    for (look, seen) in seen.as_array().unwrap().iter().enumerate() {
        let context = format!("look {look}: {seen:#}");
        assert_eq!(seen["dark"], json!(look % 2 == 1), "{context}");
        assert_eq!((&seen["fits"], &seen["shown"]), (&json!(true), &json!(true)), "{context}");
        assert_eq!((&seen["heads"], &seen["links"]), (&json!(true), &json!(["https://ci.example/7"])), "{context}");
        // What the guidelines for accessible pages ask for.
        assert!(seen["contrast"].as_f64().unwrap() >= 4.5, "{context}");
        assert!(seen["smallest"].as_f64().unwrap() >= 12.0, "{context}");
        assert_eq!(seen["statuses"], json!(["OUT_OF_SYNC", "UNKNOWN", "STALE", "STALE", "SYNCED"]), "{context}");
        assert_eq!(seen["files"], json!([hostile, long, "service:nginx"]), "{context}");
        assert_eq!((&seen["scripts"], &seen["style"]), (&json!(0), &json!(1)), "{context}");
    }
    // With this variable they stay, to be looked at.
    if std::env::vars_os().all(|(name, _)| name != "KEEP_PICTURES") {
        std::fs::remove_dir_all(pictures).unwrap();
    }
}

/// What a browser sees, or nothing where there is none.
fn looked(url: &str, looks: &Value) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    python.stdin.take().unwrap().write_all(looks.to_string().as_bytes()).unwrap();
    let end = python.wait_with_output().unwrap();
    if end.status.code() == Some(3) {
        not_tested("the page in a browser; it needs chromium");
        return None;
    }
    assert!(end.status.success(), "{end:?}");
    Some(serde_json::from_slice(&end.stdout).unwrap())
}
