//! Signing leafs on one core: bare signatures, the built-in CA, and the whole path.
//!
//! `cargo bench -p chancery-providers --bench sign`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops at the first surprise"
)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use chancery_core::{CheckedCsr, CsrPolicy, Datacenter, SignatureCheck, Timestamp, TrustDomain};
use chancery_providers::{
    BuiltIn, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, KeySpec, LeafRequest,
    Limits, OperationId, OptionMap, RootRequest, RootTemplate, SecretOptions, SerialNumber,
};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, SanType};

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const ROUNDS: u32 = 7;
const SLICE: Duration = Duration::from_millis(300);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let algorithms = rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    let now = now();
    let bare = bare_key();
    let random = SystemRandom::new();
    let message = [7_u8; 450];

    let csr = csr();
    let policy = CsrPolicy::new(
        TrustDomain::parse(DOMAIN).unwrap(),
        Datacenter::parse("dc1").unwrap(),
    );
    let ttl = Duration::from_secs(72 * 3600);
    let checked = CheckedCsr::parse(&csr, algorithms, &policy).unwrap();
    let request = LeafRequest::new(&checked, serial(5), ttl, now).unwrap();
    let alone = built_in().await;
    let settings = |leaf_signatures| GuardSettings {
        algorithms,
        leaf_signatures,
        clock: Arc::new(self::now),
        deadlines: Deadlines::default(),
        limits: Limits::NONE,
    };
    alone.root(&root_request(now)).await.unwrap();
    let trusting = Guard::new(built_in().await, settings(SignatureCheck::ParseOnly));
    let strict = Guard::new(built_in().await, settings(SignatureCheck::Verify));
    trusting.root(&root_request(now)).await.unwrap();
    strict.root(&root_request(now)).await.unwrap();

    // Interleaved rounds, so that a noisy neighbour hits all of them; the best round counts.
    let mut best = Rates::default();
    for _ in 0..ROUNDS {
        keep(&mut best.bare, async || {
            std::hint::black_box(bare.sign(&random, &message).unwrap());
        })
        .await;
        keep(&mut best.alone, async || {
            drop(alone.sign_leaf(&request).await.unwrap());
        })
        .await;
        keep(&mut best.guarded, async || {
            drop(trusting.issue_leaf(&request).await.unwrap());
        })
        .await;
        for (rate, guard) in [(&mut best.whole, &trusting), (&mut best.strict, &strict)] {
            keep(rate, async || {
                let checked = CheckedCsr::parse(&csr, algorithms, &policy).unwrap();
                let request = LeafRequest::new(&checked, serial(5), ttl, now).unwrap();
                drop(guard.issue_leaf(&request).await.unwrap());
            })
            .await;
        }
    }
    report(&best);
}

#[derive(Default)]
struct Rates {
    bare: f64,
    alone: f64,
    guarded: f64,
    whole: f64,
    strict: f64,
}

fn report(best: &Rates) {
    let Rates {
        bare,
        alone,
        guarded,
        whole,
        strict,
    } = best;
    println!("leafs per second on one core, P-256, best of {ROUNDS} rounds");
    println!("  bare ECDSA signature                        {bare:>8.0}");
    let share = alone / bare * 100.0;
    let verdict = if share >= 75.0 { "met" } else { "MISSED" };
    println!(
        "  built-in CA alone                           {alone:>8.0}  {share:.0} % of bare, goal 75 %: {verdict}"
    );
    println!("  through the guard                           {guarded:>8.0}");
    println!("  CSR check, guard, answer parsed             {whole:>8.0}");
    println!("  CSR check, guard, answer's signature too    {strict:>8.0}");
}

/// Calls for a slice of time, and keeps the rate if it is the best so far.
async fn keep(best: &mut f64, mut call: impl AsyncFnMut()) {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < SLICE {
        for _ in 0..64 {
            call().await;
        }
        calls += 64;
    }
    *best = best.max(f64::from(calls) / started.elapsed().as_secs_f64());
}

fn bare_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap()
}

fn csr() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let uri = format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web");
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri).unwrap())];
    params.serialize_request(&key).unwrap().der().to_vec()
}

async fn built_in() -> BuiltIn {
    let mut provider = BuiltIn::new();
    let request = ConfigureRequest {
        trust_domain: TrustDomain::parse(DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options: OptionMap::new(),
        secrets: SecretOptions::default(),
        state: None,
    };
    provider.configure(&request).await.unwrap();
    provider
}

fn root_request(now: Timestamp) -> RootRequest {
    RootRequest {
        operation: OperationId::from_bytes([1; 16]),
        template: RootTemplate::new(
            "consul",
            &TrustDomain::parse(DOMAIN).unwrap(),
            [3; 8],
            serial(7),
            KeySpec::EcP256,
            Duration::from_secs(87_600 * 3600),
            now,
        ),
    }
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_be_bytes(&[number; 16]).unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_nanos(i128::try_from(since.as_nanos()).unwrap())
}
