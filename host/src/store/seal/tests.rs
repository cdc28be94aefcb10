use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::store::{Batch, FileStore, Group, Row, RowKind, Store as _, Write as StoreWrite};

const KINDS: &[RowKind] = &[RowKind::new("authority")];
const CANARY: &[u8] = b"-----BEGIN PRIVATE KEY----- canary 7f3a";

fn secret() -> Secret {
    Secret::new(CANARY.to_vec())
}

fn data_dir(root: &tempfile::TempDir) -> DataDir {
    DataDir::open_or_create(&root.path().join("data")).unwrap()
}

#[test]
fn a_secret_opens_under_its_key_and_context_only() {
    let sealer = Sealer::ephemeral().unwrap();
    let sealed = sealer.seal(&secret(), "ca-state/1").unwrap();
    assert_eq!(sealer.open(&sealed, "ca-state/1").unwrap().expose(), CANARY);
    let error = sealer.open(&sealed, "ca-state/2").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sealed value does not open for ca-state/2: it was altered, or sealed for something else"
    );
    let other = Sealer::ephemeral().unwrap();
    let error = other.open(&sealed, "ca-state/1").unwrap_err();
    let expected = format!(
        "the value was sealed under key {}, the seal key is {}: put the right key back",
        hex(&sealer.id),
        hex(&other.id)
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_empty_secret_is_sealed_too() {
    let sealer = Sealer::ephemeral().unwrap();
    let sealed = sealer.seal(&Secret::new(vec![]), "").unwrap();
    assert_eq!(sealer.open(&sealed, "").unwrap().expose(), b"");
}

#[test]
fn sealing_twice_gives_two_texts() {
    let sealer = Sealer::ephemeral().unwrap();
    let seal = || sealer.seal(&secret(), "token").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn no_altered_or_shortened_value_opens() {
    let sealer = Sealer::ephemeral().unwrap();
    let sealed = sealer.seal(&secret(), "token").unwrap();
    let bytes = sealed.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        sealer
            .open(&Sealed::from_bytes(altered), "token")
            .unwrap_err();
    }
    for length in 0..bytes.len() {
        let short = Sealed::from_bytes(bytes[..length].to_vec());
        sealer.open(&short, "token").unwrap_err();
    }
}

#[test]
fn a_value_of_a_later_form_names_it() {
    let sealer = Sealer::ephemeral().unwrap();
    let mut bytes = sealer.seal(&secret(), "token").unwrap().as_bytes().to_vec();
    bytes[0] = 2;
    let error = sealer
        .open(&Sealed::from_bytes(bytes), "token")
        .unwrap_err();
    assert!(
        matches!(
            error,
            SealError::UnknownForm {
                found: 2,
                allowed: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn the_key_is_made_once_for_its_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let directory = data_dir(&root);
    let first = Sealer::open_or_create(&directory, None).unwrap();
    let path = directory.path().join(KEY_FILE);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let sealed = first.seal(&secret(), "token").unwrap();
    let second = Sealer::open_or_create(&directory, None).unwrap();
    assert_eq!(second.open(&sealed, "token").unwrap().expose(), CANARY);
}

#[test]
fn a_lost_key_is_never_replaced() {
    let root = tempfile::tempdir().unwrap();
    let directory = data_dir(&root);
    Sealer::open_or_create(&directory, None).unwrap();
    drop(FileStore::open(&directory, KINDS).unwrap());
    let key = directory.path().join(KEY_FILE);
    fs::remove_file(&key).unwrap();
    for configured in [None, Some(root.path().join("elsewhere.key"))] {
        let error = Sealer::open_or_create(&directory, configured.as_deref()).unwrap_err();
        let missing = configured.unwrap_or_else(|| key.clone());
        let expected = format!(
            "the seal key {} is missing, but the store {} exists and its secrets open with that \
             key only: put the key back, or move the store aside to start afresh",
            missing.display(),
            directory.path().join(STORE_FILE).display()
        );
        assert_eq!(error.to_string(), expected);
        assert!(!missing.exists());
    }
}

#[test]
fn a_key_file_that_is_not_one_is_refused_without_showing_it() {
    let root = tempfile::tempdir().unwrap();
    let directory = data_dir(&root);
    Sealer::open_or_create(&directory, None).unwrap();
    let path = directory.path().join(KEY_FILE);
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().nth(1).unwrap();
    let long = format!("{KEY_HEADER}{}\n", STANDARD.encode([1; KEY_BYTES + 1]));
    let longer = format!("{KEY_HEADER}{}\n", STANDARD.encode([1; KEY_BYTES + 40]));
    for text in [
        "",
        "canary",
        KEY_HEADER,
        line,
        &good[..good.len() - 5],
        &long,
        &longer,
    ] {
        fs::write(&path, text).unwrap();
        let error = Sealer::open_or_create(&directory, None).unwrap_err();
        assert!(
            matches!(error, SealError::NotAKey { .. }),
            "{text}: {error}"
        );
        assert!(!error.to_string().contains("canary"));
    }
    fs::write(&path, good).unwrap();
    Sealer::open_or_create(&directory, None).unwrap();
}

#[test]
fn a_configured_key_may_be_a_link_but_not_readable_by_all() {
    let root = tempfile::tempdir().unwrap();
    let directory = data_dir(&root);
    let target = root.path().join("target.key");
    let first = Sealer::open_or_create(&directory, Some(&target)).unwrap();
    assert!(!directory.path().join(KEY_FILE).exists());
    let link = root.path().join("link.key");
    symlink(&target, &link).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    let second = Sealer::open_or_create(&directory, Some(&link)).unwrap();
    assert_eq!(first.id, second.id);
    for mode in [0o644, 0o660] {
        fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
        let error = Sealer::open_or_create(&directory, Some(&link)).unwrap_err();
        let expected = format!("has mode {mode:04o}, at most 0640 is allowed");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn neither_secret_nor_key_is_in_any_other_file() {
    let root = tempfile::tempdir().unwrap();
    let directory = data_dir(&root);
    let sealer = Sealer::open_or_create(&directory, None).unwrap();
    let store = FileStore::open(&directory, KINDS).unwrap();
    let sealed = sealer.seal(&secret(), "ca-state/1").unwrap();
    let value = serde_json::to_vec(&sealed).unwrap();
    let row = Row {
        kind: KINDS[0],
        key: b"public canary".to_vec(),
        value,
    };
    let batch = Batch {
        revision: 2,
        writes: vec![StoreWrite::Put(row)],
    };
    let group = Group {
        batches: vec![batch],
        digest: [0; 32],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(store.commit(group)).unwrap();

    let key_text = fs::read_to_string(directory.path().join(KEY_FILE)).unwrap();
    let key_line = key_text.lines().nth(1).unwrap();
    let key = STANDARD.decode(key_line).unwrap();
    let mut saw_the_public_canary = false;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let shown = path.display();
        assert!(!contains(CANARY), "{shown}");
        assert!(!contains(STANDARD.encode(CANARY).as_bytes()), "{shown}");
        assert!(!contains(&key), "{shown}");
        assert_eq!(
            contains(key_line.as_bytes()),
            path.ends_with(KEY_FILE),
            "{shown}"
        );
        saw_the_public_canary |= contains(b"public canary");
    }
    assert!(saw_the_public_canary, "the search finds nothing at all");
}

#[test]
fn a_sealer_prints_nothing_of_its_key() {
    let sealer = Sealer::ephemeral().unwrap();
    assert_eq!(
        format!("{sealer:?}"),
        format!("Sealer(key {})", hex(&sealer.id))
    );
}
