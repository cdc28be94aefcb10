use super::*;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, call: &Call<'_>, what: std::fmt::Arguments<'_>) {
        let note = format!("{} {}: {what}", call.provider, call.operation);
        self.0.lock().unwrap().push(note);
    }
}

impl Observer for Notes {
    fn started(&self, call: &Call<'_>) {
        self.note(call, format_args!("started"));
    }

    fn finished(&self, call: &Call<'_>, ending: &Ending) {
        let millis = ending.duration.as_millis();
        match ending.rule {
            None => self.note(call, format_args!("{} in {millis}", ending.outcome)),
            Some(rule) => self.note(call, format_args!("{} by {rule}", ending.outcome)),
        }
    }

    fn paused(&self, call: &Call<'_>, _pause: Duration) {
        self.note(call, format_args!("paused"));
    }

    fn resumed(&self, call: &Call<'_>) {
        self.note(call, format_args!("resumed"));
    }
}

async fn observed(provider: Scripted, limits: Limits) -> (Guard<Scripted>, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let observer: Arc<dyn Observer> = Arc::<Notes>::clone(&notes);
    let guard = Guard::new(
        provider,
        GuardSettings {
            observer,
            ..settings(limits)
        },
    );
    let root = fixture::root_request(KeySpec::EcP256);
    guard.root(&root).await.unwrap();
    assert_eq!(
        notes.take(),
        ["consul root: started", "consul root: ok in 0"]
    );
    (guard, notes)
}

#[tokio::test(start_paused = true)]
async fn every_call_is_told_from_its_beginning_to_its_end() {
    let provider = Scripted {
        slowness: Duration::from_millis(30),
        ..Scripted::failing([ProviderError::refused("no")])
    };
    let (mut guard, notes) = observed(provider, Limits::NONE).await;
    let leaf = fixture::leaf_request();
    guard.issue_leaf(&leaf).await.unwrap_err();
    guard.sign_leaf(&leaf).await.unwrap();
    guard.clean_up(&everything()).await.unwrap();
    let configuration = ConfigureRequest {
        trust_domain: TrustDomain::parse(fixture::DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options: serde_json::Map::new(),
        secrets: SecretOptions::default(),
        state: None,
    };
    guard.configure(&configuration).await.unwrap();
    assert_eq!(
        notes.take(),
        [
            "consul sign leaf: started",
            "consul sign leaf: refused in 30",
            "consul sign leaf: started",
            "consul sign leaf: ok in 30",
            "consul clean up: started",
            "consul clean up: ok in 30",
            "consul configure: started",
            "consul configure: ok in 30",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_ends_too() {
    let provider = Scripted {
        slowness: Duration::from_secs(1),
        ..Scripted::default()
    };
    let (guard, notes) = observed(provider, Limits::NONE).await;
    let leaf = fixture::leaf_request();
    let patience = Duration::from_millis(200);
    let answer = tokio::time::timeout(patience, guard.issue_leaf(&leaf)).await;
    answer.unwrap_err();
    assert_eq!(
        notes.take(),
        [
            "consul sign leaf: started",
            "consul sign leaf: cancelled in 200"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_policy_is_told_by_its_rule_and_the_pause_after_it_too() {
    let provider = Scripted {
        forge: Some(|leaf| leaf.template.uri.push('2')),
        ..Scripted::default()
    };
    let (mut guard, notes) = observed(provider, Limits::NONE).await;
    let leaf = fixture::leaf_request();
    for _ in 0..6 {
        guard.issue_leaf(&leaf).await.unwrap_err();
    }
    let told = notes.take();
    let broken = "consul sign leaf: broken by wrong_identity";
    assert_eq!(told.iter().filter(|note| *note == broken).count(), 5);
    assert_eq!(
        told[told.len() - 4..],
        [
            "consul sign leaf: paused",
            broken,
            "consul sign leaf: started",
            "consul sign leaf: unavailable in 0",
        ]
    );
    guard.provider.forge = None;
    tokio::time::sleep(Duration::from_secs(3)).await;
    guard.issue_leaf(&leaf).await.unwrap();
    assert_eq!(
        notes.take(),
        [
            "consul sign leaf: started",
            "consul sign leaf: resumed",
            "consul sign leaf: ok in 0",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn rules_of_the_guard_have_names_as_well() {
    let (guard, notes) = observed(Scripted::default(), Limits::NONE).await;
    let other = BuiltIn::new()
        .root(&fixture::root_request(KeySpec::EcP256))
        .await
        .unwrap();
    guard.expect_issuers(&other.certificate, None).unwrap();
    let root = fixture::root_request(KeySpec::EcP256);
    guard.root(&root).await.unwrap_err();
    assert_eq!(
        notes.take().last().map(String::as_str),
        Some("consul root: broken by root_changed")
    );
}
