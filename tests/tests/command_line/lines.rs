//! The command lines, in the order in which they are run.

use std::fs;
use std::path::Path;

/// What must hold between the two programs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// All that a script can see.
    Same,
    /// Exit code and streams: the words are for people.
    Shape,
    /// The same but for the order of the paragraphs, which Consul shuffles.
    Shuffled,
    /// A difference on purpose, and its reason.
    Differs(&'static str),
}

impl Expect {
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Differs(reason) => Some(reason),
            Self::Same | Self::Shape | Self::Shuffled => None,
        }
    }
}

/// One command line; words of the form `CONSUL_…=…` are environment.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) line: &'static str,
    pub(crate) expect: Expect,
}

const fn same(line: &'static str) -> Case {
    let expect = Expect::Same;
    Case { line, expect }
}

const fn shape(line: &'static str) -> Case {
    let expect = Expect::Shape;
    Case { line, expect }
}

const fn shuffled(line: &'static str) -> Case {
    let expect = Expect::Shuffled;
    Case { line, expect }
}

const fn differs(line: &'static str, reason: &'static str) -> Case {
    let expect = Expect::Differs(reason);
    Case { line, expect }
}

/// The files that the command lines name.
pub(crate) fn write_files(folder: &Path) {
    for (name, text) in [
        (
            "one.json",
            r#"{"SourceName":"f1","DestinationName":"f2","Action":"deny","Bogus":1}"#,
        ),
        ("half.json", r#"{"SourceName":"f1""#),
        (
            "ca.json",
            r#"{"Provider":"consul","Config":{"LeafCertTTL":"48h"}}"#,
        ),
        ("ca-half.json", r#"{"Provider":"#),
        (
            "two.hcl",
            "services { name = \"cache\" id = \"cache1\" port = 6379 }\n\
             services { name = \"cache\" id = \"cache2\" port = 6380 tags = [\"b\", \"a\"] }\n",
        ),
        (
            "sidecar.hcl",
            "service { name = \"api\" port = 9 connect { sidecar_service { } } }",
        ),
        (
            "good.hcl",
            "data_dir = \"/tmp/nowhere\"\nserver = true\nbootstrap = true\n",
        ),
        ("bad.hcl", "data_dir = \"/tmp/nowhere\"\nnonsense = 1\n"),
        ("empty.token", ""),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

const ALL_MISTAKES: &str = "ours names the file and line of each mistake, with a suggestion";
const ANYWHERE: &str = "a flag after an argument is a flag, not a third argument that is wrong";
const DELETING: &str = "what fails is the deletion, and the error says so";
const EXTRA: &str = "an argument that means nothing is refused instead of passed over";
const FILES: &str = "nothing was done, which is worth a word and an exit code";
const ITSELF: &str = "each program tells its own version";
const KINDS: &str = "a kind that no agent knows is refused before it is sent";
const NO_NAME: &str = "what cannot be a name is refused and not looked for";
const ONCE: &str = "a node with two instances of the service is one node";
const PORTS: &str = "a port above 65535 is refused before it is sent";
const REGEX: &str = "the words of another parser of regular expressions";
const REPLACED: &str = "Consul's command prints nothing after it has replaced an intention";
const TOKEN: &str = "the agent is not always Consul's";
const UNUSED: &str = "Consul's command reads the files and passes over the flag";
const UNKNOWN_FILE: &str = "a file that is not there is told in one sentence";

/// All of them. Later ones see what earlier ones did.
pub(crate) const LINES: &[Case] = &[
    // No command, and help.
    shape(""),
    shape("nonsense"),
    shape("-nonsense"),
    shape("-h"),
    shape("--help"),
    shape("intention"),
    shape("intention nonsense"),
    shape("intention -h"),
    shape("intention create -h"),
    shape("intention check -help"),
    shape("catalog"),
    shape("catalog nodes -h"),
    shape("services"),
    shape("connect"),
    shape("connect ca"),
    shape("connect ca set-config -h"),
    shape("connect proxy -h"),
    shape("members -h"),
    shape("info -h"),
    shape("maint -h"),
    shape("reload -h"),
    shape("validate -h"),
    differs("version", ITSELF),
    differs("-v", ITSELF),
    // Intentions.
    same("intention create web db"),
    same("intention create web db"),
    same("intention create -deny api db"),
    same("intention create --deny * db"),
    same("intention create -allow=true -meta k=v -meta a=b=c cli db"),
    same("intention create -allow -deny a b"),
    same("intention create -allow=maybe a b"),
    same("intention create web"),
    same("intention create a/b/c db"),
    same("intention create a a/b/c"),
    same("intention create -meta nokv a b"),
    same("intention create -meta"),
    same("intention create -zzz a b"),
    same("intention create we*b db"),
    same("intention create -file one.json"),
    same("intention create -file missing.json"),
    differs("intention create -file half.json", UNKNOWN_FILE),
    differs("intention create -file", FILES),
    differs("intention create late db -deny", ANYWHERE),
    differs("intention delete late db", ANYWHERE),
    differs("intention create -replace -deny web db", REPLACED),
    same("intention create -replace fresh db"),
    same("intention check web db"),
    same("intention check cli db"),
    same("intention check other db"),
    same("intention check web nowhere"),
    same("intention check web"),
    same("intention check -zzz"),
    same("intention check a b c"),
    same("intention match db"),
    same("intention match -destination db"),
    same("intention match -source web"),
    same("intention match -source=false db"),
    same("intention match nothing"),
    same("intention match"),
    same("intention match a b"),
    same("intention match -source -destination db"),
    same("intention match -zzz"),
    same("intention get web db"),
    same("intention get cli db"),
    same("intention get no db"),
    same("intention get nonsense"),
    same("intention get"),
    same("intention get a b c"),
    differs("intention get a/b/c d", NO_NAME),
    same("intention delete web db"),
    same("intention delete web db"),
    same("intention delete"),
    differs("intention delete nonsense", DELETING),
    same("intention match -datacenter dc1 db"),
    same("intention match -stale db"),
    // The CA.
    same("connect ca get-config"),
    same("connect ca get-config -zzz"),
    same("connect ca set-config"),
    same("connect ca set-config -config-file none.json"),
    same("connect ca set-config -config-file ca-half.json"),
    same("connect ca set-config -config-file ca.json"),
    same("connect ca get-config"),
    // Services.
    same("services register"),
    same("services register -name web -port 80"),
    same("services register -name web -id web2 -port 81 -tag b -tag a -meta k=v"),
    same("services register two.hcl"),
    same("services register sidecar.hcl"),
    same("services register -id x"),
    same("services register -name x two.hcl"),
    differs("services register -id x two.hcl", UNUSED),
    same("services register -name"),
    same("services register -name x -meta kk"),
    same("services register -name x -tagged-address lan=bad"),
    same("services register -zzz"),
    differs("services register missing.hcl", UNKNOWN_FILE),
    differs("services register -name x -port 70000", PORTS),
    differs("services register -name x -kind bogus", KINDS),
    same("services deregister -id x"),
    // The catalog.
    same("catalog datacenters"),
    same("catalog datacenters -zzz"),
    same("catalog services"),
    same("catalog services -tags"),
    same("catalog services -node nowhere"),
    same("catalog services -node-meta a=b"),
    same("catalog services -node-meta nokv"),
    same("catalog nodes"),
    same("catalog nodes -detailed"),
    same("catalog nodes -service none"),
    same("catalog nodes -service cache -detailed=false -node-meta a=b"),
    same("catalog nodes -near _agent"),
    differs("catalog nodes -service cache", ONCE),
    differs("catalog datacenters extra", EXTRA),
    // The agent.
    same("members"),
    same("members -status alive"),
    same("members -status zz"),
    same("members -wan -status zz"),
    differs("members -status (", REGEX),
    differs("members extra", EXTRA),
    shape("info"),
    shuffled("maint"),
    same("maint -enable -disable"),
    same("maint -reason x"),
    same("maint -service web"),
    same("maint -enable -service nothing"),
    same("maint -enable -service web -reason because"),
    same("maint -enable -reason tests"),
    shuffled("maint"),
    same("maint -disable -service web"),
    same("maint -disable"),
    shuffled("maint"),
    same("reload"),
    same("services deregister"),
    same("services deregister -id web"),
    same("services deregister two.hcl"),
    same("services deregister -id web2 two.hcl"),
    same("validate"),
    shape("validate -quiet good.hcl"),
    differs("validate bad.hcl", ALL_MISTAKES),
    differs("validate missing.hcl", ALL_MISTAKES),
    // How the agent is reached.
    same("CONSUL_HTTP_ADDR=127.0.0.1:1 catalog datacenters"),
    same("CONSUL_HTTP_ADDR=127.0.0.1:1 intention check a b"),
    same("CONSUL_HTTP_TOKEN=unused catalog datacenters"),
    same("catalog datacenters -token unused"),
    same("catalog datacenters -token-file empty.token"),
    same("catalog datacenters -datacenter dc1"),
    differs("intention match -token-file missing db", TOKEN),
];
