//! Decisions in a program of your own: no server, no tokio, no files.
//!
//! `cargo run -p chancery-core --example decide`
#![expect(clippy::print_stdout, reason = "a program for people")]

use chancery_core::{
    DefaultPolicy, HashSeed, IntentionCommand, IntentionDraft, IntentionError, IntentionId,
    IntentionSet, Now,
};

fn main() -> Result<(), IntentionError> {
    let services = ["web", "api", "billing", "db"];
    let rules = [
        ("*", "db", "deny"),
        ("api", "db", "allow"),
        ("billing", "*", "deny"),
    ];

    // Core has no clock and no randomness: seed, identifiers and time come from here.
    let mut set = IntentionSet::new(HashSeed([0x5eed, 0x1dea]));
    for (revision, (source, destination, action)) in (2_u64..).zip(rules) {
        let command = IntentionCommand::Create {
            id: IntentionId::from_bytes(u128::from(revision).to_be_bytes()),
            draft: IntentionDraft {
                source_name: source.into(),
                destination_name: destination.into(),
                action: action.into(),
                ..IntentionDraft::default()
            },
        };
        for change in set.propose(&command, &|_| true, revision, Now::default())? {
            set.apply(change);
        }
    }

    for source in services {
        let verdicts = services.map(|destination| {
            let decision = set.decide(source, destination, DefaultPolicy::Allow);
            if decision.allowed() { "yes" } else { "no " }
        });
        println!(
            "{source:8} may reach {}: {}",
            services.join(", "),
            verdicts.join(" ")
        );
    }
    for (source, destination) in [("api", "db"), ("web", "db"), ("billing", "web")] {
        let decision = set.decide(source, destination, DefaultPolicy::Allow);
        println!("\n{}", decision.explain());
    }
    Ok(())
}
