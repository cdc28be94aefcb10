//! The page on writing a plugin, from its first command to its last: a new project, its tests,
//! its component in the kit, and an agent that signs with it. Then the plugin is built again, as
//! its author would after a change, and put over the one in use.
//!
//! What a test replaces: the port of the agent, and where cargo builds, so that what plugins
//! depend on is built once.

use std::time::Duration;

use chancery_tests::{Page, Terminal, eventually, target_directory};
use serde_json::Value;

const PAGE: &str = "plugins/docs/writing-a-ca-plugin.md";
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_does_what_it_says() {
    let page = Page::read(PAGE).unwrap();
    let mut terminal = Terminal::new().unwrap();
    let target = target_directory().join("guests/page");
    terminal.replace("my-ca/target/", &format!("{}/", target.display()));
    let export = format!("export CARGO_TARGET_DIR={}", target.display());
    terminal.run(&export).await.unwrap();
    let configuration = terminal.filled(&page.blocks("hcl")[0]);
    std::fs::write(terminal.folder().join("agent.hcl"), configuration).unwrap();

    let mut seen = 0;
    for command in page.commands() {
        let ran = terminal.run(&command).await.unwrap();
        let log = terminal.running().first().map(|agent| agent.output());
        assert_eq!(ran.code, 0, "{command}: {}\n{log:?}", ran.output);
        if command.starts_with("curl ") {
            let leaf: Value = serde_json::from_str(&ran.answer).unwrap();
            assert!(leaf["CertPEM"].as_str().unwrap().contains("CERTIFICATE"));
        }
        if command.contains(" ca status") {
            assert!(ran.output.contains("my-ca 0.1.0"), "{}", ran.output);
        }
        seen += 1;
    }
    assert!(seen >= 11, "{seen}");

    // A change that shows: the version that the plugin says it has.
    let manifest = terminal.folder().join("my-ca/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let newer = text.replacen("version = \"0.1.0\"", "version = \"0.1.1\"", 1);
    assert_ne!(text, newer);
    std::fs::write(&manifest, newer).unwrap();
    let again = page.commands();
    let again = again
        .iter()
        .filter(|line| line.contains(" build ") || line.starts_with("cp "));
    for command in again {
        let ran = terminal.run(command).await.unwrap();
        assert_eq!(ran.code, 0, "{command}: {}", ran.output);
    }
    let taken = eventually(SOON, async || {
        let status = terminal.url("/v1/chancery/ca/status");
        let status = reqwest::get(status).await.unwrap().text().await.unwrap();
        if status.contains("0.1.1") {
            return Ok(());
        }
        Err(status)
    });
    taken.await.unwrap();
    let leaf = terminal.url("/v1/agent/connect/ca/leaf/api");
    let leaf = reqwest::get(leaf).await.unwrap();
    assert_eq!(leaf.status(), 200);
    assert_eq!(terminal.end().await.unwrap(), [Some(0)]);
}
