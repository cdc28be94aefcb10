//! Where a call goes on that is not done at once: a thread of the plugin's own.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{ErrorKind, ProviderError};

/// A thread of low priority with a runtime of its own, for one plugin. Ends when it is dropped,
/// with all that still runs there.
pub(super) struct Lane {
    handle: Handle,
    footing: Footing,
    _open: oneshot::Sender<()>,
}

/// Where a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// On the caller's thread, unless the plugin was slow of late.
    Here,
    /// On the plugin's own thread: such calls make keys or reach other machines.
    Apart,
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It took too long.
    TimedOut,
    /// The code around it panicked.
    Panicked,
}

impl Lane {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, ProviderError> {
        let failed = |error: std::io::Error| {
            ProviderError::new(
                ErrorKind::Unavailable { retry_after: None },
                format!("a thread for the plugin cannot be started: {error}"),
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (open, closed) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("plugin".into())
            .spawn(move || {
                step_back();
                // Nothing is ever sent: it ends when the lane is dropped.
                let _dropped = runtime.block_on(closed);
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            footing: Footing::default(),
            _open: open,
        })
    }

    /// Runs `call` to its end: polled once here, and if that was not enough, on the plugin's
    /// thread. Says also whether it was moved.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        begins: Begins,
        timeout: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> (Result<T, Cut>, bool) {
        let mut call: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(call);
        let tried = begins == Begins::Here && self.footing.begins_here();
        if tried {
            if let Poll::Ready(done) = self.poll_here(call.as_mut()) {
                self.footing.done_here();
                return (Ok(done), false);
            }
            self.footing.missed();
        }
        let done = self.go_on(timeout, call).await;
        if done.is_ok() && begins == Begins::Here && !tried {
            self.footing.done_apart();
        }
        (done, tried)
    }

    /// Runs what blocks on the plugin's thread.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Cut> {
        AbortOnDrop(self.handle.spawn(async move { work() }))
            .wait()
            .await
    }

    /// Whatever the call opens, such as a connection, belongs to the plugin's runtime from the
    /// start, and nobody here need be woken for it.
    fn poll_here<T>(&self, call: Pin<&mut (dyn Future<Output = T> + Send)>) -> Poll<T> {
        let _entered = self.handle.enter();
        call.poll(&mut Context::from_waker(Waker::noop()))
    }

    async fn go_on<T: Send + 'static>(
        &self,
        timeout: Duration,
        call: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<T, Cut> {
        let task = self
            .handle
            .spawn(async move { tokio::time::timeout(timeout, call).await });
        let done = AbortOnDrop(task).wait().await?;
        done.map_err(|_elapsed| Cut::TimedOut)
    }
}

/// Gives up precedence over everything else in this process, and not all of it over everything
/// else on the machine: see [`NICE`].
fn step_back() {
    // On Linux this is the calling thread's alone; elsewhere it would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a plugin's thread keeps its priority");
    }
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn wait(mut self) -> Result<T, Cut> {
        (&mut self.0).await.map_err(|_panicked| Cut::Panicked)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether a plugin's calls are worth a try on the caller's thread.
///
/// One that has twice not been done there begins on its own thread until it has made
/// [`AMENDS`] good calls. So many good calls also wipe out a single miss: a busy machine makes
/// anybody late once.
#[derive(Default)]
struct Footing {
    missed: AtomicU32,
    good: AtomicU32,
}

impl Footing {
    fn begins_here(&self) -> bool {
        self.missed.load(Ordering::Relaxed) < MISSES
    }

    fn missed(&self) {
        self.good.store(0, Ordering::Relaxed);
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    fn done_here(&self) {
        if self.missed.load(Ordering::Relaxed) > 0 {
            self.good();
        }
    }

    fn done_apart(&self) {
        self.good();
    }

    fn good(&self) {
        if self.good.fetch_add(1, Ordering::Relaxed) + 1 >= AMENDS {
            self.good.store(0, Ordering::Relaxed);
            self.missed.store(0, Ordering::Relaxed);
        }
    }
}

/// Of a processor that a program at ordinary priority wants as well it leaves a quarter: enough to
/// load and to set up within a call's time. At 19 it would be a seventieth, and loading a plugin
/// in 120 ms took 5 s beside two busy programs on two processors.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

const MISSES: u32 = 2;
const AMENDS: u32 = 100;

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Pending once, then done with the thread it was done on.
    async fn yields_once() -> thread::ThreadId {
        let mut polled = false;
        std::future::poll_fn(|cx| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        thread::current().id()
    }

    #[tokio::test]
    async fn what_is_done_at_once_never_leaves_the_thread() {
        let lane = Lane::start().unwrap();
        let here = thread::current().id();
        let done = lane
            .run(Begins::Here, LONG, async { thread::current().id() })
            .await;
        assert_eq!(done, (Ok(here), false));
    }

    #[tokio::test]
    async fn what_is_not_done_at_once_goes_on_elsewhere() {
        let lane = Lane::start().unwrap();
        let (done, moved) = lane.run(Begins::Here, LONG, yields_once()).await;
        assert_ne!(done.unwrap(), thread::current().id());
        assert!(moved);
    }

    #[tokio::test]
    async fn what_never_ends_is_cut_off_wherever_it_began() {
        let lane = Lane::start().unwrap();
        for begins in [Begins::Here, Begins::Apart] {
            let (done, _) = lane
                .run(begins, Duration::from_millis(20), pending::<()>())
                .await;
            assert_eq!(done, Err(Cut::TimedOut));
        }
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_ends() {
        struct Ends(Option<oneshot::Sender<()>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                let _nobody = self.0.take().unwrap().send(());
            }
        }
        let lane = Lane::start().unwrap();
        let (ends, ended) = oneshot::channel();
        let ends = Ends(Some(ends));
        let call = lane.run(Begins::Apart, LONG, async move {
            let _ends = ends;
            pending::<()>().await;
        });
        let waited = tokio::time::timeout(Duration::from_millis(20), call).await;
        assert!(waited.is_err());
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn after_two_misses_it_takes_a_hundred_good_calls_to_begin_here_again() {
        let lane = Lane::start().unwrap();
        let here = thread::current().id();
        let on = |begins| lane.run(begins, LONG, async { thread::current().id() });
        for _ in 0..2 {
            assert_eq!(on(Begins::Here).await.0, Ok(here));
            lane.run(Begins::Here, LONG, yields_once()).await.0.unwrap();
        }
        for good in 0..100 {
            assert_ne!(on(Begins::Here).await.0, Ok(here), "after {good}");
        }
        assert_eq!(on(Begins::Here).await.0, Ok(here));
    }

    #[tokio::test]
    async fn calls_that_begin_apart_anyway_make_no_amends() {
        let lane = Lane::start().unwrap();
        for _ in 0..2 {
            lane.run(Begins::Here, LONG, yields_once()).await.0.unwrap();
        }
        for _ in 0..100 {
            lane.run(Begins::Apart, LONG, ready(())).await.0.unwrap();
        }
        assert!(!lane.footing.begins_here());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_thread_is_nice_and_the_caller_is_not() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let lane = Lane::start().unwrap();
        assert_eq!(lane.run_blocking(nice).await, Ok(NICE));
        assert_eq!(nice(), before);
    }
}
