//! Runs `testdata/precedence.txt`.

use super::*;

const TABLE: &str = include_str!("../testdata/precedence.txt");

#[test]
fn the_table_of_precedence_holds() {
    for block in TABLE.split("\n## ").skip(1) {
        let (title, body) = block.split_once('\n').unwrap();
        let mut set = empty();
        let mut printed: Vec<String> = Vec::new();
        for line in body.lines().filter(|line| !line.starts_with("  ")) {
            printed.push(line.to_owned());
            printed.extend(run(&mut set, line).into_iter().map(|it| format!("  {it}")));
        }
        assert_eq!(
            printed.join("\n").trim_end(),
            body.trim_end(),
            "in block: {title}"
        );
    }
}

fn run(set: &mut IntentionSet, line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        [] | [""] => Vec::new(),
        [action @ ("allow" | "deny"), source, "=>", destination] => {
            let number = u32::try_from(set.len()).unwrap();
            create(set, number, source, destination, action);
            Vec::new()
        }
        ["delete", source, "=>", destination] => {
            let found = set.exact(parse(source), parse(destination)).unwrap().key();
            assert!(set.delete(&found).is_some());
            Vec::new()
        }
        ["decide", source, destination] => {
            let decision = set.decide_resolved(
                set.resolve_qualified(parse(source)),
                set.resolve_qualified(parse(destination)),
                DefaultPolicy::Deny,
            );
            let text = match decision.winner() {
                Some(it) => format!("{} {}", it.action().as_str(), it.precedence()),
                None => "default".into(),
            };
            vec![text]
        }
        ["match", by, name] => {
            let by = match by {
                "source" => By::Source,
                _ => By::Destination,
            };
            numbered(&set.matching(by, parse(name)))
        }
        ["list"] => numbered(&set.sorted()),
        _ => panic!("no such command: {line}"),
    }
}

fn parse(name: &str) -> QualifiedName<'_> {
    QualifiedName::parse(name).unwrap()
}

fn numbered(rows: &[&Intention]) -> Vec<String> {
    let lines = texts(rows).into_iter().zip(rows);
    lines
        .map(|(text, row)| format!("{} {text}", row.precedence()))
        .collect()
}
