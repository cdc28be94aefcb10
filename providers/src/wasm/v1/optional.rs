//! What a plugin need not export, as generated from `plugins/wit`.

wasmtime::component::bindgen!({
    path: "../plugins/wit",
    inline: "
        package chancery:optional;
        world says-findings { export chancery:ca/findings@1.1.0; }
    ",
    world: "chancery:optional/says-findings",
    imports: { default: trappable },
    exports: { default: async },
    with: { "chancery:ca/types": super::bindings::chancery::ca::types },
});
