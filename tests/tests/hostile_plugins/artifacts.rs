//! Files that are no plugins, or none for this agent.

use std::path::Path;

use chancery_providers::{ErrorKind, PluginFile};
use serde_json::json;

use crate::stage::{LONG, Stage};

async fn refused(bytes: &[u8], said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.wasm");
    std::fs::write(&path, bytes).unwrap();
    refused_file(&path, said).await;
}

async fn refused_file(path: &Path, said: &str) {
    let error = PluginFile::load(path, None, None).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains(said), "{error}");
    assert!(error.to_string().contains("file.wasm"), "{error}");
}

async fn honest() -> Vec<u8> {
    std::fs::read(Stage::guest("honest").await).unwrap()
}

#[tokio::test]
async fn a_core_module_is_no_component() {
    refused(b"\0asm\x01\0\0\0", "it is a WebAssembly module").await;
}

#[tokio::test]
async fn a_text_is_no_component() {
    refused(b"(component)", "no WebAssembly file").await;
    refused(b"", "empty").await;
}

#[tokio::test]
async fn a_component_that_was_cut_off_is_refused() {
    let whole = honest().await;
    for length in [9, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], "it ends too early").await;
    }
}

#[tokio::test]
async fn a_newer_interface_is_named() {
    for version in ["2.0.0", "1.9.0"] {
        let newer = replaced(&honest().await, "@1.1.0", &format!("@{version}"));
        refused(&newer, &format!("chancery:ca {version}")).await;
    }
}

#[tokio::test]
async fn a_component_that_wants_another_host_is_refused() {
    let other = replaced(&honest().await, "chancery:ca/keys", "elsewhere:x/keys");
    refused(&other, "elsewhere:x/keys").await;
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    refused_file(&folder.path().join("file.wasm"), "").await;
    let pipe = folder.path().join("pipe-file.wasm");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    refused_file(&pipe, "").await;
}

#[tokio::test]
async fn a_huge_file_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.wasm");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    refused_file(&path, "33554432").await;
}

#[tokio::test]
async fn another_hash_than_the_pinned_one_is_refused() {
    let path = Stage::guest("honest").await;
    let pin = "0".repeat(64);
    let error = PluginFile::load(&path, Some(&pin), None).await;
    let error = error.err().unwrap();
    assert!(error.to_string().contains(&pin), "{error}");
}

/// What runs was read once: the file may change under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_is_replaced_on_disk_while_it_runs_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (path, cache) = (folder.path().join("file.wasm"), folder.path().join("cache"));
    // With a remark of its own, so that no other test has it loaded.
    let mut plugin = honest().await;
    plugin.extend([0, 4, 2, b'r', b'm', 1]);
    std::fs::write(&path, &plugin).unwrap();
    let file = PluginFile::load(&path, None, Some(&cache)).await.unwrap();
    let stage = Stage::set(file, &json!({}), LONG).await.unwrap();
    let request = chancery_tests::leaf_request("web");
    stage.guard.issue_leaf(&request).await.unwrap();
    std::fs::write(&path, b"something else").unwrap();
    for kept in std::fs::read_dir(&cache).unwrap() {
        std::fs::write(kept.unwrap().path(), b"something else").unwrap();
    }
    for _ in 0..20 {
        stage.guard.issue_leaf(&request).await.unwrap();
    }
    // And what is kept of it, spoilt, is not believed.
    std::fs::write(&path, &plugin).unwrap();
    let again = PluginFile::load(&path, None, Some(&cache)).await.unwrap();
    let stage = Stage::set(again, &json!({}), LONG).await.unwrap();
    stage.guard.issue_leaf(&request).await.unwrap();
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths would have to be changed too");
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}
