//! Services, intentions and decisions in a program of your own: no server, no tokio, no files.
//!
//! `cargo run -p chancery-core --example decide`
#![expect(clippy::print_stdout, reason = "a program for people")]

use chancery_core::{
    Caller, CatalogCommand, Command, DefaultPolicy, HashSeed, IntentionCommand, IntentionDraft,
    IntentionId, Node, NodeId, Now, ServiceInstance, State,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The core has no clock and no randomness: they come from here.
    let (now, caller) = (Now::default(), Caller::unrestricted());
    let mut state = State::new(HashSeed([0x5eed, 0x1dea]));
    let services = ["web", "api", "billing", "db"].map(service);
    let intentions = [
        intention(1, "*", "db", "deny"),
        intention(2, "api", "db", "allow"),
        intention(3, "billing", "*", "deny"),
    ];
    for command in services.into_iter().chain(intentions) {
        let changes = state.propose(command, &caller, now)?;
        state.apply(&changes)?;
    }

    let known = state.catalog().services().len();
    println!("{known} services at revision {}", state.revision());
    for (source, destination) in [("api", "db"), ("web", "db"), ("web", "api")] {
        let intentions = state.intentions();
        let decision = intentions.decide(source, destination, DefaultPolicy::Allow);
        println!("\n{}", decision.explain());
    }
    Ok(())
}

fn service(name: &str) -> Command {
    let mut instance = ServiceInstance::new("laptop", name, name);
    instance.connect_native = true;
    Command::Catalog(CatalogCommand::Register {
        node: Node::new(NodeId::from_bytes([7; 16]), "laptop", "127.0.0.1"),
        keep_node: false,
        service: Some(Box::new(instance)),
        checks: Vec::new(),
    })
}

fn intention(id: u8, source: &str, destination: &str, action: &str) -> Command {
    Command::Intention(IntentionCommand::Create {
        id: IntentionId::from_bytes([id; 16]),
        draft: IntentionDraft {
            source_name: source.into(),
            destination_name: destination.into(),
            action: action.into(),
            ..IntentionDraft::default()
        },
    })
}
