//! What a configured plugin works with.

use std::fmt;
use std::time::Duration;

use crate::{Certificate, ConfigureError, Key, keys};

/// What [`Ca::configure`](crate::Ca::configure) is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The trust domain that this CA serves.
    pub trust_domain: String,
    /// The datacenter it runs in.
    pub datacenter: String,
    /// The operator's root, with [`IMPORT_ROOT`](crate::Capabilities::IMPORT_ROOT), where one was
    /// given.
    pub root_cert: Option<Certificate>,
    /// The options.
    pub options: Options,
}

/// The given options and the defaults of the others, by name.
///
/// The host has checked them against the [`OptionSpec`](crate::OptionSpec)s: what was required is
/// there, and everything is of its kind.
#[derive(Clone, Default)]
pub struct Options(Vec<(String, OptionValue)>);

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionValue {
    /// Of a `Text`, `Secret` or `Url`.
    Text(String),
    /// Of a `PrivateKey`: the name under which [`keys::open`] finds it.
    Key(String),
    /// Of a `Number`.
    Number(i64),
    /// Of a `Truth`.
    Truth(bool),
    /// Of a `Duration`.
    Duration(Duration),
    /// Of `Texts`.
    Texts(Vec<String>),
}

impl Options {
    /// The value of the option `name` as a `String`, `i64`, `bool`, [`Duration`],
    /// `Vec<String>` or [`Key`]; as an `Option` of these if it may be missing.
    ///
    /// ```
    /// # use chancery_plugin::{ConfigureError, Options};
    /// # fn read(options: &Options) -> Result<(), ConfigureError> {
    /// let address: String = options.read("address")?;
    /// let role: Option<String> = options.read("role")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That option, if it is missing or of another kind.
    pub fn read<T: FromOption>(&self, name: &str) -> Result<T, ConfigureError> {
        let value = self.find(name);
        T::from_option(value).map_err(|wanted| {
            let problem = match value {
                None => format!("it is missing, must be {wanted}"),
                Some(value) => format!("it is {}, must be {wanted}", value.kind()),
            };
            ConfigureError::option(name, problem)
        })
    }

    /// The value of the option `name`, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&OptionValue> {
        let mut options = self.0.iter();
        options.find_map(|(known, value)| (known == name).then_some(value))
    }
}

impl OptionValue {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Key(_) => "a private key",
            Self::Number(_) => "a number",
            Self::Truth(_) => "true or false",
            Self::Duration(_) => "a duration",
            Self::Texts(_) => "several texts",
        }
    }
}

impl FromIterator<(String, OptionValue)> for Options {
    fn from_iter<I: IntoIterator<Item = (String, OptionValue)>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

/// Only the names: a value may be a secret.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// What [`Options::read`] can give.
pub trait FromOption: Sized {
    /// The value, or in words what it must be.
    ///
    /// # Errors
    /// What it must be, if it is not.
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str>;
}

impl<T: FromOption> FromOption for Option<T> {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        value.map(|value| T::from_option(Some(value))).transpose()
    }
}

impl FromOption for String {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Text(text)) => Ok(text.clone()),
            _ => Err("a text"),
        }
    }
}

impl FromOption for i64 {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Number(number)) => Ok(*number),
            _ => Err("a number"),
        }
    }
}

impl FromOption for bool {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Truth(truth)) => Ok(*truth),
            _ => Err("true or false"),
        }
    }
}

impl FromOption for Duration {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Duration(duration)) => Ok(*duration),
            _ => Err("a duration"),
        }
    }
}

impl FromOption for Vec<String> {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Texts(texts)) => Ok(texts.clone()),
            _ => Err("several texts"),
        }
    }
}

impl FromOption for Key {
    fn from_option(value: Option<&OptionValue>) -> Result<Self, &'static str> {
        match value {
            Some(OptionValue::Key(name)) => keys::open(name).ok_or("a key that the host holds"),
            _ => Err("a private key"),
        }
    }
}
