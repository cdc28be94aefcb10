//! The page on Vault, from its first command to its last, against a real server.
//!
//! What a test replaces: the addresses of Vault and of the agent, `/var/lib` by a folder of its
//! own, and the `vault` program by OpenBao's.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_core::CertificateSummary;
use chancery_providers::{CaProvider, VaultRights, vault_policy};
use chancery_tests::{OpenBao, Page, Terminal, configured_vault, issuers_of, leaf_request};
use serde_json::{Value, json};

const PAGE: &str = "providers/docs/vault.md";
const OWNER: VaultRights = VaultRights {
    mounts: true,
    roots: true,
    any_root: false,
};
const GUEST: VaultRights = VaultRights {
    mounts: false,
    roots: false,
    any_root: false,
};

#[test]
fn the_policies_of_the_page_are_those_that_the_program_asks_for() {
    let owner = vault_policy("connect-root", "connect-intermediate", OWNER);
    let all = VaultRights {
        any_root: true,
        ..OWNER
    };
    let all = vault_policy("connect-root", "connect-intermediate", all);
    let optional = all.lines().find(|line| !owner.contains(line));
    assert_eq!(
        Page::read(PAGE).unwrap().blocks("policy"),
        [
            owner.clone(),
            format!("{}\n", optional.unwrap()),
            vault_policy("acme-root", "acme-intermediate", GUEST),
        ]
    );
    assert!(!owner.contains("sudo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_does_what_it_says() {
    let page = Page::read(PAGE).unwrap();
    let server = OpenBao::start().await.unwrap();
    let mut terminal = Terminal::new().unwrap();
    terminal.replace("127.0.0.1:8200", &server.address().to_string());
    let state = terminal.folder().join("state");
    terminal.replace("/var/lib/chancery", &state.display().to_string());
    let policies = page.blocks("policy");
    let agent = &page.blocks("hcl")[0];
    for (name, block) in [("chancery.hcl", &policies[0]), ("agent.hcl", agent)] {
        let text = terminal.filled(block);
        std::fs::write(terminal.folder().join(name), text).unwrap();
    }
    let login = format!("export VAULT_TOKEN={}", server.root_token());
    terminal.run(&login).await.unwrap();

    let mut seen = 0;
    for command in page.commands() {
        let ran = terminal.run(&command).await.unwrap();
        let log = terminal.running().first().map(|agent| agent.output());
        assert_eq!(ran.code, 0, "{command}: {}\n{log:?}", ran.output);
        if command.starts_with("curl ") {
            assert_leaf(&ran.answer);
        }
        seen += 1;
    }
    assert!(seen >= 16, "{seen}");
    let token = std::fs::read_to_string(terminal.folder().join("vault-token")).unwrap();
    assert!(!terminal.running()[0].output().contains(token.trim()));
    assert_eq!(terminal.end().await.unwrap(), [Some(0)]);

    assert_eq!(server.list("connect-root/issuers").await.unwrap().len(), 1);
    assert_guest_works(&server, &policies[2]).await;
    assert_logins_work(&server, &terminal, &page.blocks("stanza")).await;
}

/// What the agent answered is a leaf under an intermediate.
fn assert_leaf(output: &str) {
    let leaf: Value = serde_json::from_str(output).unwrap();
    let chain = leaf["CertPEM"].as_str().unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
}

async fn assert_guest_works(server: &OpenBao, policy: &str) {
    let token = server.token("guest", policy, json!({})).await.unwrap();
    let options = json!({
        "address": server.url(),
        "token": token,
        "root_pki_path": "acme-root",
        "intermediate_pki_path": "acme-intermediate",
    });
    let vault = configured_vault(&options, None).await.unwrap();
    let (root, _, _) = issuers_of(&vault, 1, false).await.unwrap();
    let subject = CertificateSummary::inspect(&root).unwrap().subject;
    assert_eq!(subject, "CN=Acme Mesh Root");
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

/// The stanzas are good in a configuration file, and what they say gets a token.
async fn assert_logins_work(server: &OpenBao, terminal: &Terminal, stanzas: &[String]) {
    let file = |name: &str| terminal.folder().join(name).display().to_string();
    let methods = [
        json!({ "type": "approle", "params": {
            "role_id_file_path": file("role-id"),
            "secret_id_file_path": file("secret-id"),
        } }),
        json!({ "type": "userpass", "mount_path": "machines", "params": {
            "username": "chancery",
            "password": "correct-horse",
        } }),
    ];
    assert_eq!(stanzas.len(), methods.len());
    for (stanza, method) in stanzas.iter().zip(methods) {
        let kind = method["type"].as_str().unwrap();
        assert!(stanza.contains(&format!("= {kind:?}")), "{stanza}");
        let options = json!({
            "address": server.url(),
            "auth_method": method,
            "root_pki_path": "connect-root",
            "intermediate_pki_path": "connect-intermediate",
        });
        configured_vault(&options, None).await.unwrap();
    }
}
