//! The commands of the README do what it says they do. They are taken from the page itself, so
//! that neither can change without the other.
//!
//! What a test replaces: the port of the agent and those of services by free ones, `/var/lib` by
//! a folder of its own, `cargo run --release --` by the program that is built already. Benches
//! and the tests themselves are not run from here; that they exist is checked.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{Page, Terminal, eventually, target_directory};
use serde_json::Value;

const PAGES: [&str; 13] = [
    "CHANGELOG.md",
    "README.md",
    "core/README.md",
    "host/docs/command-line.md",
    "host/docs/configuration.md",
    "host/docs/http-api.md",
    "host/docs/operations.md",
    "host/docs/proxy.md",
    "plugins/README.md",
    "plugins/docs/compatibility.md",
    "plugins/docs/security.md",
    "plugins/docs/writing-a-ca-plugin.md",
    "providers/docs/vault.md",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_journeys_lead_where_the_page_says() {
    let page = Page::read("README.md").unwrap();
    let mut terminal = Terminal::new().unwrap();
    for port in [8080, 8443] {
        terminal.replace_port(port).unwrap();
    }
    let state = terminal.folder().join("state");
    terminal.replace("/var/lib/chancery", &state.display().to_string());
    let sample = &page.blocks("hcl")[0];
    let sample = terminal.filled(sample);
    std::fs::write(terminal.folder().join("agent.hcl"), sample).unwrap();
    let explained = &page.blocks("text")[0];

    let mut seen = Vec::new();
    for command in page.commands() {
        if command.starts_with("cargo ") {
            continue;
        }
        if command.starts_with("chancery validate") {
            assert_registered(&terminal).await;
            let codes = terminal.end().await.unwrap();
            assert_eq!(codes, [Some(0), Some(0)], "proxy and agent stop cleanly");
        }
        let ran = terminal.run(&command).await.unwrap();
        match command.as_str() {
            "chancery intention check --explain api web" => {
                assert_eq!(ran.code, 1, "denied is 1: {}", ran.output);
                assert_eq!(without_ids(&ran.output), without_ids(explained));
            }
            "consul intention check api web" => assert_eq!(ran.output.trim(), "Allowed"),
            _ => assert_eq!(ran.code, 0, "{command}: {}", ran.output),
        }
        seen.push(command);
    }
    assert!(seen.len() >= 9, "{seen:#?}");
    assert!(state.join("chancery.redb").exists());
    assert_eq!(terminal.end().await.unwrap(), [Some(0)]);
}

/// The proxy of the first journey has registered itself for `web`.
async fn assert_registered(terminal: &Terminal) {
    let url = terminal.url("/v1/catalog/connect/web");
    let found = eventually(Duration::from_secs(10), async || {
        let answer = reqwest::get(&url)
            .await
            .map_err(|error| error.to_string())?;
        let list: Value = answer.json().await.map_err(|error| error.to_string())?;
        match list.as_array().is_some_and(|list| list.len() == 1) {
            true => Ok(()),
            false => Err(list.to_string()),
        }
    });
    found.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_its_story_and_ends_well() {
    let page = Page::read("README.md").unwrap();
    let commands = page.commands();
    assert!(
        commands
            .iter()
            .any(|line| line == "cargo run --release -- demo")
    );
    let mut terminal = Terminal::new().unwrap();
    let ran = terminal.run("chancery demo").await.unwrap();
    assert_eq!(ran.code, 0, "{}", ran.output);
    for part in ["spiffe://", "cut, ", "refused", "Nothing is left running"] {
        assert!(ran.output.contains(part), "{part:?} in:\n{}", ran.output);
    }
}

#[test]
fn the_example_prints_what_its_page_shows() {
    let readme = Page::read("README.md").unwrap();
    let page = Page::read("core/README.md").unwrap();
    let command = "cargo run -p chancery-core --example decide";
    for page in [&readme, &page] {
        assert!(page.commands().iter().any(|line| line == command));
    }
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(command.split(' ').skip(1))
        .arg("--quiet")
        .arg("--target-dir")
        .arg(target_directory())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let shown = &page.blocks("text")[0];
    assert!(printed.contains(shown.trim()), "{printed}");
    let source = include_str!("../../core/examples/decide.rs");
    assert!(source.lines().count() < 60, "a program in under 60 lines");
}

#[tokio::test]
async fn every_sample_configuration_is_valid() {
    let mut samples = 0;
    for path in PAGES {
        let page = Page::read(path).unwrap();
        for sample in page.blocks("hcl") {
            let mut terminal = Terminal::new().unwrap();
            // A file of services alone is no agent's configuration until it has a place to be.
            let sample = if sample.contains("data_dir") {
                sample
            } else {
                format!("data_dir = \"/var/lib/chancery\"\n{sample}")
            };
            std::fs::write(terminal.folder().join("sample.hcl"), sample).unwrap();
            let ran = terminal.run("chancery validate sample.hcl").await.unwrap();
            assert_eq!(ran.output, "Configuration is valid!\n", "{path}");
            samples += 1;
        }
    }
    assert!(samples >= 4, "{samples}");
}

#[test]
fn every_link_leads_to_a_file() {
    for path in PAGES {
        for target in Page::read(path).unwrap().linked_files() {
            assert!(target.exists(), "{path} links to {}", target.display());
        }
    }
}

#[test]
fn every_bench_of_the_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut benches = 0;
    for command in Page::read("README.md").unwrap().commands() {
        let Some(arguments) = command.strip_prefix("cargo bench -p ") else {
            continue;
        };
        let (package, bench) = arguments.split_once(" --bench ").unwrap_or((arguments, ""));
        let folder = match package {
            "chancery" => "host",
            other => other.strip_prefix("chancery-").unwrap(),
        };
        let manifest = std::fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
        let wanted = match bench {
            "" => "[[bench]]".to_owned(),
            bench => format!("[[bench]]\nname = \"{bench}\""),
        };
        assert!(manifest.contains(&wanted), "{command}");
        benches += 1;
    }
    assert!(benches > 0);
}

/// Identifiers are new each time.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    text.lines()
        .map(|line| {
            line.split_inclusive([' ', '(', ')'])
                .map(|word| match is_id(word.trim_end_matches([' ', ')'])) {
                    true => "ID)",
                    false => word,
                })
                .collect::<String>()
                + "\n"
        })
        .collect()
}
