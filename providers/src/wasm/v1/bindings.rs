//! What every plugin imports and exports, as generated from `plugins/wit`.

wasmtime::component::bindgen!({
    path: "../plugins/wit",
    world: "plugin",
    imports: {
        "chancery:ca/keys.generate": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "chancery:ca/keys.key": super::imports::Key },
});
