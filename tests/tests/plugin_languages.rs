//! `chancery plugin new` in JavaScript and in Python: what it writes is built by the commands in
//! its own README and passes every check in the sandbox, as it is. Rust has a page of its own.

use chancery_tests::{Page, Terminal};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_in_javascript_works_by_the_commands_in_its_readme() {
    works("js").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_in_python_works_by_the_commands_in_its_readme() {
    works("python").await;
}

async fn works(language: &str) {
    let new = format!("chancery plugin new my-ca --lang {language}");
    let page = Page::read("plugins/docs/writing-a-ca-plugin.md").unwrap();
    assert!(page.text().contains(&format!("`{new}`")), "{new}");

    let mut terminal = Terminal::new().unwrap();
    let folder = terminal.folder().join("my-ca");
    let made = terminal.run(&new).await.unwrap();
    assert_eq!(made.code, 0, "{}", made.output);
    let readme = folder.join("README.md");
    assert!(made.output.contains("my-ca/README.md"), "{}", made.output);
    let readme = Page::read(&readme.to_string_lossy()).unwrap();
    terminal.run("cd my-ca").await.unwrap();
    let mut last = String::new();
    for command in readme.commands() {
        let ran = terminal.run(&command).await.unwrap();
        assert_eq!(ran.code, 0, "{command}: {}", ran.output);
        last = ran.output;
    }
    assert!(last.contains("checks, 0 failed"), "{last}");
    let shown = terminal.run("chancery plugin inspect my-ca.wasm").await;
    let shown = shown.unwrap().output;
    assert!(shown.contains("Name:          my-ca 0.1.0"), "{shown}");
}
