//! `chancery demo`: two services, two sidecars, and an intention that decides between them.
//!
//! Everything is real and in this one process: an agent as `agent --dev` runs it, two sidecar
//! proxies that know it over HTTP only, two applications on TCP. When the demo returns, nothing
//! of it is left.

mod application;
mod mesh;
mod report;

use std::time::{Duration, Instant};

use chancery_core::Timestamp;

pub(crate) use mesh::DemoError;
use mesh::Mesh;
use report::Report;

/// How long any single step may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows the whole story on `out`.
///
/// # Errors
///
/// When something did not happen as told: the demo is also a test.
pub(crate) async fn run(out: &mut dyn std::io::Write) -> Result<(), DemoError> {
    let mut report = Report::new(out);
    let mesh = Mesh::start().await?;
    let told = tell(&mesh, &mut report).await;
    mesh.stop().await?;
    told?;
    report.end("Done. Nothing is left running.");
    Ok(())
}

async fn tell(mesh: &Mesh, report: &mut Report<'_>) -> Result<(), DemoError> {
    report.step("An agent is up: it is the certificate authority and keeps the intentions");
    report.fact("HTTP API", mesh.address());
    for line in mesh.authority()? {
        report.line(&line);
    }

    report.step("Two services are registered, each with a sidecar proxy");
    for service in ["db", "web"] {
        for line in mesh.leaf(service).await? {
            report.line(&line);
        }
    }

    report.step("By default, traffic flows: web asks db through both sidecars, over mutual TLS");
    let mut open = mesh.connect().await?;
    report.fact("web → db", &open.ask("hello").await?);
    report.fact("why", &mesh.reason()?);
    report.line("this connection stays open");

    report.step("An intention denies it: nobody may connect to db");
    let sent = Instant::now();
    mesh.intend("*", "db", "deny").await?;
    open.wait_until_cut().await?;
    let cut_after = millis(sent.elapsed());
    report.fact(
        "open connection",
        format_args!("cut, {cut_after} after the intention was sent"),
    );
    mesh.expect_refusal().await?;
    report.fact("new connection", "refused");
    report.fact("why", &mesh.reason()?);

    report.step("A more exact intention allows it again: web may connect to db");
    mesh.intend("web", "db", "allow").await?;
    report.fact("web → db", &mesh.ask_until_allowed("hello again").await?);
    report.fact("why", &mesh.reason()?);
    for line in mesh.explanation().lines() {
        report.line(line);
    }
    Ok(())
}

fn millis(elapsed: Duration) -> String {
    format!("{:.1} ms", elapsed.as_secs_f64() * 1000.0)
}

/// A time as a person reads it.
fn day(moment: Timestamp) -> String {
    let (year, month, day, hour, minute, _) = moment.civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}
