//! The parameters that most endpoints understand, with Consul's rules, order and texts.

use std::time::Duration;

use chancery_core::GoDuration;
use http::header::{CACHE_CONTROL, HeaderMap};

use super::error::ApiError;
use super::query::Query;

/// How up to date an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// The leader confirms that it is the leader first.
    Consistent,
    /// As the leader knows it.
    #[default]
    Leader,
    /// As any server knows it.
    Stale,
}

impl Consistency {
    /// As `X-Consul-Effective-Consistency` says it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Consistent => "consistent",
            Self::Leader => "leader",
            Self::Stale => "stale",
        }
    }
}

/// What a reader asked for besides the thing itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The index that the reader has seen; 0 for none.
    pub(crate) index: u64,
    /// How long it would wait for a newer one; nothing if it does not say.
    pub(crate) wait: Option<Duration>,
    pub(crate) consistency: Consistency,
    /// Whether an answer from the agent's cache will do.
    pub(crate) cached: bool,
}

impl Options {
    /// Reads them in Consul's order, so that of several mistakes the same one is reported.
    ///
    /// # Errors
    /// Always 400.
    pub(crate) fn parse(query: &Query, headers: &HeaderMap) -> Result<Self, ApiError> {
        let (consistency, cached) = Self::consistency(query, headers)?;
        Ok(Self {
            wait: wait(query)?,
            index: index(query)?,
            consistency,
            cached,
        })
    }

    /// Reads how up to date the answer must be, and whether one from the agent's cache will do:
    /// all that is read where nothing can be waited for.
    ///
    /// # Errors
    /// Always 400.
    pub(crate) fn consistency(
        query: &Query,
        headers: &HeaderMap,
    ) -> Result<(Consistency, bool), ApiError> {
        let asked = consistency(query)?;
        cache_control(headers)?;
        Ok(asked)
    }
}

/// Refuses namespaces, which only Consul Enterprise has. Not every endpoint looks.
///
/// # Errors
/// 400, whatever the namespace is.
pub(crate) fn refuse_namespace(query: &Query, headers: &HeaderMap) -> Result<(), ApiError> {
    let what = if query.text("ns").is_some() {
        "Invalid query parameter: \"ns\""
    } else if headers
        .get("x-consul-namespace")
        .is_some_and(|value| !value.is_empty())
    {
        "Invalid header: \"X-Consul-Namespace\""
    } else {
        return Ok(());
    };
    Err(ApiError::bad_request(format_args!(
        "{what} - Namespaces are a Consul Enterprise feature"
    )))
}

/// Refuses a datacenter other than `own`.
///
/// # Errors
/// 500 in Consul's words.
pub(crate) fn require_datacenter(query: &Query, own: &str) -> Result<(), ApiError> {
    match query.text("dc") {
        Some(asked) if asked != own => Err(ApiError::no_path_to_datacenter()),
        _ => Ok(()),
    }
}

/// A boolean as Go's `strconv.ParseBool` reads it.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn consistency(query: &Query) -> Result<(Consistency, bool), ApiError> {
    let mut stale = query.has("stale");
    let consistent = query.has("consistent");
    let cached = query.has("cached");
    if let Some(limit) = query.text("max_stale") {
        match GoDuration::parse(limit) {
            Ok(_) => stale = true,
            Err(_) => {
                return Err(ApiError::plain_bad_request(format!(
                    "Invalid max_stale value {limit:?}"
                )));
            }
        }
    }
    let conflict = |with: &str| {
        ApiError::plain_bad_request(format!(
            "Cannot specify ?{with} with ?consistent, conflicting semantics."
        ))
    };
    match (stale, consistent, cached) {
        (true, true, _) => Err(conflict("stale")),
        (_, true, true) => Err(conflict("cached")),
        (_, true, false) => Ok((Consistency::Consistent, false)),
        (true, false, cached) => Ok((Consistency::Stale, cached)),
        (false, false, cached) => Ok((Consistency::Leader, cached)),
    }
}

/// The values are checked and then without effect: every answer comes from memory that is
/// kept up to date, as Consul's caches that refresh themselves.
fn cache_control(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(CACHE_CONTROL) else {
        return Ok(());
    };
    let invalid = || ApiError::plain_bad_request("Invalid Cache-Control header.");
    let text = value.to_str().map_err(|_unprintable| invalid())?;
    let seconds = text.to_ascii_lowercase();
    for directive in seconds.split(',').map(str::trim) {
        let limit = directive
            .strip_prefix("max-age=")
            .or_else(|| directive.strip_prefix("stale-if-error="));
        if limit.is_some_and(|limit| limit.parse::<u32>().is_err()) {
            return Err(invalid());
        }
    }
    Ok(())
}

fn wait(query: &Query) -> Result<Option<Duration>, ApiError> {
    let Some(text) = query.text("wait") else {
        return Ok(None);
    };
    match GoDuration::parse(text) {
        Ok(wait) => Ok(wait.positive()),
        Err(_) => Err(ApiError::plain_bad_request("Invalid wait time")),
    }
}

fn index(query: &Query) -> Result<u64, ApiError> {
    let text = query.text("index").unwrap_or("0");
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits_only)
        .ok_or_else(|| ApiError::plain_bad_request("Invalid index"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Options, String> {
        let query = Query::parse(query).unwrap();
        Options::parse(&query, &HeaderMap::new()).map_err(|error| error.text)
    }

    #[test]
    fn good_options_are_read() {
        let read = parse("index=18446744073709551615&wait=1m30s&stale&cached").unwrap();
        assert_eq!(read.index, u64::MAX);
        assert_eq!(read.wait, Some(Duration::from_secs(90)));
        assert_eq!((read.consistency, read.cached), (Consistency::Stale, true));
        assert_eq!(parse("wait=0s&index=").unwrap(), Options::default());
        assert_eq!(parse("wait=-5s").unwrap().wait, None);
        assert_eq!(
            parse("max_stale=10s").unwrap().consistency,
            Consistency::Stale
        );
        assert_eq!(parse("leader").unwrap().consistency, Consistency::Leader);
    }

    #[test]
    fn bad_ones_are_refused_in_consuls_words_and_order() {
        for (query, text) in [
            ("index=abc", "Invalid index"),
            ("index=-1", "Invalid index"),
            ("index=%2B1", "Invalid index"),
            ("index=18446744073709551616", "Invalid index"),
            ("wait=10", "Invalid wait time"),
            ("wait=banana&index=x", "Invalid wait time"),
            (
                "stale&consistent&wait=1",
                "Cannot specify ?stale with ?consistent, conflicting semantics.",
            ),
            (
                "cached&consistent",
                "Cannot specify ?cached with ?consistent, conflicting semantics.",
            ),
            ("max_stale=zzz", "Invalid max_stale value \"zzz\""),
        ] {
            assert_eq!(parse(query), Err(text.to_owned()), "{query}");
        }
    }

    #[test]
    fn cache_control_is_checked() {
        let check = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            cache_control(&headers)
        };
        for good in [
            "no-cache",
            "max-age=0, must-revalidate",
            "stale-if-error=60",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "max-age=abc",
            "max-age=",
            "no-cache, stale-if-error=x",
            "max-age=-1",
        ] {
            assert_eq!(
                check(bad).unwrap_err().text,
                "Invalid Cache-Control header."
            );
        }
    }

    #[test]
    fn namespaces_are_refused_wherever_they_stand() {
        let query = Query::parse("ns=default").unwrap();
        let error = refuse_namespace(&query, &HeaderMap::new()).unwrap_err();
        assert_eq!(
            error.text,
            "Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature"
        );
        let mut headers = HeaderMap::new();
        headers.insert("x-consul-namespace", "a".parse().unwrap());
        assert!(refuse_namespace(&Query::default(), &headers).is_err());
        assert_eq!(
            refuse_namespace(&Query::default(), &HeaderMap::new()),
            Ok(())
        );
    }
}
