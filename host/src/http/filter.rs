//! `?filter=`: which entries of a list are wanted.

use chancery_core::{Expression, Filter, Shape};
use serde::Serialize;

use super::error::ApiError;
use super::query::Query;

/// What Consul says before the reason why a filter is refused.
const REFUSED: &str = "Failed to create boolean expression evaluator";

/// What a request wants of a list; without a filter all of it.
pub(crate) struct Wanted {
    filter: Option<Filter>,
}

impl Wanted {
    /// Reads the filter of a request for a list of entries of this shape.
    ///
    /// # Errors
    /// 500 as from Consul.
    pub(crate) fn of(query: &Query, shape: &Shape) -> Result<Self, ApiError> {
        let filter = match Self::expression(query)? {
            None => None,
            Some(expression) => Some(
                expression
                    .bind(shape)
                    .map_err(|error| ApiError::internal(format!("{REFUSED}: {error}")))?,
            ),
        };
        Ok(Self { filter })
    }

    /// As [`of`](Self::of), where Consul says only what is wrong if the filter can be read but makes
    /// no sense.
    ///
    /// # Errors
    /// 500 as from Consul.
    pub(crate) fn bare(query: &Query, shape: &Shape) -> Result<Self, ApiError> {
        let filter = match Self::expression(query)? {
            None => None,
            Some(expression) => Some(
                expression
                    .bind(shape)
                    .map_err(|error| ApiError::internal(error.to_string()))?,
            ),
        };
        Ok(Self { filter })
    }

    /// All entries, whatever the request says: for lists that Consul does not filter.
    pub(crate) const fn everything() -> Self {
        Self { filter: None }
    }

    /// The entries that are wanted, in their order.
    ///
    /// # Errors
    /// 400 if the filter's patterns take too long.
    pub(crate) fn of_list<T: Serialize>(
        mut self,
        entries: impl IntoIterator<Item = T>,
    ) -> Result<Vec<T>, ApiError> {
        let mut wanted = Vec::new();
        for entry in entries {
            if self.is(&entry)? {
                wanted.push(entry);
            }
        }
        Ok(wanted)
    }

    /// Whether an entry is wanted.
    ///
    /// # Errors
    /// 400 if the filter's patterns take too long.
    pub(crate) fn is<T: Serialize>(&mut self, entry: &T) -> Result<bool, ApiError> {
        let Some(filter) = &mut self.filter else {
            return Ok(true);
        };
        let entry =
            serde_json::to_value(entry).map_err(|error| ApiError::internal(error.to_string()))?;
        filter.matches(&entry).map_err(ApiError::bad_request)
    }

    fn expression(query: &Query) -> Result<Option<Expression>, ApiError> {
        match query.text("filter") {
            None => Ok(None),
            Some(text) => Expression::parse(text)
                .map(Some)
                .map_err(|error| ApiError::internal(format!("{REFUSED}: {error}"))),
        }
    }
}
