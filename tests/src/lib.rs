//! What the scenarios share: processes, ports, deadlines and the real peers.
#![forbid(unsafe_code)]

mod agent;
mod apart;
mod canary;
mod differential;
mod exchange;
mod guests;
mod harness;
pub mod hostile;
mod load;
mod mesh;
mod pages;
mod peers;
mod rotation;
pub mod simulation;
mod vault;

pub use agent::{AgentClient, AgentHome, ApiAnswer, RunningAgent};
pub use apart::{Apart, Places};
pub use canary::Canary;
pub use differential::{Case, Cases, Step, play};
pub use exchange::{
    Audit, COMPARED_HEADERS, Differences, Ledger, Meant, Reply, WireRequest, masked,
};
pub use guests::{guest, hostile_guest, js_guest, python_guest};
pub use harness::{
    BinaryError, Process, ProcessError, chancery_binary, eventually, free_port, free_ports,
    profile, target_directory,
};
pub use load::{
    Backend, Ceiling, Getter, Goals, Opened, Pair, PairError, RoundTrips, Tally, Traffic,
    allow_all_cores, call_through, cpu_time, hold_connections, keep_to_core, median,
    open_connections, percentile, private, resident, round_trips, throughput,
};
pub use mesh::{
    App, Credentials, CredentialsError, MeshError, ProxyKind, Service, Sidecar,
    anonymous_connector, connect_tls,
};
pub use pages::{Page, Ran, Terminal, TerminalError};
pub use peers::{
    Agent, AgentError, AgentKind, EnvoyError, EnvoyPair, Fault, FaultyProxy, FrontError, Moto,
    MotoError, OpenBao, OpenBaoError, PeerError, TlsFront, consul_binary, envoy_binary, npm_consul,
    openbao_binary, openbao_role, py_consul, vault_folder,
};
pub use rotation::{
    Ca, CaRoots, HeldPeer, HeldServer, Issued, KillMoments, OperatorCa, RotationError, Sent,
    killed_while_changing,
};
pub use vault::{
    TRUST_DOMAIN, configured_vault, cross_sign_request, guard_settings, intermediate_request,
    issuers_of, leaf_request, now, option_map, root_request, vault_configuration,
};
