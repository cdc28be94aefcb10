//! The embedded store: one redb file in the data directory, written by one thread.

mod database;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use redb::StorageBackend;
use redb::backends::FileBackend;
use tokio::sync::{mpsc, oneshot};

use self::database::Database;
use self::writer::{QUEUE, Request};
use super::data_dir::STORE_FILE;
use super::{DataDir, DataDirError, Group, Loaded, RowKind, Store, StoreError};

/// A store in `chancery.redb`, durable before a commit returns.
///
/// All work happens on one thread, which takes whatever is queued into one transaction, so that
/// concurrent commits share a sync. The queue is bounded: when it is full, commits wait.
#[derive(Debug)]
pub struct FileStore {
    /// `None` once the store is closed or being closed.
    writer: Mutex<Option<Writer>>,
    /// Kept so that the directory stays locked while the file is open.
    _directory: Option<DataDir>,
}

#[derive(Debug)]
struct Writer {
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
    finished: oneshot::Receiver<Result<(), StoreError>>,
}

impl FileStore {
    /// Opens the store in `directory`, or creates it, with the tables `kinds`, and takes it over.
    ///
    /// Blocks while every page is read and verified.
    ///
    /// # Errors
    /// When the file cannot be used, is not a store, is damaged, or was written by a newer
    /// version. It is then left as it is.
    pub fn open(directory: &DataDir, kinds: &'static [RowKind]) -> Result<Self, StoreError> {
        let path = directory.path().join(STORE_FILE);
        if !directory.contains(STORE_FILE)? {
            directory.create_file(STORE_FILE, |file| Database::create(file_backend(file)?))?;
        }
        let file = directory
            .open_file(STORE_FILE)?
            .ok_or_else(|| StoreError::Failed {
                cause: format!("{} disappeared", path.display()).into(),
            })?;
        let mut store = Self::over(file_backend(file)?, &path, kinds)?;
        store._directory = Some(directory.clone());
        Ok(store)
    }

    fn over(
        backend: impl StorageBackend,
        path: &Path,
        kinds: &'static [RowKind],
    ) -> Result<Self, StoreError> {
        let database = Database::open(backend, path, kinds)?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (finish, finished) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                // Nobody may be waiting, when the store is dropped without being closed.
                let _ = finish.send(writer::run(database, queue));
            })
            .map_err(|error| StoreError::Failed {
                cause: format!("its thread does not start: {error}").into(),
            })?;
        Ok(Self {
            writer: Mutex::new(Some(Writer {
                requests,
                thread,
                finished,
            })),
            _directory: None,
        })
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request + Send,
    ) -> Result<T, StoreError> {
        let requests = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|writer| writer.requests.clone())
            .ok_or(StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Stopped {
            cause: "its thread is gone".into(),
        };
        requests
            .send(request(answer))
            .await
            .map_err(|_unsent| gone())?;
        drop(requests);
        answered.await.map_err(|_unanswered| gone())?
    }

    fn take_writer(&self) -> Option<Writer> {
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[async_trait]
impl Store for FileStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.ask(Request::Load).await
    }

    async fn commit(&self, group: Group) -> Result<(), StoreError> {
        self.ask(|answer| Request::Commit(group, answer)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Some(writer) = self.take_writer() else {
            return Err(StoreError::Closed);
        };
        drop(writer.requests);
        let finished = writer.finished.await;
        let joined = writer.thread.join();
        match (finished, joined) {
            (Ok(result), Ok(())) => result,
            _ => Err(StoreError::Failed {
                cause: "its thread ended unexpectedly".into(),
            }),
        }
    }
}

impl Drop for FileStore {
    /// Waits for what is queued, so that the file is free when the store is gone.
    fn drop(&mut self) {
        if let Some(writer) = self.take_writer() {
            drop(writer.requests);
            // A panic of the thread was already reported to those who waited for it.
            let _ = writer.thread.join();
        }
    }
}

fn file_backend(file: std::fs::File) -> Result<FileBackend, StoreError> {
    FileBackend::new(file).map_err(|error| StoreError::Failed {
        cause: error.to_string().into(),
    })
}

impl From<DataDirError> for StoreError {
    fn from(error: DataDirError) -> Self {
        Self::DataDir(Arc::new(error))
    }
}

#[cfg(test)]
mod tests;
