use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(10);

/// An agent that gives prepared answers, and blocks when it has none left.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<(u32, Cursor), ()>>>,
    asked: Mutex<Vec<Cursor>>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Result<(u32, Cursor), ()>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
        })
    }

    async fn answer(self: Arc<Self>, cursor: Cursor) -> Result<Answer<u32>, ClientError> {
        self.asked.lock().unwrap().push(cursor);
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some(Ok((value, cursor))) => Ok(Answer {
                value,
                cursor,
                default: None,
                bundle_max_age: None,
            }),
            Some(Err(())) => Err(ClientError::Status {
                status: http::StatusCode::INTERNAL_SERVER_ERROR,
                body: "no leader".to_owned(),
            }),
            None => std::future::pending().await,
        }
    }

    async fn wait_asked(&self, count: usize) -> Vec<Cursor> {
        let waited = timeout(SOON, async {
            while self.asked.lock().unwrap().len() < count {
                tokio::task::yield_now().await;
            }
        });
        waited.await.unwrap();
        self.asked.lock().unwrap().clone()
    }
}

fn start(script: &Arc<Script>) -> (Watched<u32>, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = watch::channel(None);
    let script = Arc::clone(script);
    let task = tokio::spawn(async move {
        follow("test", sender, |cursor| Arc::clone(&script).answer(cursor)).await;
    });
    (receiver, task)
}

fn value(watched: &Watched<u32>) -> Option<u32> {
    watched.borrow().as_ref().map(|snapshot| *snapshot.value)
}

#[tokio::test]
async fn each_answer_is_asked_on_from_and_published() {
    let script = Script::of([Ok((1, Cursor::Index(5))), Ok((2, Cursor::Index(9)))]);
    let (mut watched, _task) = start(&script);
    let asked = script.wait_asked(3).await;
    assert_eq!(asked, [Cursor::Start, Cursor::Index(5), Cursor::Index(9)]);
    assert_eq!(value(&watched), Some(2));
    assert!(watched.borrow_and_update().as_ref().unwrap().waitable);
}

#[tokio::test]
async fn an_index_that_goes_backwards_starts_anew() {
    let script = Script::of([Ok((1, Cursor::Index(5))), Ok((2, Cursor::Index(4)))]);
    let (watched, _task) = start(&script);
    let asked = script.wait_asked(3).await;
    assert_eq!(asked, [Cursor::Start, Cursor::Index(5), Cursor::Start]);
    assert_eq!(value(&watched), Some(2));
}

#[tokio::test]
async fn a_wait_without_a_change_renews_the_age_and_wakes_nobody() {
    let same = || Ok((1, Cursor::Index(5)));
    let script = Script::of([same(), same()]);
    let (mut watched, _task) = start(&script);
    timeout(SOON, watched.changed()).await.unwrap().unwrap();
    let first = watched.borrow_and_update().as_ref().unwrap().confirmed;
    script.wait_asked(3).await;
    assert!(!watched.has_changed().unwrap());
    assert!(watched.borrow().as_ref().unwrap().confirmed > first);
}

#[tokio::test]
async fn the_last_good_answer_outlives_errors() {
    let script = Script::of([
        Ok((1, Cursor::Index(5))),
        Err(()),
        Err(()),
        Ok((2, Cursor::Index(6))),
    ]);
    let (watched, _task) = start(&script);
    let asked = script.wait_asked(3).await;
    assert_eq!(asked.last(), Some(&Cursor::Start));
    assert_eq!(value(&watched), Some(1));
    script.wait_asked(5).await;
    assert_eq!(value(&watched), Some(2));
}

#[tokio::test]
async fn it_ends_when_nobody_reads_any_more() {
    let (watched, task) = start(&Script::of([]));
    drop(watched);
    timeout(SOON, task).await.unwrap().unwrap();
}
