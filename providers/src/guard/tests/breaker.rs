use super::*;

/// A guard whose provider fails with each of `errors` in turn; none is worth a retry.
async fn failing(errors: Vec<ProviderError>) -> Guard<Scripted> {
    guarded(Scripted::failing(errors), Limits::NONE).await
}

async fn sign(guard: &Guard<Scripted>) -> Result<(), ProviderError> {
    guard.issue_leaf(&fixture::leaf_request()).await.map(drop)
}

fn calls(guard: &Guard<Scripted>) -> u32 {
    guard.provider.calls.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn after_five_failures_in_a_row_it_is_left_alone_and_then_tried_once() {
    let guard = failing(vec![ProviderError::broken("<html>"); 6]).await;
    for _ in 0..5 {
        let error = sign(&guard).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken);
    }
    let error = sign(&guard).await.unwrap_err();
    assert_eq!(calls(&guard), 5, "the sixth is not made");
    assert_eq!(error.call().unwrap().attempts, 0);
    let ErrorKind::Unavailable {
        retry_after: Some(first),
    } = error.kind()
    else {
        panic!("{error}");
    };
    assert!(first >= Duration::from_secs(1), "{first:?}");
    let text = error.to_string();
    let wanted = "CA provider \"consul\" has failed to sign leaf 5 times in a row since \
                  2026-11-24T13:40:12Z, the next try is at 2026-11-24T13:40:1";
    assert!(text.starts_with(wanted), "{text}");
    assert!(text.ends_with("; the last error was: <html>"), "{text}");
    // Another operation goes its own way.
    guard.clean_up(&everything()).await.unwrap_err();
    assert_eq!(calls(&guard), 6);

    tokio::time::sleep(first).await;
    sign(&guard).await.unwrap();
    sign(&guard).await.unwrap();
    assert_eq!(calls(&guard), 8);
}

#[tokio::test(start_paused = true)]
async fn the_pauses_grow_to_a_minute_or_so() {
    let guard = failing(vec![ProviderError::broken("x"); 40]).await;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        sign(&guard).await.unwrap_err();
    }
    for _ in 0..10 {
        let made = calls(&guard);
        sign(&guard).await.unwrap_err();
        assert_eq!(calls(&guard), made + 1, "one try");
        let error = sign(&guard).await.unwrap_err();
        assert_eq!(calls(&guard), made + 1, "and no other");
        let pause = error.kind().retry_after().unwrap();
        tokio::time::sleep(pause).await;
        pauses.push(pause.as_secs());
    }
    assert!(pauses[0] <= 2 && pauses[3] >= 8, "{pauses:?}");
    assert!(pauses[9] >= 60 && pauses[9] <= 121, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn any_sign_of_life_starts_the_count_anew() {
    let refused = || ProviderError::refused("no");
    let mut errors = vec![ProviderError::broken("x"); 4];
    errors.push(refused());
    errors.extend(vec![ProviderError::broken("x"); 4]);
    errors.push(refused());
    let guard = failing(errors).await;
    for _ in 0..10 {
        sign(&guard).await.unwrap_err();
    }
    sign(&guard).await.unwrap();
    assert_eq!(calls(&guard), 11);
}

#[tokio::test(start_paused = true)]
async fn the_operators_limit_is_no_sign_of_life() {
    let guard = failing(vec![ProviderError::broken("x"); 5]).await;
    guard.set_limits(Limits {
        per_second: 0.001,
        concurrent: 0,
    });
    sign(&guard).await.unwrap_err();
    for _ in 0..4 {
        let error = sign(&guard).await.unwrap_err();
        assert_eq!(error.to_string(), "Rate limit reached, try again later");
    }
    guard.set_limits(Limits::NONE);
    for _ in 0..4 {
        sign(&guard).await.unwrap_err();
    }
    let error = sign(&guard).await.unwrap_err();
    assert!(error.to_string().contains("5 times in a row"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_try_that_nobody_waits_for_any_more_leaves_room_for_the_next() {
    let provider = Scripted {
        slowness: Duration::from_secs(1),
        ..Scripted::failing(vec![ProviderError::broken("x"); 5])
    };
    let guard = guarded(provider, Limits::NONE).await;
    for _ in 0..5 {
        sign(&guard).await.unwrap_err();
    }
    let error = sign(&guard).await.unwrap_err();
    tokio::time::sleep(error.kind().retry_after().unwrap()).await;
    let patience = Duration::from_millis(10);
    let request = fixture::leaf_request();
    let mut tried = Box::pin(guard.issue_leaf(&request));
    tokio::time::timeout(patience, &mut tried)
        .await
        .unwrap_err();
    let error = sign(&guard).await.unwrap_err();
    assert!(
        error.to_string().contains("the next try is under way"),
        "{error}"
    );
    drop(tried);
    sign(&guard).await.unwrap();
}
