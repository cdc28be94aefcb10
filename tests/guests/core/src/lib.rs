//! The core, built for `wasm32-unknown-unknown`, doing its work in a machine that has no clock,
//! no randomness, no files and no network to offer.

use chancery_core::{
    AuthorityCommand, CaConfiguration, Caller, Command, DefaultPolicy, Effect, HashSeed,
    IntentionCommand, IntentionDraft, IntentionId, Lifetimes, Now, OperationId, SpiffeId, State,
};
use serde_json::Map;

/// Runs a day in the life of the state; answers with the number of the last step that came out
/// right, 4 if all did.
// The attribute is unsafe because two such symbols could clash; this module has only one.
#[expect(
    unsafe_code,
    reason = "a symbol of this name exists once in the module"
)]
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u32 {
    let now = Now::default();
    let caller = Caller::unrestricted();
    let mut state = State::new(HashSeed([1, 2]));
    let commands = [
        Command::Intention(IntentionCommand::Create {
            id: IntentionId::from_bytes([7; 16]),
            draft: IntentionDraft {
                source_name: "web".into(),
                destination_name: "db".into(),
                action: "deny".into(),
                ..IntentionDraft::default()
            },
        }),
        Command::Authority(AuthorityCommand::Bootstrap {
            cluster_id: [9; 16],
            configuration: CaConfiguration::new("consul", Map::new(), Lifetimes::default()),
            operation: OperationId::from_bytes([8; 16]),
        }),
    ];
    for command in commands {
        let Ok(changes) = state.propose(command, &caller, now) else {
            return 0;
        };
        if state.apply(&changes).is_err() {
            return 1;
        }
    }
    let decide = |source| {
        state
            .intentions()
            .decide(source, "db", DefaultPolicy::Allow)
            .allowed()
    };
    if decide("web") || !decide("api") {
        return 2;
    }
    let ordered = matches!(
        state.authority().agenda(now).due[..],
        [Effect::PrepareIssuer { .. }]
    );
    let uri = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web";
    let parsed = SpiffeId::parse(uri).is_ok_and(|id| id.to_string() == uri);
    if ordered && parsed { 4 } else { 3 }
}
