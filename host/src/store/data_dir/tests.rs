use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use super::*;

/// A place for a data directory, and one beside it for what must stay untouched.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("precious"), "precious").unwrap();
        Self { root }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn precious(&self) -> PathBuf {
        self.root.path().join("precious")
    }

    /// The data directory, made as ours is.
    fn made(&self) -> PathBuf {
        DirBuilder::new().mode(0o700).create(self.data()).unwrap();
        self.data()
    }

    /// A file of ours in it, made as ours are.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.made().join(name);
        fs::write(&path, "x").unwrap();
        set_mode(&path, 0o600);
        path
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn make_fifo(path: &Path) {
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
}

type SetUp = (&'static str, fn(&Place), &'static str);

/// What stands there, how it comes to be, and the end of the one refusal it gets.
const SET_UPS: &[SetUp] = &[
    (
        "a directory that its group may enter",
        |place| set_mode(&place.made(), 0o710),
        "data has mode 0710, at most 0700 is allowed: run chmod 700 on it",
    ),
    (
        "a directory that others may read",
        |place| set_mode(&place.made(), 0o704),
        "data has mode 0704, at most 0700 is allowed: run chmod 700 on it",
    ),
    (
        "a link to a directory",
        |place| {
            let elsewhere = place.root.path().join("elsewhere");
            DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
            symlink(elsewhere, place.data()).unwrap();
        },
        "data is a symbolic link, only a directory is allowed",
    ),
    (
        "a link to nothing",
        |place| symlink("nothing", place.data()).unwrap(),
        "data is a symbolic link, only a directory is allowed",
    ),
    (
        "a file as directory",
        |place| fs::write(place.data(), "").unwrap(),
        "data is a file, only a directory is allowed",
    ),
    (
        "a store that is a link",
        |place| symlink(place.precious(), place.made().join(STORE_FILE)).unwrap(),
        "chancery.redb is a symbolic link, only a file is allowed",
    ),
    (
        "a store that is a pipe",
        |place| make_fifo(&place.made().join(STORE_FILE)),
        "chancery.redb is a named pipe, only a file is allowed",
    ),
    (
        "a store with a second name",
        |place| {
            let store = place.file(STORE_FILE);
            fs::hard_link(store, place.root.path().join("second")).unwrap();
        },
        "chancery.redb has 2 names (hard links), only 1 is allowed",
    ),
    (
        "a store that its group may read",
        |place| set_mode(&place.file(STORE_FILE), 0o640),
        "chancery.redb has mode 0640, at most 0600 is allowed: run chmod 600 on it",
    ),
    (
        "a key that is a link to nothing",
        |place| symlink("nothing", place.made().join(KEY_FILE)).unwrap(),
        "seal.key is a symbolic link, only a file is allowed",
    ),
    (
        "a key that others may write",
        |place| set_mode(&place.file(KEY_FILE), 0o602),
        "seal.key has mode 0602, at most 0600 is allowed: run chmod 600 on it",
    ),
    (
        "a lock that is a link",
        |place| symlink(place.precious(), place.made().join(LOCK_FILE)).unwrap(),
        "agent.lock is a symbolic link, only a file is allowed",
    ),
    (
        "a lock that is a directory",
        |place| fs::create_dir(place.made().join(LOCK_FILE)).unwrap(),
        "agent.lock is a directory, only a file is allowed",
    ),
    (
        "a lock that is a pipe",
        |place| make_fifo(&place.made().join(LOCK_FILE)),
        "agent.lock is a named pipe, only a file is allowed",
    ),
    (
        "an unfinished store that is a link",
        |place| symlink(place.precious(), place.made().join("chancery.redb.new")).unwrap(),
        "chancery.redb.new is a symbolic link, only a file is allowed",
    ),
    (
        "an unfinished key with a second name",
        |place| {
            let key = place.file("seal.key.new");
            fs::hard_link(key, place.root.path().join("second")).unwrap();
        },
        "seal.key.new has 2 names (hard links), only 1 is allowed",
    ),
];

#[test]
fn each_unsafe_set_up_gets_one_clear_refusal() {
    for (what, set_up, refusal) in SET_UPS {
        let place = Place::new();
        set_up(&place);
        let error = DataDir::open_or_create(&place.data())
            .expect_err(what)
            .to_string();
        assert!(error.ends_with(refusal), "{what}: {error}");
        assert_eq!(
            fs::read_to_string(place.precious()).unwrap(),
            "precious",
            "{what}"
        );
    }
}

#[test]
fn a_link_is_refused_also_with_a_slash_behind_it() {
    let place = Place::new();
    let elsewhere = place.root.path().join("elsewhere");
    DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
    symlink(elsewhere, place.data()).unwrap();
    let error = DataDir::open_or_create(&place.data().join("")).unwrap_err();
    assert!(matches!(error, DataDirError::WrongType { .. }), "{error}");
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    let own = rustix::process::geteuid().as_raw();
    if own != 0 {
        // Not root: root's own directory is somebody else's.
        let error = DataDir::open_or_create(Path::new("/")).unwrap_err();
        let expected = format!("/ belongs to user 0, not to user {own}, who runs the agent");
        assert_eq!(error.to_string(), expected);
        return;
    }
    let place = Place::new();
    let store = place.file(STORE_FILE);
    for path in [store, place.data()] {
        chown(&path, Some(65_534), None).unwrap();
        let error = DataDir::open_or_create(&place.data()).unwrap_err();
        let path = path.display();
        let expected = format!("{path} belongs to user 65534, not to user 0, who runs the agent");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_new_directory_is_for_its_owner_only() {
    let place = Place::new();
    let path = place.data().join("below");
    let directory = DataDir::open_or_create(&path).unwrap();
    for path in [directory.path(), &place.data()] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
    let lock = fs::metadata(path.join(LOCK_FILE)).unwrap();
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_agent_is_told_which_process_has_the_directory() {
    let place = Place::new();
    let first = DataDir::open_or_create(&place.data()).unwrap();
    let held = first.clone();
    drop(first);
    let error = DataDir::open_or_create(&place.data()).unwrap_err();
    let expected = format!(
        "{} is in use by another agent (process {}): every agent needs a data directory of its own",
        place.data().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(held);
    DataDir::open_or_create(&place.data()).unwrap();
}

#[test]
fn a_lock_file_left_by_a_dead_agent_does_not_bar() {
    let place = Place::new();
    fs::write(
        place.file(LOCK_FILE),
        "999999999 and more than a process id\n",
    )
    .unwrap();
    DataDir::open_or_create(&place.data()).unwrap();
    let expected = format!("{}\n", std::process::id());
    assert_eq!(
        fs::read_to_string(place.data().join(LOCK_FILE)).unwrap(),
        expected
    );
}

#[test]
fn a_file_that_was_not_filled_does_not_exist() {
    let place = Place::new();
    let directory = DataDir::open_or_create(&place.data()).unwrap();
    let fail = |mut file: File| {
        file.write_all(b"half").unwrap();
        Err(not_a_directory(Path::new("/")))
    };
    directory.create_file(KEY_FILE, fail).unwrap_err();
    assert!(!directory.contains(KEY_FILE).unwrap());
    // What is left of the attempt is not in the way of the next one.
    let fill = |mut file: File| {
        file.write_all(b"whole").unwrap();
        Ok::<_, DataDirError>(())
    };
    directory.create_file(KEY_FILE, fill).unwrap();
    assert_eq!(fs::read(place.data().join(KEY_FILE)).unwrap(), b"whole");
    assert!(!directory.contains("seal.key.new").unwrap());
}
