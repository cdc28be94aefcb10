//! What clients registered, one file a thing, so that it is there after a restart.
//!
//! Consul keeps the same in `services/` and `checks/` of its data directory. Kept is what was
//! said, not what came of it: it is checked anew at each start.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use chancery_core::{CheckRegistration, LocalState, Registration};
use serde::{Deserialize, Serialize};

use crate::store::{DataDirError, Folder};

/// What one file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Check(Box<CheckRegistration>),
    Maintenance(Box<Maintenance>),
    Service(Box<Registration>),
}

/// That a service, or with an empty id the node, is in maintenance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Maintenance {
    pub(super) service_id: String,
    pub(super) reason: String,
}

/// Which thing a file is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    // Services first: checks and maintenance are about them.
    Service(String),
    Check(String),
    Maintenance(String),
}

/// The folder, and what is in it.
pub(super) struct Kept {
    folder: Folder,
    /// What is kept, each with the name of its file if that is not the one that we give.
    files: Mutex<BTreeMap<Subject, Option<Box<str>>>>,
}

impl Entry {
    /// What to call it in a log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Check(said) => &said.definition.name,
            Self::Maintenance(said) => &said.service_id,
            Self::Service(said) => &said.name,
        }
    }

    fn subject(&self) -> Subject {
        let or_name = |id: &str, name: &str| {
            let chosen = if id.is_empty() { name } else { id };
            chosen.to_owned()
        };
        match self {
            Self::Check(said) => {
                let said = &said.definition;
                Subject::Check(or_name(&said.check_id, &said.name))
            }
            Self::Maintenance(said) => Subject::Maintenance(said.service_id.clone()),
            Self::Service(said) => Subject::Service(or_name(&said.id, &said.name)),
        }
    }
}

impl Subject {
    /// A file name that no identifier can make longer or lead elsewhere.
    fn file(&self) -> String {
        let (kind, id) = match self {
            Self::Check(id) => ("check", id),
            Self::Maintenance(id) => ("maintenance", id),
            Self::Service(id) => ("service", id),
        };
        let hash = digest(&SHA256, id.as_bytes());
        let mut name = format!("{kind}-");
        for byte in hash.as_ref() {
            name.push_str(&format!("{byte:02x}"));
        }
        name.push_str(".json");
        name
    }

    /// The same, with nothing to say if it is the name that we give.
    fn unless_ours(&self, name: String) -> Option<Box<str>> {
        (name != self.file()).then(|| name.into())
    }

    fn is_in(&self, state: &LocalState) -> bool {
        match self {
            Self::Check(id) => state.check(id).is_some(),
            Self::Maintenance(id) => state.is_in_maintenance(id),
            Self::Service(id) => state.service(id).is_some(),
        }
    }
}

impl Kept {
    /// Reads what is there: services, then checks. A file that says nothing we know is left
    /// alone and said in the log: a newer version may have written it.
    pub(super) fn open(folder: Folder) -> Result<(Self, Vec<Entry>), DataDirError> {
        let mut entries = BTreeMap::new();
        for (file, contents) in folder.read_all()? {
            match serde_json::from_slice::<Entry>(&contents) {
                Ok(entry) => drop(entries.insert(entry.subject(), (file, entry))),
                Err(error) => tracing::warn!(file, %error, "a kept registration is unreadable"),
            }
        }
        let mut files = BTreeMap::new();
        let mut known = Vec::new();
        for (subject, (file, entry)) in entries {
            let file = subject.unless_ours(file);
            files.insert(subject, file);
            known.push(entry);
        }
        let files = Mutex::new(files);
        Ok((Self { folder, files }, known))
    }

    pub(super) async fn keep(&self, entry: Entry) -> Result<(), String> {
        let subject = entry.subject();
        let file = subject.file();
        let contents = serde_json::to_vec(&entry).map_err(|error| error.to_string())?;
        let folder = self.folder.clone();
        blocking(move || folder.write(&file, &contents)).await?;
        self.files().insert(subject, None);
        Ok(())
    }

    /// What is kept though the agent no longer looks after it.
    pub(super) fn gone(&self, state: &LocalState) -> Vec<Subject> {
        let files = self.files();
        let gone = files.iter().filter(|(subject, _)| !subject.is_in(state));
        gone.map(|(subject, _)| subject.clone()).collect()
    }

    pub(super) async fn forget(&self, gone: Vec<Subject>) -> Result<(), String> {
        if gone.is_empty() {
            return Ok(());
        }
        let folder = self.folder.clone();
        let files = gone
            .iter()
            .map(|subject| self.file_of(subject))
            .collect::<Vec<_>>();
        blocking(move || folder.remove(&files)).await?;
        let mut known = self.files();
        for subject in &gone {
            known.remove(subject);
        }
        Ok(())
    }

    fn file_of(&self, subject: &Subject) -> String {
        let files = self.files();
        let other = files.get(subject).and_then(Option::as_deref);
        other.map_or_else(|| subject.file(), str::to_owned)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<Subject, Option<Box<str>>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), DataDirError> + Send + 'static,
) -> Result<(), String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
