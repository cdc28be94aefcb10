//! The runtime of Chancery: configuration, store, server, agent, HTTP API, proxy and command line.
#![forbid(unsafe_code)]

mod proxy;

pub use proxy::{
    AgentApi, ApiError, Limits, Proxy, ProxyError, PublicSettings, Registration, Settings,
    SettingsError, SidecarError, UpstreamSettings, find_sidecar,
};
