// The files of a new plugin, as `chancery plugin new` writes them: path and text.
//
// Whoever writes them puts the new plugin's own name in place of the example's, in texts alone:
// `local-ca`, `local_ca` and `LocalCa` in the Rust files, `local-ca-js` and `local-ca-python` in
// the others. What lies below `vendor/` and `wit/` stays as it is.

/// In Rust, with a copy of the crate `chancery-plugin`.
pub(crate) const RUST: &[(&str, &str)] = &[
    (".gitignore", include_str!("rust/gitignore")),
    ("Cargo.toml", include_str!("rust/Cargo.toml")),
    ("README.md", include_str!("rust/README.md")),
    (
        "src/lib.rs",
        include_str!("../examples/local-ca/src/lib.rs"),
    ),
    (
        "src/testdata/other.key",
        include_str!("../examples/local-ca/src/testdata/other.key"),
    ),
    (
        "src/testdata/own-root.key",
        include_str!("../examples/local-ca/src/testdata/own-root.key"),
    ),
    (
        "src/testdata/own-root.pem",
        include_str!("../examples/local-ca/src/testdata/own-root.pem"),
    ),
    (
        "src/tests.rs",
        include_str!("../examples/local-ca/src/tests.rs"),
    ),
    (
        "vendor/chancery-plugin/Cargo.toml",
        include_str!("rust/vendor.toml"),
    ),
    (
        "vendor/chancery-plugin/src/bindings.rs",
        include_str!("../sdk/src/bindings.rs"),
    ),
    (
        "vendor/chancery-plugin/src/ca.rs",
        include_str!("../sdk/src/ca.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/der.rs",
        include_str!("../sdk/src/certificate/der.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/extensions.rs",
        include_str!("../sdk/src/certificate/extensions.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/facts.rs",
        include_str!("../sdk/src/certificate/facts.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/issuer.rs",
        include_str!("../sdk/src/certificate/issuer.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/mod.rs",
        include_str!("../sdk/src/certificate/mod.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/pem.rs",
        include_str!("../sdk/src/certificate/pem.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/testdata/multi-name.pem",
        include_str!("../sdk/src/certificate/testdata/multi-name.pem"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/tests.rs",
        include_str!("../sdk/src/certificate/tests.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/time.rs",
        include_str!("../sdk/src/certificate/time.rs"),
    ),
    (
        "vendor/chancery-plugin/src/certificate/write.rs",
        include_str!("../sdk/src/certificate/write.rs"),
    ),
    (
        "vendor/chancery-plugin/src/clock.rs",
        include_str!("../sdk/src/clock.rs"),
    ),
    (
        "vendor/chancery-plugin/src/config.rs",
        include_str!("../sdk/src/config.rs"),
    ),
    (
        "vendor/chancery-plugin/src/description.rs",
        include_str!("../sdk/src/description.rs"),
    ),
    (
        "vendor/chancery-plugin/src/error.rs",
        include_str!("../sdk/src/error.rs"),
    ),
    (
        "vendor/chancery-plugin/src/finding.rs",
        include_str!("../sdk/src/finding.rs"),
    ),
    (
        "vendor/chancery-plugin/src/guest.rs",
        include_str!("../sdk/src/guest.rs"),
    ),
    (
        "vendor/chancery-plugin/src/host/imports.rs",
        include_str!("../sdk/src/host/imports.rs"),
    ),
    (
        "vendor/chancery-plugin/src/host/mod.rs",
        include_str!("../sdk/src/host/mod.rs"),
    ),
    (
        "vendor/chancery-plugin/src/http/mod.rs",
        include_str!("../sdk/src/http/mod.rs"),
    ),
    (
        "vendor/chancery-plugin/src/http/wasi.rs",
        include_str!("../sdk/src/http/wasi.rs"),
    ),
    (
        "vendor/chancery-plugin/src/key.rs",
        include_str!("../sdk/src/key.rs"),
    ),
    (
        "vendor/chancery-plugin/src/keys.rs",
        include_str!("../sdk/src/keys.rs"),
    ),
    (
        "vendor/chancery-plugin/src/lib.rs",
        include_str!("../sdk/src/lib.rs"),
    ),
    (
        "vendor/chancery-plugin/src/log.rs",
        include_str!("../sdk/src/log.rs"),
    ),
    (
        "vendor/chancery-plugin/src/request.rs",
        include_str!("../sdk/src/request.rs"),
    ),
    (
        "vendor/chancery-plugin/src/state.rs",
        include_str!("../sdk/src/state.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/held_key.rs",
        include_str!("../sdk/src/testing/held_key.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/host.rs",
        include_str!("../sdk/src/testing/host.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/imports.rs",
        include_str!("../sdk/src/testing/imports.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/mod.rs",
        include_str!("../sdk/src/testing/mod.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/options.rs",
        include_str!("../sdk/src/testing/options.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/requests.rs",
        include_str!("../sdk/src/testing/requests.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/table.rs",
        include_str!("../sdk/src/testing/table.rs"),
    ),
    (
        "vendor/chancery-plugin/src/testing/tests.rs",
        include_str!("../sdk/src/testing/tests.rs"),
    ),
    (
        "vendor/chancery-plugin/wit/findings.wit",
        include_str!("../wit/findings.wit"),
    ),
    (
        "vendor/chancery-plugin/wit/host.wit",
        include_str!("../wit/host.wit"),
    ),
    (
        "vendor/chancery-plugin/wit/provider.wit",
        include_str!("../wit/provider.wit"),
    ),
    (
        "vendor/chancery-plugin/wit/types.wit",
        include_str!("../wit/types.wit"),
    ),
    (
        "vendor/chancery-plugin/wit/world.wit",
        include_str!("../wit/world.wit"),
    ),
];

/// In JavaScript, for QuickJS.
pub(crate) const JS: &[(&str, &str)] = &[
    (
        ".gitignore",
        include_str!("../examples/local-ca-js/.gitignore"),
    ),
    ("README.md", include_str!("js/README.md")),
    (
        "package-lock.json",
        include_str!("../examples/local-ca-js/package-lock.json"),
    ),
    (
        "package.json",
        include_str!("../examples/local-ca-js/package.json"),
    ),
    (
        "src/ca.js",
        include_str!("../examples/local-ca-js/src/ca.js"),
    ),
    (
        "src/certificate.js",
        include_str!("../examples/local-ca-js/src/certificate.js"),
    ),
    (
        "src/sha256.js",
        include_str!("../examples/local-ca-js/src/sha256.js"),
    ),
    ("wit/findings.wit", include_str!("../wit/findings.wit")),
    ("wit/host.wit", include_str!("../wit/host.wit")),
    ("wit/provider.wit", include_str!("../wit/provider.wit")),
    ("wit/types.wit", include_str!("../wit/types.wit")),
    ("wit/world.wit", include_str!("../wit/world.wit")),
];

/// In Python.
pub(crate) const PYTHON: &[(&str, &str)] = &[
    (
        ".gitignore",
        include_str!("../examples/local-ca-python/.gitignore"),
    ),
    ("README.md", include_str!("python/README.md")),
    ("ca.py", include_str!("../examples/local-ca-python/ca.py")),
    (
        "certificate.py",
        include_str!("../examples/local-ca-python/certificate.py"),
    ),
    (
        "requirements.txt",
        include_str!("../examples/local-ca-python/requirements.txt"),
    ),
    ("wit/findings.wit", include_str!("../wit/findings.wit")),
    ("wit/host.wit", include_str!("../wit/host.wit")),
    ("wit/provider.wit", include_str!("../wit/provider.wit")),
    ("wit/types.wit", include_str!("../wit/types.wit")),
    ("wit/world.wit", include_str!("../wit/world.wit")),
];
