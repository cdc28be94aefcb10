//! The interface as wit-bindgen writes it from the WIT files. Nothing of this is part of the
//! SDK's own interface; the unsafe code that a component needs is all in here.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "wit",
    world: "plugin-with-findings",
    pub_export_macro: true,
    export_macro_name: "export_provider",
    default_bindings_module: "chancery_plugin::bindings",
});
