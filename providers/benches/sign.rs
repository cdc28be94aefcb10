//! Signing leafs on one core: bare signatures, the built-in CA, and the whole path.
//!
//! `cargo bench -p chancery-providers --bench sign`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops at the first surprise"
)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use chancery_core::{
    CheckedCsr, CsrPolicy, Datacenter, OperationId, Serial, SignatureCheck, Timestamp, TrustDomain,
};
use chancery_providers::{
    BuiltIn, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, KeySpec, LeafRequest,
    Limits, OptionMap, RootRequest, RootTemplate, SecretOptions, Validity,
};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, SanType};

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
/// Many and short, so that what else runs here hits all sides of a round alike.
const ROUNDS: u32 = 200;
const SLICE: Duration = Duration::from_millis(10);

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
    let validity = Validity::backdated(Duration::from_secs(72 * 3600), now);
    let checked = CheckedCsr::parse(&csr, algorithms, &policy).unwrap();
    let request = LeafRequest::new(&checked, serial(5), validity).unwrap();
    let alone = built_in().await;
    let settings = |leaf_signatures| GuardSettings {
        algorithms,
        leaf_signatures,
        clock: Arc::new(self::now),
        deadlines: Deadlines::default(),
        limits: Limits::NONE,
        observer: Arc::new(()),
    };
    alone.root(&root_request(now)).await.unwrap();
    let trusting = Guard::new(built_in().await, settings(SignatureCheck::ParseOnly));
    let strict = Guard::new(built_in().await, settings(SignatureCheck::Verify));
    trusting.root(&root_request(now)).await.unwrap();
    strict.root(&root_request(now)).await.unwrap();

    let mut rates = Rates::default();
    for _ in 0..ROUNDS {
        slice(&mut rates.bare, async || {
            std::hint::black_box(bare.sign(&random, &message).unwrap());
        })
        .await;
        slice(&mut rates.alone, async || {
            drop(alone.sign_leaf(&request).await.unwrap());
        })
        .await;
        slice(&mut rates.guarded, async || {
            drop(trusting.issue_leaf(&request).await.unwrap());
        })
        .await;
        for (rate, guard) in [(&mut rates.whole, &trusting), (&mut rates.strict, &strict)] {
            slice(rate, async || {
                let checked = CheckedCsr::parse(&csr, algorithms, &policy).unwrap();
                let request = LeafRequest::new(&checked, serial(5), validity).unwrap();
                drop(guard.issue_leaf(&request).await.unwrap());
            })
            .await;
        }
    }
    report(&rates);
}

/// What each reached in each round.
#[derive(Default)]
struct Rates {
    bare: Vec<f64>,
    alone: Vec<f64>,
    guarded: Vec<f64>,
    whole: Vec<f64>,
    strict: Vec<f64>,
}

/// Shares are taken within a round and then the median of all rounds: the best of one side
/// against the best of another would compare two moments of a busy machine.
fn report(rates: &Rates) {
    println!("leafs per second of CPU time, P-256, medians of {ROUNDS} rounds");
    println!("share of bare signatures: median (quartiles)");
    for (name, side, goal) in [
        ("bare ECDSA signature", &rates.bare, None),
        ("built-in CA alone", &rates.alone, Some(75.0)),
        ("through the guard", &rates.guarded, None),
        ("CSR check, guard, answer parsed", &rates.whole, None),
        ("CSR check, guard, answer verified", &rates.strict, None),
    ] {
        let shares = side
            .iter()
            .zip(&rates.bare)
            .map(|(rate, bare)| rate / bare * 100.0);
        let shares: Vec<f64> = shares.collect();
        let [low, share, high] = [0.25, 0.5, 0.75].map(|place| quantile(&shares, place));
        let verdict = goal.map_or_else(String::new, |goal| {
            let verdict = if share >= goal { "met" } else { "MISSED" };
            format!("  goal {goal:.0} %: {verdict}")
        });
        let rate = quantile(side, 0.5);
        println!("  {name:<34}{rate:>8.0}  {share:>4.0} % ({low:.0} to {high:.0}){verdict}");
    }
}

fn quantile(values: &[f64], place: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among a few hundred values"
    )]
    let index = ((sorted.len() - 1) as f64 * place).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Calls for a slice of time and notes the rate per second of this thread's CPU time, which
/// does not count the time that other programs had the core.
async fn slice(rates: &mut Vec<f64>, mut call: impl AsyncFnMut()) {
    let started = cpu_time();
    let mut calls = 0_u32;
    let mut spent = Duration::ZERO;
    while spent < SLICE {
        for _ in 0..16 {
            call().await;
        }
        calls += 16;
        spent = cpu_time().saturating_sub(started);
    }
    rates.push(f64::from(calls) / spent.as_secs_f64());
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
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
        renew: false,
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

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number; 16]).unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_nanos(i128::try_from(since.as_nanos()).unwrap())
}
