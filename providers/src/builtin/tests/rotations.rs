//! Three rotations in a row, over every pair of kinds of keys.

use std::sync::Arc;

use chancery_core::{CheckedRoot, PeerRole, TrustBundle};

use super::*;

struct Ca {
    provider: BuiltIn,
    root: CertificateDer<'static>,
}

async fn cas(kind: KeySpec) -> Vec<Arc<Ca>> {
    let mut making = Vec::new();
    for _ in 0..4 {
        making.push(tokio::spawn(async move {
            let provider = configured(None).await;
            let answer = provider.root(&root_request(kind)).await.unwrap();
            Arc::new(Ca {
                provider,
                root: answer.certificate,
            })
        }));
    }
    let mut made = Vec::new();
    for task in making {
        made.push(task.await.unwrap());
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_in_a_row_verify_against_every_older_root_over_all_pairs_of_keys() {
    let mut all = Vec::new();
    for kind in keys::KINDS {
        all.push(cas(kind).await);
    }
    let leaf = leaf_request(KeySpec::EcP256, 1);
    let mut pairs = 0;
    for first in &all {
        for second in &all {
            // By turns, and never one CA twice even if both kinds are the same.
            let row = [&first[0], &second[1], &first[2], &second[3]];
            assert_rotates(&row, &leaf).await;
            pairs += 1;
        }
    }
    assert_eq!(pairs, 36);
}

async fn assert_rotates(row: &[&Arc<Ca>; 4], leaf: &LeafRequest) {
    let [.., newest] = row;
    let mut chain = newest.provider.sign_leaf(leaf).await.unwrap();
    for pair in row.windows(2).rev() {
        let [old, new] = pair else { unreachable!() };
        let link = old.provider.cross_sign(&cross(&new.root)).await.unwrap();
        chain.push(link);
    }
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for ca in row {
        let root = CheckedRoot::restore(&ca.root).unwrap();
        let bundle = TrustBundle::new(TrustDomain::parse(DOMAIN).unwrap(), [root]).unwrap();
        bundle
            .verify_peer(
                &chain,
                PeerRole::Client,
                webpki::ALL_VERIFICATION_ALGS,
                Timestamp::from_unix(START),
            )
            .unwrap();
    }
}

/// Each kind of root over its own kind of intermediate and over another.
#[tokio::test]
async fn intermediates_of_every_kind_stand_under_roots_of_every_kind() {
    for (place, root_kind) in keys::KINDS.into_iter().enumerate() {
        let primary = configured(None).await;
        let root = primary.root(&root_request(root_kind)).await.unwrap();
        for kind in [root_kind, keys::KINDS[(place + 1) % keys::KINDS.len()]] {
            let secondary = configured(None).await;
            let wish = IntermediateRequest {
                operation: OperationId::from_bytes([2; 16]),
                renew: false,
                template: intermediate_template(10),
                key: kind,
            };
            let answer = secondary.intermediate(&wish).await.unwrap();
            let IntermediateAnswer::Csr { csr, .. } = answer else {
                panic!("the built-in CA asks another CA to sign");
            };
            let request = SignIntermediateRequest {
                public_key: spki_of(&csr),
                csr,
                template: intermediate_template(10),
            };
            let chain = vec![primary.sign_intermediate(&request).await.unwrap()];
            let accept = AcceptIntermediateRequest { chain };
            secondary.accept_intermediate(&accept).await.unwrap();
            let leaf = leaf_request(KeySpec::EcP384, 1);
            let chain = secondary.sign_leaf(&leaf).await.unwrap();
            assert_signed(&chain[0], &chain[1]);
            assert_signed(&chain[1], &root.certificate);
        }
    }
}
