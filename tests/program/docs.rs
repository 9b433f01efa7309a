//! The man page, the completions and the README hold what the command line says. `scripts/make-docs` writes them.

use crate::common::{self, read, run};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    String::from_utf8(read(&path)).expect("UTF-8")
}

#[test]
fn the_man_page_is_that_of_the_program() {
    let man = run(["--man"], b"").text();
    assert!(
        man.contains("\n.TH inet-asm 1") || man.starts_with(".TH inet-asm 1"),
        "{man}"
    );
    assert!(man == file("man/inet-asm.1"), "run scripts/make-docs");
}

/// Names of counters and fields stay what they are; all else says byte.
#[test]
fn words_for_people_say_byte() {
    // Names of counters have a dot or a line in them, and those of fields stand in bold, or in the list of those of a direction.
    for page in ["man/inet-asm.1", "README.md", "docs/cookbook.md"] {
        for line in file(page).lines() {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
            let mut words = words.map(|word| word.trim_matches('.'));
            let named = line.contains(", octets, segments");
            assert!(
                named || !words.any(|word| matches!(word, "octet" | "octets")),
                "{page}: {line}"
            );
        }
    }
    assert!(!file("man/inet-asm.1").contains('`'));
    let trace = run(["-n", "--trace", "all", "testdata/http-lost.pcap"], b"").stderr;
    let told = run(["-n", "-vv", "testdata/http-lost.pcap"], b"").stderr;
    assert!(
        trace.contains("bytes") && !trace.contains("octet"),
        "{trace}"
    );
    assert!(told.contains("bytes") && !told.contains("octet"), "{told}");
}

#[test]
fn the_completions_are_those_of_the_program() {
    for (shell, name) in [
        ("bash", "inet-asm.bash"),
        ("zsh", "_inet-asm"),
        ("fish", "inet-asm.fish"),
    ] {
        let text = run(["--completions", shell], b"").text();
        assert!(text.contains("inet-asm"), "{shell}");
        assert!(
            text == file(&format!("man/completions/{name}")),
            "{name}: run scripts/make-docs"
        );
    }
}

#[test]
fn the_first_screen_of_help_fits() {
    let help = run(["-h"], b"").text();
    assert!(help.lines().count() <= 24, "{help}");
    assert!(file("README.md").contains(&format!("$ inet-asm -h\n{help}```\n")));
}

#[test]
fn the_commands_in_the_readme_print_what_stands_there() {
    assert!(commands_print_what_stands_in("README.md") >= 5);
}

#[test]
fn the_tasks_of_the_cookbook_print_what_stands_there() {
    assert!(commands_print_what_stands_in("docs/cookbook.md") >= 22);
}

/// Runs the commands in the console blocks of a page, and says how many there are.
fn commands_print_what_stands_in(page: &str) -> usize {
    let work = tempfile::tempdir().expect("tempdir");
    symlink(common::testdata(""), work.path().join("testdata")).expect("symlink");
    let bin = Path::new(env!("CARGO_BIN_EXE_inet-asm")).parent();
    let bin = bin.expect("a folder").to_str().expect("UTF-8");
    let path = format!("{bin}:{}", std::env::var("PATH").expect("PATH"));
    let text = file(page);
    let mut commands = 0;
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("an end");
        let mut examples: Vec<(&str, String)> = Vec::new();
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command, String::new())),
                (None, Some((_, expected))) => *expected += &format!("{line}\n"),
                (None, None) => panic!("no command: {line}"),
            }
        }
        for (command, expected) in examples {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", command])
                .current_dir(work.path())
                .env("PATH", &path)
                .env("LC_ALL", "C.UTF-8")
                .env("WIRESHARK_CONFIG_DIR", work.path().join("none"))
                .env_remove("COLUMNS");
            let printed = String::from_utf8(common::feed(&mut shell, &[]).stdout).expect("UTF-8");
            assert_eq!(
                printed, expected,
                "{page}: $ {command}: run scripts/make-docs"
            );
            commands += 1;
        }
    }
    commands
}

#[test]
fn every_long_option_is_in_the_help_and_the_man_page() {
    let (short, long, man) = (
        run(["-h"], b"").text(),
        run(["--help"], b"").text(),
        run(["--man"], b"").text(),
    );
    let options = |text: &str| -> Vec<String> {
        text.split(|c: char| c.is_whitespace() || ",[]=()`'\"".contains(c))
            .filter(|word| word.len() > 3 && word.starts_with("--"))
            .map(|word| {
                word.trim_end_matches(|c: char| !c.is_alphanumeric())
                    .to_owned()
            })
            .collect()
    };
    assert!(options(&short).len() >= 5, "{short}");
    assert!(options(&long).len() > options(&short).len(), "{long}");
    let plain = man.replace("\\-", "-");
    for option in options(&long) {
        assert!(plain.contains(&option), "{option} is not in the man page");
    }
}

#[test]
fn what_the_readme_names_is_there() {
    let readme = file("README.md");
    for name in [
        "scripts/show",
        "scripts/test",
        "testdata",
        "man/inet-asm.1",
        "CHANGELOG.md",
        "LICENSE",
    ] {
        assert!(readme.contains(name), "README.md does not name {name}");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(),
            "{name} is not there"
        );
    }
}
