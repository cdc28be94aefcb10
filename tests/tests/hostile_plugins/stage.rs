//! One hostile plugin in the sandbox, an honest one beside it, and what came of it.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, Once};
use std::time::Duration;

use chancery_providers::{
    CaProvider, Deadlines, ErrorKind, Guard, GuardSettings, PluginFile, ProviderError, Wasm,
};
use chancery_tests::{
    guard_settings, hostile_guest, leaf_request, root_request, vault_configuration,
};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

/// How the life of a plugin ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// It is not loaded; the error says this.
    Reading(&'static str),
    /// It is not taken; the error says this.
    Configuring(&'static str),
    /// No leaf comes of it; the error says this.
    Leaf(&'static str),
    /// Its leaf breaks the rule of this name.
    Rule(&'static str),
    /// Its leafs are good ones, whatever else it tried.
    Works,
}

/// What came of a plugin.
pub(crate) struct Met {
    guest: String,
    reading: Option<ProviderError>,
    configuring: Option<ProviderError>,
    leafs: Vec<Result<(), ProviderError>>,
}

/// For those that are to be late.
pub(crate) const SHORT: Duration = Duration::from_millis(500);
/// For all others.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The longest text of an error that anybody is shown.
const LONGEST: usize = 4 * 1024;

/// What is said of a plugin that takes too long.
pub(crate) const LATE: &str = "no answer within";

/// Loads, configures and asks for a root and four leafs. Patience is short only with those that
/// are known to need all of it: a busy machine makes nobody else late.
pub(crate) async fn meet(guest: &str, more: Value, ends: Outcome) -> Met {
    record();
    let mut met = Met {
        guest: guest.to_owned(),
        reading: None,
        configuring: None,
        leafs: Vec::new(),
    };
    let file = match PluginFile::load(&Stage::guest(guest).await, None, None).await {
        Ok(file) => file,
        Err(error) => {
            met.reading = Some(error);
            return met;
        }
    };
    let patience = match ends {
        Outcome::Leaf(LATE) | Outcome::Configuring(LATE) => SHORT,
        _ => LONG,
    };
    let stage = match Stage::set(file, &more, patience).await {
        Ok(stage) => stage,
        Err(error) => {
            met.configuring = Some(error);
            return met;
        }
    };
    for _ in 0..4 {
        let leaf = stage.guard.issue_leaf(&leaf_request("web")).await;
        met.leafs.push(leaf.map(drop));
    }
    met
}

impl Met {
    /// Asserts how it ended, and that what was said about it can be read.
    pub(crate) fn ended(&self, outcome: Outcome) {
        let errors = self.reading.iter().chain(&self.configuring);
        for error in errors.chain(self.leafs.iter().filter_map(|leaf| leaf.as_ref().err())) {
            let text = error.report().to_string();
            assert!(text.len() <= LONGEST, "{} bytes of error", text.len());
            let odd = text.chars().find(|character| character.is_control());
            assert_eq!(odd, None, "{text}");
        }
        match outcome {
            Outcome::Reading(said) => assert_says(self.reading.as_ref(), said),
            Outcome::Configuring(said) => assert_says(self.configuring.as_ref(), said),
            Outcome::Leaf(said) => {
                for leaf in self.leafs() {
                    assert_says(leaf.as_ref().err(), said);
                }
            }
            Outcome::Rule(rule) => {
                for leaf in self.leafs() {
                    let error = leaf.as_ref().expect_err("a leaf was let out");
                    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
                    assert_eq!(error.rule(), Some(rule), "{error}");
                }
            }
            Outcome::Works => {
                let last = self.leafs().last().unwrap();
                assert!(last.is_ok(), "{:?}", last.as_ref().err());
            }
        }
    }

    fn leafs(&self) -> &[Result<(), ProviderError>] {
        let before = self.reading.as_ref().or(self.configuring.as_ref());
        assert!(before.is_none(), "it did not get so far: {before:?}");
        &self.leafs
    }

    /// Asserts that the log holds this, and that nothing it wrote can be taken for another line.
    pub(crate) fn said(&self, said: &str) {
        let log = LOG.0.lock().unwrap().clone();
        let log = String::from_utf8(log).unwrap();
        let guest = &self.guest;
        assert!(log.contains(said), "{guest} did not say {said}");
        let odd = log
            .chars()
            .find(|character| character.is_control() && *character != '\n');
        assert_eq!(odd, None, "{guest} wrote more than a line");
    }

    /// Asserts that an honest plugin in the same process signs.
    pub(crate) async fn beside(&self) {
        let honest = PluginFile::load(&Stage::guest("honest").await, None, None).await;
        let stage = Stage::set(honest.unwrap(), &json!({}), LONG).await.unwrap();
        stage.guard.issue_leaf(&leaf_request("web")).await.unwrap();
    }
}

fn assert_says(error: Option<&ProviderError>, said: &str) {
    let text = error.map(|error| error.report().to_string());
    let text = text.unwrap_or_else(|| "it succeeded".to_owned());
    assert!(text.contains(said), "{text}");
}

/// A plugin that is configured and has a root.
pub(crate) struct Stage {
    pub(crate) guard: Guard<Wasm>,
}

impl Stage {
    /// Where the hostile guests' sources are.
    pub(crate) fn guests() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("guests/hostile")
    }

    /// The component of a guest.
    pub(crate) async fn guest(name: &str) -> PathBuf {
        hostile_guest(name).await
    }

    /// Configures a plugin with `more` options, and asks it for its root.
    pub(crate) async fn set(
        file: PluginFile,
        more: &Value,
        patience: Duration,
    ) -> Result<Self, ProviderError> {
        let settings = GuardSettings {
            deadlines: Deadlines {
                leaf: 4 * patience,
                ..Deadlines::default()
            },
            ..guard_settings("wasm")
        };
        let mut options = json!({
            "path": file.path(),
            "timeout": format!("{}ms", patience.as_millis()),
        });
        let all = options.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        let mut guard = Guard::new(Wasm::of(file), settings);
        guard
            .configure(&vault_configuration(&options, None))
            .await?;
        guard.root(&root_request(1, false)).await?;
        Ok(Self { guard })
    }
}

/// Everything that was logged in this process.
struct Log(Mutex<Vec<u8>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl io::Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Log {
    type Writer = &'static Log;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(&LOG)
            .init();
    });
}
