//! Reading intentions: all of them, one by its identifier, one by its names.

use std::sync::Arc;

use chancery_core::{Intention, IntentionId, IntentionSet, QualifiedName, Revision, Topic};
use tokio::time::Instant;

use super::matching::{folded, qualified};
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::http::filter::Wanted;
use crate::http::params::Options;
use crate::http::render::intention::IntentionBody;
use crate::http::render::shape;
use crate::http::request::Request;
use crate::server::View;

/// `GET /v1/connect/intentions`
pub(in crate::http::v1) async fn list(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)
        .map_err(ApiError::with_meta)?;
    let wanted = Wanted::of(&request.query, &shape::INTENTION).map_err(ApiError::with_meta)?;
    let waited = blocking::on_server(&api, &request, &options, &[Topic::Intentions]).await?;
    let rows = waited
        .view
        .state()
        .intentions()
        .sorted()
        .into_iter()
        .map(IntentionBody::from);
    Api::indexed(&request, &wanted.of_list(rows)?, waited.index)
}

/// `GET /v1/connect/intentions/:id`
pub(in crate::http::v1) async fn by_id(
    api: Arc<Api>,
    request: Request,
) -> Result<Answer, ApiError> {
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)?;
    let id = IntentionId::parse(&request.rest)?;
    one(&api, &request, &options, |set| set.by_id(id)).await
}

/// `GET /v1/connect/intentions/exact`
pub(in crate::http::v1) async fn exact(
    api: Arc<Api>,
    request: Request,
) -> Result<Answer, ApiError> {
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)?;
    let (source, destination) = pair(&request)?;
    one(&api, &request, &options, |set| {
        set.exact(source, destination)
    })
    .await
}

/// The two names of a query, as `exact` and `explain` need them.
pub(in crate::http::v1) fn pair(
    request: &Request,
) -> Result<(QualifiedName<'_>, QualifiedName<'_>), ApiError> {
    let source = super::matching::required(request, "source")?;
    let destination = super::matching::required(request, "destination")?;
    Ok((
        qualified("source", source)?,
        qualified("destination", destination)?,
    ))
}

/// Answers with one intention, after waiting for it to change if that was asked for. One that is
/// absent is not waited for. The index is that of all intentions, which is what a reader has from
/// a list, but only this intention's changes end the wait.
async fn one(
    api: &Api,
    request: &Request,
    options: &Options,
    find: impl Fn(&IntentionSet) -> Option<&Intention>,
) -> Result<Answer, ApiError> {
    let view = api.server().view();
    let found = find(view.state().intentions());
    let blocks =
        options.index > 0 && found.is_some_and(|found| found.modify_index() <= options.index);
    if !blocks {
        return answer_with(&view, request, found);
    }
    drop(view);
    let _slot = blocking::take_slot(api, request)?;
    let deadline = Instant::now() + blocking::server_wait(api, options);
    let view = tokio::select! {
        view = changed(api, options.index, deadline, &find) => view,
        () = api.shutdown.cancelled() => api.server().view(),
    };
    answer_with(&view, request, find(view.state().intentions()))
}

/// Waits until the intention is another than at `seen`, gone, or the time is over.
async fn changed(
    api: &Api,
    seen: u64,
    deadline: Instant,
    find: impl Fn(&IntentionSet) -> Option<&Intention>,
) -> Arc<View> {
    loop {
        let view = api.server().view();
        let found = find(view.state().intentions());
        let Some(same) = found.filter(|found| found.modify_index() <= seen) else {
            return view;
        };
        // It may move to another destination, which touches the old one as well.
        let topics = [Topic::IntentionDestination(
            folded(same.destination_name()).into(),
        )];
        let after = view.index(&topics);
        drop(view);
        let view = api.server().wait(&topics, after, deadline).await;
        if view.index(&topics) <= after {
            return view;
        }
    }
}

fn answer_with(
    view: &View,
    request: &Request,
    found: Option<&Intention>,
) -> Result<Answer, ApiError> {
    let found = found.ok_or_else(|| ApiError::not_found("Intention not found"))?;
    let index: Revision = view.index(&[Topic::Intentions]);
    Api::indexed(request, &IntentionBody::from(found), index)
}
