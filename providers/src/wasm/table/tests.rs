use super::*;

fn table(bytes: usize) -> Table {
    Table::new(TableLimits { bytes })
}

#[test]
fn a_value_replaces_the_one_before_and_can_be_forgotten() {
    let mut table = table(100);
    table.set("serial", vec![1]).unwrap();
    table.set("serial", vec![2, 3]).unwrap();
    table.set("a", vec![]).unwrap();
    assert_eq!(table.value("serial"), Some(&[2, 3][..]));
    assert_eq!(table.names().collect::<Vec<_>>(), ["a", "serial"]);
    table.remove("serial");
    table.remove("serial");
    assert_eq!(table.value("serial"), None);
    assert_eq!(table.value("a"), Some(&[][..]));
}

#[test]
fn names_and_values_count_to_the_last_byte() {
    let mut table = table(10);
    table.set("ab", vec![0; 8]).unwrap();
    assert_eq!(table.set("c", vec![]), Err(Full));
    assert_eq!(table.set("ab", vec![0; 9]), Err(Full));
    // A refused write leaves what was there, and a shorter one makes room.
    assert_eq!(table.value("ab").map(<[u8]>::len), Some(8));
    table.set("ab", vec![0; 7]).unwrap();
    table.set("c", vec![]).unwrap();
    table.remove("ab");
    table.set("d", vec![0; 8]).unwrap();
}

#[test]
fn names_are_neither_empty_nor_too_long() {
    let mut table = table(10_000);
    assert_eq!(table.set("", vec![1]), Err(Full));
    assert_eq!(table.set(&"n".repeat(257), vec![1]), Err(Full));
    table.set(&"n".repeat(256), vec![1]).unwrap();
}

#[test]
fn what_a_copy_writes_the_other_does_not_see() {
    let mut newest = table(100);
    newest.set("a", vec![1]).unwrap();
    let mut copy = newest.clone();
    copy.set("a", vec![2]).unwrap();
    copy.set_csr_key(Some(vec![9]));
    assert_eq!(newest.value("a"), Some(&[1][..]));
    assert_eq!(newest.csr_key(), None);
}

#[tokio::test]
async fn everything_but_lent_keys_comes_back_from_the_seal() {
    let mut table = table(100);
    table.set("a", vec![0, 255]).unwrap();
    table.set_csr_key(Some(vec![1, 2]));
    let made = table.generate("root", KeySpec::EcP256).await.unwrap();
    let lent = Arc::new(HeldKey::generate(KeySpec::Ed25519).await.unwrap());
    table.lend([("PrivateKey".to_owned(), lent)]);
    let sealed = table.seal().unwrap();
    let again = Table::unseal(&sealed, TableLimits { bytes: 100 }).unwrap();
    assert_eq!(again.value("a"), Some(&[0, 255][..]));
    assert_eq!(again.csr_key(), Some(&[1, 2][..]));
    let key = again.key("root").unwrap();
    assert_eq!(key.public_key_der(), made.public_key_der());
    assert!(again.key("PrivateKey").is_none());
    assert!(table.key("PrivateKey").is_some());
}

#[tokio::test]
async fn keys_are_sixteen_and_each_has_a_name_of_its_own() {
    let mut table = table(100);
    for number in 0..16 {
        let name = format!("{number:0>64}");
        table.generate(&name, KeySpec::Ed25519).await.unwrap();
    }
    let full = table.generate("one-more", KeySpec::Ed25519).await;
    assert!(matches!(full, Err(KeyRefusal::Full)));
    table.remove_key(&format!("{:0>64}", 3));
    table.remove_key("never-made");
    let same = table
        .generate(&format!("{:0>64}", 4), KeySpec::Ed25519)
        .await;
    assert!(matches!(same, Err(KeyRefusal::Exists)));
    for name in [String::new(), "n".repeat(65)] {
        let refused = table.generate(&name, KeySpec::Ed25519).await;
        assert!(matches!(refused, Err(KeyRefusal::Full)));
    }
    table.generate("one-more", KeySpec::Ed25519).await.unwrap();
}

#[tokio::test]
async fn a_lent_key_is_neither_replaced_nor_removed() {
    let mut table = table(100);
    let lent = Arc::new(HeldKey::generate(KeySpec::Ed25519).await.unwrap());
    table.lend([("signing_key".to_owned(), lent)]);
    let again = table.generate("signing_key", KeySpec::Ed25519).await;
    assert!(matches!(again, Err(KeyRefusal::Exists)));
    table.remove_key("signing_key");
    assert!(table.key("signing_key").is_some());
}

#[test]
fn a_state_that_grew_when_more_was_allowed_can_only_shrink() {
    let mut large = table(100);
    large.set("a", vec![0; 60]).unwrap();
    large.set("b", vec![0; 30]).unwrap();
    let sealed = large.seal().unwrap();
    let mut small = Table::unseal(&sealed, TableLimits { bytes: 20 }).unwrap();
    assert_eq!(small.value("a").map(<[u8]>::len), Some(60));
    assert_eq!(small.set("c", vec![]), Err(Full));
    small.set("a", vec![0; 50]).unwrap();
    assert_eq!(small.set("a", vec![0; 51]), Err(Full));
    small.remove("a");
    assert_eq!(small.set("c", vec![]), Err(Full));
    small.remove("b");
    small.set("c", vec![0; 19]).unwrap();
}

#[test]
fn spoilt_states_are_refused_and_not_quoted() {
    for state in [
        "",
        "[]",
        r#"{"version":2}"#,
        r#"{"version":1,"values":{"a":"canary!"}}"#,
        r#"{"version":1,"keys":{"a":{"kind":"ec-p256","pkcs8":"canary1="}}}"#,
        r#"{"version":1,"keys":{"a":{"kind":"dsa","pkcs8":""}}}"#,
    ] {
        let sealed = Secret::new(state.as_bytes().to_vec());
        let error = Table::unseal(&sealed, TableLimits::default()).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let least = Secret::new(br#"{"version":1}"#.to_vec());
    Table::unseal(&least, TableLimits::default()).unwrap();
}

#[tokio::test]
async fn nothing_kept_prints() {
    let mut table = table(100);
    table.set("name", b"canary".to_vec()).unwrap();
    table.generate("k", KeySpec::Ed25519).await.unwrap();
    assert_eq!(format!("{table:?}"), "Table(1 values, 1 keys)");
}
