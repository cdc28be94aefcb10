//! What a plugin says of itself.

use std::ops::{BitOr, BitOrAssign};

use crate::KeyType;

/// What a plugin is: the answer of [`Ca::describe`](crate::Ca::describe).
///
/// ```
/// use chancery_plugin::{Capabilities, Description, KeyType, OptionSpec};
///
/// let description = Description::new("acme", env!("CARGO_PKG_VERSION"), "Acme's own CA")
///     .can(Capabilities::CROSS_SIGN | Capabilities::CHOOSES_SERIALS)
///     .keys([KeyType::EcP256])
///     .option(OptionSpec::url("address", "where it answers").required())
///     .option(OptionSpec::duration("patience", "how long to wait for it").default_value("2s"));
/// assert_eq!(description.name(), "acme");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) about: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) keys: Vec<KeyType>,
    pub(crate) options: Vec<OptionSpec>,
}

impl Description {
    /// A plugin called `name` (lower case letters, digits and hyphens), of that version, and in
    /// one sentence what CA it is. It can do nothing yet besides giving a root and signing leafs,
    /// makes P-256 keys, and takes no options.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        about: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            about: about.into(),
            capabilities: Capabilities::NONE,
            keys: vec![KeyType::EcP256],
            options: Vec::new(),
        }
    }

    /// Adds what it can do.
    #[must_use]
    pub fn can(mut self, capabilities: Capabilities) -> Self {
        self.capabilities |= capabilities;
        self
    }

    /// The keys that it can make for a root or an intermediate, the preferred one first.
    #[must_use]
    pub fn keys(mut self, keys: impl Into<Vec<KeyType>>) -> Self {
        self.keys = keys.into();
        self
    }

    /// Adds an option. What is not among the options is refused by the host, by name.
    #[must_use]
    pub fn option(mut self, option: OptionSpec) -> Self {
        self.options.push(option);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it can do.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The options that it takes.
    #[must_use]
    pub fn options(&self) -> &[OptionSpec] {
        &self.options
    }
}

/// What a plugin can do besides giving a root and signing leafs. What is not claimed is never
/// called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Nothing more.
    pub const NONE: Self = Self(0);
    /// [`Ca::cross_sign`](crate::Ca::cross_sign): signs another CA's root under its own.
    pub const CROSS_SIGN: Self = Self(1);
    /// [`Ca::sign_intermediate`](crate::Ca::sign_intermediate): signs an intermediate for
    /// another's key.
    pub const SIGN_INTERMEDIATE: Self = Self(1 << 1);
    /// Leafs are signed by an intermediate under the root, so that
    /// [`Ca::intermediate`](crate::Ca::intermediate) is called before a leaf is signed.
    pub const OWN_INTERMEDIATE: Self = Self(1 << 2);
    /// [`Ca::intermediate`](crate::Ca::intermediate) answers with a CSR that another CA signs,
    /// and [`Ca::accept_intermediate`](crate::Ca::accept_intermediate) takes what was signed.
    pub const EXTERNAL_INTERMEDIATE: Self = Self(1 << 3);
    /// The root and its key may come from the operator: [`Config::root_cert`](crate::Config)
    /// holds the certificate, and `keys::open("PrivateKey")` gives the key.
    pub const IMPORT_ROOT: Self = Self(1 << 4);
    /// Serial numbers and common names are taken from the templates. A plugin without this puts
    /// random serials of at least 64 bits of its own.
    pub const CHOOSES_SERIALS: Self = Self(1 << 5);

    /// Whether all of `others` are among these.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// These without `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Capabilities {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// One option, so that the host can check it before the plugin sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    pub(crate) name: String,
    pub(crate) kind: OptionKind,
    pub(crate) required: bool,
    pub(crate) default: Option<String>,
    pub(crate) about: String,
}

/// What an option may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// Text.
    Text,
    /// Text that no log, error or answer of the API may show.
    Secret,
    /// A private key in PEM, which the host keeps as a key under the option's name.
    PrivateKey,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Truth,
    /// A length of time such as `72h`.
    Duration,
    /// Several texts.
    Texts,
    /// An `http` or `https` URL without user information and fragment.
    Url,
}

impl OptionSpec {
    /// An option of that kind that may be left out. `name` is in snake_case, `about` one
    /// sentence.
    pub fn new(kind: OptionKind, name: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            required: false,
            default: None,
            about: about.into(),
        }
    }

    /// [`OptionKind::Text`].
    pub fn text(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Text, name, about)
    }

    /// [`OptionKind::Secret`].
    pub fn secret(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Secret, name, about)
    }

    /// [`OptionKind::PrivateKey`].
    pub fn private_key(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::PrivateKey, name, about)
    }

    /// [`OptionKind::Number`].
    pub fn number(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Number, name, about)
    }

    /// [`OptionKind::Truth`].
    pub fn truth(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Truth, name, about)
    }

    /// [`OptionKind::Duration`].
    pub fn duration(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Duration, name, about)
    }

    /// [`OptionKind::Texts`].
    pub fn texts(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Texts, name, about)
    }

    /// [`OptionKind::Url`].
    pub fn url(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self::new(OptionKind::Url, name, about)
    }

    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// What counts if it is not given, as it would be written in the configuration.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
