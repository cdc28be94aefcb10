//! One running proxy: it follows its settings and changes only what changed in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chancery_core::ServiceId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::ClientError;
use crate::proxy::agent_api::{AgentApi, AgentService, Answer, Cursor};
use crate::proxy::bundle_age::{Confirming, warn_of_age};
use crate::proxy::context::Context;
use crate::proxy::judge::{Judge, NoEntry, Rules, Verdict, fetch_rules};
use crate::proxy::public::{Inbound, PublicListener};
use crate::proxy::registry::Registry;
use crate::proxy::settings::{PublicSettings, Settings, SettingsError, UpstreamSettings};
use crate::proxy::tls::Material;
use crate::proxy::upstream::UpstreamListener;
use crate::proxy::watch::{Watched, follow};

/// How soon a listener that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(3);

/// How long a stopping proxy waits for its connections to be gone.
const STOPPING: Duration = Duration::from_secs(1);

/// Why a proxy cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The agent cannot be asked for what is needed at the start.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// An address cannot be listened on.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The registration cannot be followed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// A sidecar proxy that is ready to [`run`](Self::run).
#[derive(Debug)]
pub struct Proxy {
    agent: AgentApi,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Fixed(Settings),
    Registered(String),
}

impl Proxy {
    /// A proxy that does what its registration at the agent says, and follows its changes.
    #[must_use]
    pub fn registered(agent: AgentApi, proxy_id: &str) -> Self {
        Self {
            agent,
            source: Source::Registered(proxy_id.to_owned()),
        }
    }

    /// A proxy that does what `settings` say.
    #[must_use]
    pub const fn fixed(agent: AgentApi, settings: Settings) -> Self {
        Self {
            agent,
            source: Source::Fixed(settings),
        }
    }

    /// Runs until `stop` fires, then cuts all connections and returns.
    ///
    /// # Errors
    /// [`ProxyError`] when it cannot start. What goes wrong later is logged and tried again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ProxyError> {
        let mut tasks = JoinSet::new();
        let mut settings = self.follow_settings(&mut tasks).await?;
        loop {
            let first = settings.borrow_and_update().clone();
            let mut running = Running::start(&self.agent, &first);
            let next = running.keep(&mut settings, &stop).await;
            running.stop().await;
            match next? {
                Next::Stop => return Ok(()),
                Next::Restart => tracing::info!("the proxied service changed, starting anew"),
            }
        }
    }

    /// The first settings and a receiver of later ones.
    async fn follow_settings(
        &self,
        tasks: &mut JoinSet<()>,
    ) -> Result<watch::Receiver<Settings>, ProxyError> {
        let id = match &self.source {
            Source::Fixed(settings) => {
                let (sender, receiver) = watch::channel(settings.clone());
                // Held open, so that "no more changes" does not look like one.
                tasks.spawn(async move { sender.closed().await });
                return Ok(receiver);
            }
            Source::Registered(id) => id.clone(),
        };
        let service = self.agent.service(&id, &Cursor::Start).await?;
        let first = Settings::from_registration(&service.value)?;
        let (sender, receiver) = watch::channel(first);
        let (services, mut changed) = watch::channel(None);
        let agent = self.agent.clone();
        tasks.spawn(async move {
            let fetch = |cursor: Cursor| {
                let (agent, id) = (agent.clone(), id.clone());
                async move { agent.service(&id, &cursor).await }
            };
            follow("registration", services, fetch).await;
        });
        tasks.spawn(async move {
            while changed.changed().await.is_ok() {
                let snapshot = changed.borrow_and_update().clone();
                let Some(snapshot) = snapshot else { continue };
                update(&sender, &snapshot.value);
            }
        });
        Ok(receiver)
    }
}

fn update(sender: &watch::Sender<Settings>, service: &AgentService) {
    match Settings::from_registration(service) {
        Ok(new) => {
            sender.send_if_modified(|old| {
                let changed = *old != new;
                *old = new;
                changed
            });
        }
        Err(error) => tracing::error!("the registration is not followed: {error}"),
    }
}

enum Next {
    Restart,
    Stop,
}

/// The proxy of one service.
struct Running {
    service: String,
    context: Arc<Context>,
    judge: Arc<Judge>,
    registry: Registry,
    ready: watch::Receiver<bool>,
    public: Option<(PublicSettings, PublicListener)>,
    upstreams: BTreeMap<String, (UpstreamSettings, UpstreamListener)>,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(agent: &AgentApi, settings: &Settings) -> Self {
        let mut tasks = JoinSet::new();
        let service = settings.service.clone();
        let leaf = spawn(&mut tasks, "leaf certificate", agent, {
            let service = service.clone();
            move |agent: AgentApi, cursor| {
                let service = service.clone();
                async move { agent.leaf(&service, &cursor).await }
            }
        });
        let between = Arc::new(Confirming::default());
        let roots = spawn(
            &mut tasks,
            "roots",
            agent,
            move |agent: AgentApi, cursor| {
                let between = Arc::clone(&between);
                async move {
                    let answer = agent.roots(&cursor, between.wait()).await?;
                    between.follow(answer.bundle_max_age);
                    Ok(answer)
                }
            },
        );
        let from_list = Arc::new(AtomicBool::new(false));
        let intentions = spawn(&mut tasks, "intentions", agent, {
            let service = service.clone();
            move |agent: AgentApi, cursor| {
                let (service, from_list) = (service.clone(), Arc::clone(&from_list));
                async move { fetch_rules(&agent, &service, &from_list, cursor).await }
            }
        });
        let (material_sender, material) = watch::channel(None);
        let context = Arc::new(Context::new(
            agent.clone(),
            settings.limits.clone(),
            material,
            leaf,
            roots,
            intentions,
        ));
        tasks.spawn(warn_of_age(Arc::clone(&context)));
        let judge = Arc::new(Judge::new(&service));
        let registry = Registry::new(settings.limits.clone());
        let (ready_sender, ready) = watch::channel(false);
        tasks.spawn(keep_material(
            Arc::clone(&context),
            Arc::clone(&judge),
            material_sender,
        ));
        tasks.spawn(keep_rules(
            Arc::clone(&context),
            Arc::clone(&judge),
            registry.clone(),
            ready_sender,
        ));
        Self {
            service,
            context,
            judge,
            registry,
            ready,
            public: None,
            upstreams: BTreeMap::new(),
            tasks,
        }
    }

    /// Follows the settings until the proxy stops or stands for another service.
    async fn keep(
        &mut self,
        settings: &mut watch::Receiver<Settings>,
        stop: &CancellationToken,
    ) -> Result<Next, ProxyError> {
        let mut wanted = settings.borrow_and_update().clone();
        self.apply_upstreams(&wanted).await?;
        tokio::select! {
            () = self.wait_ready() => {}
            () = stop.cancelled() => return Ok(Next::Stop),
        }
        tracing::info!("Proxy loaded config and ready to serve");
        self.apply_public(&wanted).await?;
        let mut retry = None;
        loop {
            let retry_at = retry.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = stop.cancelled() => return Ok(Next::Stop),
                () = tokio::time::sleep_until(retry_at), if retry.is_some() => {}
                changed = settings.changed() => {
                    if changed.is_err() {
                        stop.cancelled().await;
                        return Ok(Next::Stop);
                    }
                    wanted = settings.borrow_and_update().clone();
                    if wanted.service != self.service {
                        return Ok(Next::Restart);
                    }
                    tracing::info!("the registration changed");
                }
            }
            self.context.set_limits(wanted.limits.clone());
            self.registry.limit(wanted.limits.clone());
            let results = [
                self.apply_upstreams(&wanted).await,
                self.apply_public(&wanted).await,
            ];
            retry = None;
            for error in results.into_iter().filter_map(Result::err) {
                tracing::error!("{error}, trying again in {} s", RETRY.as_secs());
                retry = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Waits for a certificate, roots and intentions.
    async fn wait_ready(&self) {
        let mut material = self.context.material.clone();
        let mut ready = self.ready.clone();
        drop(material.wait_for(Option::is_some).await);
        drop(ready.wait_for(|ready| *ready).await);
    }

    /// Opens, closes and changes upstream listeners; those that stay the same are not touched.
    async fn apply_upstreams(&mut self, wanted: &Settings) -> Result<(), ProxyError> {
        let gone: Vec<String> = self
            .upstreams
            .iter()
            .filter(|(bind, (settings, _))| wanted.upstreams.get(*bind) != Some(settings))
            .map(|(bind, _)| bind.clone())
            .collect();
        for bind in gone {
            if let Some((settings, listener)) = self.upstreams.remove(&bind) {
                listener.close().await;
                tracing::info!("upstream {:?} at {bind} is closed", settings.service);
            }
        }
        let mut result = Ok(());
        for (bind, settings) in &wanted.upstreams {
            if self.upstreams.contains_key(bind) {
                continue;
            }
            let context = Arc::clone(&self.context);
            match UpstreamListener::open(bind, settings.clone(), context).await {
                Ok(listener) => {
                    tracing::info!("upstream {:?} listens on {bind}", settings.service);
                    self.upstreams
                        .insert(bind.clone(), (settings.clone(), listener));
                }
                Err(source) => result = Err(listen(bind, source)),
            }
        }
        result
    }

    async fn apply_public(&mut self, wanted: &Settings) -> Result<(), ProxyError> {
        let Some(public) = &wanted.public else {
            if let Some((old, listener)) = self.public.take() {
                listener.close().await;
                tracing::info!("public listener at {} is closed", old.bind);
            }
            return Ok(());
        };
        if let Some((old, listener)) = &mut self.public
            && old.bind == public.bind
        {
            if old.local != public.local {
                listener.set_local(&public.local);
                tracing::info!("public listener now leads to {}", public.local);
            }
            *old = public.clone();
            return Ok(());
        }
        let inbound = Inbound::new(
            Arc::clone(&self.context),
            Arc::clone(&self.judge),
            self.registry.clone(),
            &public.local,
        );
        let opened = PublicListener::open(&public.bind, inbound).await;
        let listener = opened.map_err(|source| listen(&public.bind, source))?;
        tracing::info!(
            "public listener at {} leads to {}",
            public.bind,
            public.local
        );
        if let Some((_, old)) = self.public.replace((public.clone(), listener)) {
            old.close().await;
        }
        Ok(())
    }

    async fn stop(mut self) {
        self.context.stopping.cancel();
        self.registry.cut_all();
        let end = Instant::now() + STOPPING;
        while self.registry.open() > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.tasks.shutdown().await;
    }
}

fn listen(address: &str, source: io::Error) -> ProxyError {
    ProxyError::Listen {
        address: address.to_owned(),
        source,
    }
}

/// Follows one thing of the agent in a task of its own.
fn spawn<T, F>(
    tasks: &mut JoinSet<()>,
    what: &'static str,
    agent: &AgentApi,
    fetch: impl Fn(AgentApi, Cursor) -> F + Send + Sync + 'static,
) -> Watched<T>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<Answer<T>, ClientError>> + Send + 'static,
{
    let (sender, receiver) = watch::channel(None);
    let agent = agent.clone();
    tasks.spawn(async move {
        follow(what, sender, |cursor| fetch(agent.clone(), cursor)).await;
    });
    receiver
}

/// Makes handshake material of each new leaf or set of roots. What cannot be used never
/// replaces what can.
async fn keep_material(
    context: Arc<Context>,
    judge: Arc<Judge>,
    sender: watch::Sender<Option<Arc<Material>>>,
) {
    let mut leaf = context.leaf.clone();
    let mut roots = context.roots.clone();
    loop {
        let changed = tokio::select! {
            changed = leaf.changed() => changed,
            changed = roots.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        let pair = {
            let leaf = leaf.borrow_and_update();
            let roots = roots.borrow_and_update();
            leaf.clone().zip(roots.clone())
        };
        let Some((leaf, roots)) = pair else { continue };
        match Material::load(&leaf.value, &roots.value, Arc::clone(&judge)) {
            Ok(material) => {
                tracing::debug!("certificate of {} and roots are loaded", leaf.value.uri);
                sender.send_replace(Some(Arc::new(material)));
            }
            Err(error) => tracing::error!("the agent's certificates are not used: {error}"),
        }
    }
}

/// Publishes each new set of rules and cuts the connections that it forbids.
async fn keep_rules(
    context: Arc<Context>,
    judge: Arc<Judge>,
    registry: Registry,
    ready: watch::Sender<bool>,
) {
    let mut intentions = context.intentions.clone();
    let mut asking = JoinSet::new();
    while intentions.changed().await.is_ok() {
        let snapshot = intentions.borrow_and_update().clone();
        let Some(snapshot) = snapshot else { continue };
        match Rules::build(&snapshot.value, judge.service(), snapshot.default) {
            Ok(rules) => judge.publish(rules),
            Err(error) => {
                tracing::error!("the agent's intentions are not used, the last ones hold: {error}");
                continue;
            }
        }
        cut_denied(&registry, |id| match judge.verdict(id) {
            Verdict::Denied(reason) => Some(reason),
            Verdict::Allowed | Verdict::Ask => None,
        });
        ready.send_replace(true);
        asking.abort_all();
        asking.spawn(ask_again(
            Arc::clone(&context),
            Arc::clone(&judge),
            registry.clone(),
        ));
    }
}

/// Asks the agent about the living peers whose right the rules at hand leave open.
async fn ask_again(context: Arc<Context>, judge: Arc<Judge>, registry: Registry) {
    for peer in registry.peers() {
        if judge.verdict(&peer) != Verdict::Ask {
            continue;
        }
        let verdict = judge.decide(&context.agent, &peer, "").await;
        if let Err(NoEntry::Denied(reason)) = verdict {
            cut_denied(&registry, |id| (*id == peer).then(|| reason.clone()));
        }
    }
}

/// Cuts what may no longer be, and says whose it was and why.
fn cut_denied(registry: &Registry, denied: impl FnMut(&ServiceId) -> Option<String>) {
    for (peer, connections, reason) in registry.cut_denied(denied) {
        let noun = if connections == 1 {
            "connection"
        } else {
            "connections"
        };
        tracing::info!("cut {connections} {noun} of {peer}: {reason}");
    }
}
