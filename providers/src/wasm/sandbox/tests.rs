//! Plugins whose every function does the same: made of a dummy for `plugins/wit`.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use super::*;
use crate::wasm::component;
use crate::wasm::egress::{AllowList, EgressLimits};
use crate::wasm::table::TableLimits;

/// A plugin in which each function has this body.
fn component_of(body: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/wit");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let module = dummy_module(&resolve, world, mangling);
    let text = wasmprinter::print_bytes(&module).unwrap();
    let mut module = wat::parse_str(text.replace("unreachable", body)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.validate(true).encode().unwrap()
}

const TRAPS: &str = "unreachable";
const SPINS: &str = "loop br 0 end unreachable";
const GROWS: &str = "loop i32.const 16 memory.grow drop br 0 end unreachable";

fn sandbox(body: &str, timeout: Duration) -> Sandbox {
    let loaded = component::load(&component_of(body), None, None).unwrap();
    let log = Arc::new(LogTap::new("test"));
    let limits = EgressLimits::default();
    let egress = Egress::new(AllowList::default(), None, limits, Arc::clone(&log)).unwrap();
    let limits = SandboxLimits {
        memory: 1 << 20,
        timeout,
    };
    let counters = Arc::new(Counters::default());
    let lane = Lane::start().unwrap();
    Sandbox::new(loaded, lane, limits, log, Arc::new(egress), counters)
}

async fn check(sandbox: &Sandbox, begins: Begins) -> ProviderError {
    let work = Work {
        begins,
        table: Table::new(TableLimits::default()),
        generation: 0,
        writable: false,
    };
    sandbox.call(work, v1::check()).await.err().unwrap()
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_trap_is_one_clear_error_and_leaves_nothing_behind() {
    let sandbox = sandbox(TRAPS, LONG);
    let error = check(&sandbox, Begins::Here).await;
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert_eq!(
        error.to_string(),
        "the plugin crashed: wasm `unreachable` instruction executed"
    );
    assert_eq!(sandbox.counters.traps.load(Ordering::Relaxed), 1);
    assert_eq!(sandbox.counters.memory.load(Ordering::Relaxed), 0);
    assert!(sandbox.idle.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_fifth_trap_in_a_row_makes_a_pause() {
    let sandbox = sandbox(TRAPS, LONG);
    for _ in 0..5 {
        assert_eq!(
            check(&sandbox, Begins::Here).await.kind(),
            ErrorKind::Broken
        );
    }
    let error = check(&sandbox, Begins::Here).await;
    assert!(error.kind().retry_after().is_some(), "{error}");
    assert_eq!(sandbox.counters.traps.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_call_that_never_returns_is_cut_off_wherever_it_began() {
    let sandbox = sandbox(SPINS, SHORT);
    for begins in [Begins::Here, Begins::Apart] {
        let error = check(&sandbox, begins).await;
        assert_eq!(error.kind().is_retryable(), true, "{error}");
        assert!(
            error
                .to_string()
                .starts_with("the plugin failed: it gave no answer within "),
            "{error}"
        );
    }
    assert_eq!(sandbox.counters.timeouts.load(Ordering::Relaxed), 2);
    assert_eq!(sandbox.counters.moved.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn spinning_calls_do_not_hold_the_callers_thread() {
    // One thread for everything: were a call to stay on it, the timer could not end it.
    let sandbox = Arc::new(sandbox(SPINS, LONG));
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move { check(&sandbox, Begins::Here).await })
        })
        .collect();
    tokio::time::sleep(SHORT).await;
    for call in calls {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn memory_without_end_is_refused_at_the_limit() {
    let error = check(&sandbox(GROWS, LONG), Begins::Here).await;
    let says = error.to_string();
    assert!(says.starts_with("the plugin crashed: it wants "), "{says}");
    assert!(
        says.ends_with(" bytes of memory, and may have 1048576"),
        "{says}"
    );
}

#[tokio::test]
async fn an_instance_that_was_cancelled_gives_its_memory_back() {
    let sandbox = sandbox(SPINS, LONG);
    let call = tokio::time::timeout(SHORT, check(&sandbox, Begins::Here));
    call.await.unwrap_err();
    let ends = Instant::now() + LONG;
    while sandbox.counters.memory.load(Ordering::Relaxed) > 0 {
        assert!(Instant::now() < ends, "memory is still held");
        tokio::task::yield_now().await;
    }
}
