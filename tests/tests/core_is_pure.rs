//! The story: the core is built for a machine that has nothing (`wasm32-unknown-unknown`). The
//! module must import nothing, and must do its work there, which a hidden clock or source of
//! randomness would turn into a trap.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

#[test]
fn the_core_imports_nothing_and_runs_where_there_is_nothing() {
    let module = build();
    let bytes = std::fs::read(&module).unwrap();
    assert_eq!(imports(&bytes), 0, "the core imports something");
    assert_eq!(run(&module), "4");
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn build() -> PathBuf {
    let target_dir = workspace().join("target/guests");
    checked(Command::new("rustup").args(["target", "add", TARGET]));
    checked(
        Command::new(env!("CARGO"))
            .args(["build", "--package", "chancery-core-guest"])
            .args(["--target", TARGET, "--target-dir"])
            .arg(&target_dir)
            .current_dir(workspace()),
    );
    target_dir
        .join(TARGET)
        .join("debug/chancery_core_guest.wasm")
}

fn run(module: &Path) -> String {
    let script = "const m = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));
        console.log(new WebAssembly.Instance(m, {}).exports.run());";
    checked(Command::new("node").args(["-e", script]).arg(module))
}

fn checked(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} is needed by this test: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}

/// How many imports a module has (WebAssembly core specification, section 5.5.5: the import
/// section has id 2 and begins with their number).
fn imports(module: &[u8]) -> u32 {
    assert_eq!(&module[..8], b"\0asm\x01\0\0\0", "not a module");
    let mut rest = &module[8..];
    while let Some((id, body)) = rest.split_first() {
        let (size, body) = leb128(body);
        let (section, after) = body.split_at(size as usize);
        if *id == 2 {
            return leb128(section).0;
        }
        rest = after;
    }
    0
}

fn leb128(bytes: &[u8]) -> (u32, &[u8]) {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return (value, &bytes[place + 1..]);
        }
    }
    panic!("a number without end");
}
