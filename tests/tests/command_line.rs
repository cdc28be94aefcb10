//! Whoever types Consul's commands finds ours: the same command lines by both programs, each
//! against an agent of its own that has seen the same commands, and this twice: with two real
//! Consul agents and with two of ours.
//!
//! Standard output, exit code and the first line of standard error must be the same, with ids,
//! times, ports and indexes masked. Where ours differs on purpose the table says why, and then
//! it must differ. Of help and usage only the stream and the exit code count.

#[path = "command_line/lines.rs"]
mod lines;
#[path = "command_line/mask.rs"]
mod mask;
#[path = "command_line/secured.rs"]
mod secured;

use std::path::Path;
use std::process::{Command, Stdio};

use chancery_tests::{Agent, AgentKind, chancery_binary, consul_binary};

use self::lines::{Case, Expect, LINES};
use self::mask::masked;

/// What came of one command line, as it is compared.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// The exit code, and which streams were written to.
    fn shape(&self) -> (Option<i32>, bool, bool) {
        (self.code, self.out.is_empty(), self.err.is_empty())
    }

    fn paragraphs(&self) -> Vec<&str> {
        let mut paragraphs: Vec<_> = self.out.split("\n\n").collect();
        paragraphs.sort_unstable();
        paragraphs
    }

    fn first_complaint(&self) -> &str {
        self.err.lines().next().unwrap_or_default()
    }
}

#[tokio::test]
async fn both_programs_say_the_same_of_consul() {
    compare(AgentKind::Consul).await;
}

#[tokio::test]
async fn both_programs_say_the_same_of_chancery() {
    compare(AgentKind::Chancery).await;
}

async fn compare(kind: AgentKind) {
    let folder = tempfile::tempdir().unwrap();
    lines::write_files(folder.path());
    let (for_consul, for_ours) = tokio::try_join!(Agent::start(kind), Agent::start(kind)).unwrap();
    let mut wrong = Vec::new();
    for case in LINES {
        let consuls = run(consul_binary().unwrap(), &for_consul, case, folder.path());
        let ours = run(chancery_binary().unwrap(), &for_ours, case, folder.path());
        let alike =
            ours.code == consuls.code && ours.first_complaint() == consuls.first_complaint();
        let same = alike && ours.out == consuls.out;
        let good = match case.expect {
            Expect::Same => same,
            Expect::Shape => ours.shape() == consuls.shape(),
            Expect::Shuffled => alike && ours.paragraphs() == consuls.paragraphs(),
            Expect::Differs(_) => !same,
        };
        if !good {
            wrong.push(format!(
                "`{}`\n  consul:   {consuls:?}\n  chancery: {ours:?}",
                case.line
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} command lines, asking {kind:?}:\n{}",
        wrong.len(),
        LINES.len(),
        wrong.join("\n")
    );
}

fn run(program: &Path, agent: &Agent, case: &Case, folder: &Path) -> Ran {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("CONSUL_HTTP_ADDR", agent.http().to_string())
        .current_dir(folder)
        .stdin(Stdio::null());
    for word in case.line.split_whitespace() {
        match word.split_once('=') {
            Some((name, value)) if name.starts_with("CONSUL_") => command.env(name, value),
            _ => command.arg(word),
        };
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        out: masked(&String::from_utf8_lossy(&output.stdout)),
        err: masked(&String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn the_table_is_not_shortened() {
    assert!(LINES.len() >= 60, "{}", LINES.len());
    let mut lines: Vec<_> = LINES
        .iter()
        .filter_map(|case| case.expect.reason())
        .collect();
    assert!(lines.iter().all(|reason| reason.len() > 20), "{lines:?}");
    lines.dedup();
    assert!(lines.len() < 20, "{} deliberate differences", lines.len());
}
