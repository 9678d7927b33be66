//! Keeps the tree as its documents say it is: which crate may use which, how files begin and how
//! long they grow, what must not be left lying about, and that published schemas are current.
//!
//! It reads the tree, `cargo metadata` and `cargo tree`, nothing else: no network, and nothing is written unless
//! `CAIRN_UPDATE_SCHEMAS=1` asks for the schemas.

mod configuration_page;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

/// One crate and what it may use: the picture in `ARCHITECTURE.md`, as data.
struct Crate {
    name: &'static str,
    /// Where it stands from left to right. Crates of one column never see each other.
    column: u8,
    uses: Uses,
}

enum Uses {
    Only(&'static [&'static str]),
    AllToTheLeft,
}

/// A crate uses only crates to its left.
const CRATES: &[Crate] = &[
    Crate {
        name: "spec",
        column: 0,
        uses: Uses::Only(&[]),
    },
    Crate {
        name: "heap",
        column: 0,
        uses: Uses::Only(&[]),
    },
    // For tests alone: no crate uses these but from its own.
    Crate {
        name: "test-s3",
        column: 0,
        uses: Uses::Only(&[]),
    },
    Crate {
        name: "test-network",
        column: 0,
        uses: Uses::Only(&[]),
    },
    Crate {
        name: "test-kube",
        column: 0,
        uses: Uses::Only(&[]),
    },
    Crate {
        name: "oci",
        column: 1,
        uses: Uses::Only(&["spec"]),
    },
    Crate {
        name: "template",
        column: 1,
        uses: Uses::Only(&["spec"]),
    },
    Crate {
        name: "chart",
        column: 2,
        uses: Uses::Only(&["spec", "template"]),
    },
    Crate {
        name: "compiler",
        column: 3,
        uses: Uses::Only(&["spec", "template", "chart"]),
    },
    Crate {
        name: "registry",
        column: 3,
        uses: Uses::Only(&["spec", "oci"]),
    },
    Crate {
        name: "runner",
        column: 3,
        uses: Uses::Only(&["spec"]),
    },
    Crate {
        name: "hub",
        column: 3,
        uses: Uses::Only(&["spec", "oci"]),
    },
    Crate {
        name: "agent",
        column: 4,
        uses: Uses::Only(&["spec", "oci", "runner"]),
    },
    Crate {
        name: "console",
        column: 4,
        uses: Uses::Only(&["spec", "oci", "compiler", "hub"]),
    },
    Crate {
        name: "cli",
        column: 5,
        uses: Uses::AllToTheLeft,
    },
    Crate {
        name: "tests",
        column: 6,
        uses: Uses::AllToTheLeft,
    },
];

/// What a rule is not applied to: the rule, the start of the path, why.
const EXCEPTIONS: &[(Rule, &str, &str)] = &[];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Length,
    Opening,
    Words,
}

/// Describes every key of the registry's configuration.
const CONFIGURATION_PAGE: &str = "docs/registry-configuration.md";

/// Longer than this, a file does more than one thing.
const MAX_LINES: usize = 800;

/// What must not stay in the tree. Split, so that this file does not mention them.
const FORBIDDEN: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
];

const REQUIRED_FILES: &[&str] = &[
    ".ci/run",
    ".dockerignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "justfile",
    "rustfmt.toml",
    "tests/peers/install",
];

#[test]
fn crates_use_only_crates_to_their_left() -> Result<()> {
    let mut offenders = Vec::new();
    for package in packages()? {
        let name = crate_name(&package);
        let Some(rules) = CRATES.iter().find(|one| one.name == name) else {
            offenders.push(format!("{name}: not in the picture"));
            continue;
        };
        for dependency in list(&package, "dependencies") {
            if dependency["path"].is_null() {
                continue;
            }
            let dependency_name = crate_name(dependency);
            let is_dev = dependency["kind"] == "dev";
            if !may_use(rules, &dependency_name, is_dev) {
                let how = if is_dev { "its tests use" } else { "uses" };
                offenders.push(format!("{name} {how} {dependency_name}"));
            }
        }
    }
    report(
        &offenders,
        "a crate uses only crates to its left (ARCHITECTURE.md); move what both need to the left",
    );
    Ok(())
}

/// Tests of a crate may use all that stands to its left, the crate itself only what it lists.
fn may_use(rules: &Crate, dependency: &str, is_dev: bool) -> bool {
    let Some(dependency) = CRATES.iter().find(|one| one.name == dependency) else {
        return false;
    };
    match rules.uses {
        Uses::Only(names) if !is_dev => names.contains(&dependency.name),
        _ => dependency.column < rules.column,
    }
}

#[test]
fn rust_files_say_what_they_are_for() -> Result<()> {
    let mut offenders = Vec::new();
    for (path, text) in texts()? {
        if is_rust(&path) && !text.starts_with("//! ") {
            offenders.push((path, "does not start with `//! `".to_owned()));
        }
    }
    report(
        &without_exceptions(Rule::Opening, offenders),
        "open the file with what it is for and what it does not do",
    );
    Ok(())
}

#[test]
fn rust_files_do_one_thing() -> Result<()> {
    let mut offenders = Vec::new();
    for (path, text) in texts()? {
        let lines = text.lines().count();
        if is_rust(&path) && lines > MAX_LINES {
            offenders.push((path, format!("has {lines} lines, more than {MAX_LINES}")));
        }
    }
    report(
        &without_exceptions(Rule::Length, offenders),
        "split the file by what its parts are for, or say in EXCEPTIONS why it is one",
    );
    Ok(())
}

#[test]
fn nothing_is_left_lying_about() -> Result<()> {
    let mut offenders = Vec::new();
    for (path, text) in texts()? {
        for (line, content) in (1..).zip(text.lines()) {
            for word in FORBIDDEN.iter().filter(|word| mentions(content, word)) {
                offenders.push((path.clone(), format!("line {line} mentions `{word}`")));
            }
        }
    }
    report(
        &without_exceptions(Rule::Words, offenders),
        "finish it, or open an issue and leave it out; paths of one machine fit no other",
    );
    Ok(())
}

/// True if the word stands in the line by itself, not as a part of a longer word or path.
fn mentions(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_-.}".contains(character);
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let goes_on =
            word.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric);
        !before.ends_with(is_part) && !goes_on
    })
}

#[test]
fn words_are_found_alone_only() {
    let word = FORBIDDEN[2];
    assert!(mentions(&format!("a {word}: b"), word));
    assert!(!mentions(&format!("mktemp name.{word}{word}"), word));
    let path = FORBIDDEN[6];
    assert!(mentions(&format!("cd {path}src"), path));
    assert!(!mentions(&format!("--path=/host{path}run"), path));
}

/// Written anew with `CAIRN_UPDATE_SCHEMAS=1`.
#[test]
fn published_schemas_are_current() -> Result<()> {
    let folder = root().join("spec/schemas");
    let mut expected = BTreeMap::new();
    for (name, schema) in cairn_spec::all_schemas() {
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        expected.insert(name, text);
    }
    let schema = cairn_registry::config_schema();
    let text = serde_json::to_string_pretty(&schema)? + "\n";
    expected.insert("registry-config.json".to_owned(), text);
    let mut published = BTreeMap::new();
    for path in files(&folder)? {
        let name = relative(&folder, &path);
        published.insert(name, fs::read_to_string(&path)?);
    }
    if environment("CAIRN_UPDATE_SCHEMAS").is_some_and(|value| value == "1") {
        write_schemas(&folder, &expected, &published)?;
        return write_configuration_page(&schema);
    }
    let names: BTreeSet<&String> = expected.keys().chain(published.keys()).collect();
    let offenders = names.into_iter().filter_map(|name| {
        let state = match (expected.get(name), published.get(name)) {
            (Some(expected), Some(published)) if expected == published => return None,
            (Some(_), Some(_)) => "is not what the types say",
            (Some(_), None) => "is missing",
            (None, _) => "belongs to no kind",
        };
        Some(format!("spec/schemas/{name} {state}"))
    });
    let mut offenders: Vec<String> = offenders.collect();
    let page = fs::read_to_string(root().join(CONFIGURATION_PAGE))?;
    if configuration_page::page_with_tables(&page, &schema).as_ref() != Some(&page) {
        offenders.push(format!("{CONFIGURATION_PAGE} is not what the types say"));
    }
    report(&offenders, "run `just schemas` and commit what it writes");
    Ok(())
}

fn write_configuration_page(schema: &Json) -> Result<()> {
    let path = root().join(CONFIGURATION_PAGE);
    let page = fs::read_to_string(&path)?;
    let page = configuration_page::page_with_tables(&page, schema)
        .context("the page has no place for its tables")?;
    Ok(fs::write(path, page)?)
}

fn write_schemas(
    folder: &Path,
    expected: &BTreeMap<String, String>,
    published: &BTreeMap<String, String>,
) -> Result<()> {
    fs::create_dir_all(folder)?;
    for name in published
        .keys()
        .filter(|name| !expected.contains_key(*name))
    {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in expected {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

#[test]
fn documents_and_settings_are_there() {
    let offenders = REQUIRED_FILES.iter().filter_map(|name| {
        let size_bytes = fs::metadata(root().join(name)).map_or(0, |metadata| metadata.len());
        (size_bytes == 0).then(|| format!("{name} is missing or empty"))
    });
    report(
        &offenders.collect::<Vec<_>>(),
        "a stranger looks for these first: write them before the code that needs them",
    );
}

#[test]
fn members_share_lints_and_licence() -> Result<()> {
    let mut offenders = Vec::new();
    for package in packages()? {
        let name = crate_name(&package);
        if package["license"] != "Apache-2.0" {
            offenders.push(format!("{name}: `license` is {}", package["license"]));
        }
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        if !shares_lints(&fs::read_to_string(manifest)?) {
            offenders.push(format!("{name}: no `[lints] workspace = true`"));
        }
    }
    report(
        &offenders,
        "write `license.workspace = true` and `[lints]` with `workspace = true` in its Cargo.toml",
    );
    Ok(())
}

/// The lint can be switched off by whoever asks, so who asks is looked at.
#[test]
fn only_the_heap_may_be_unsafe() -> Result<()> {
    let word = concat!("unsafe", "_code");
    let mut offenders = Vec::new();
    for (path, text) in texts()? {
        if is_rust(&path) && !path.starts_with("heap/src/") && text.contains(word) {
            offenders.push(format!("{path} speaks of `{word}`"));
        }
    }
    report(
        &offenders,
        "use what a crate offers that is made for it; all of it here would have to be read like `heap`",
    );
    Ok(())
}

fn shares_lints(manifest: &str) -> bool {
    let mut section = manifest.lines().skip_while(|line| line.trim() != "[lints]");
    section.next();
    section
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.trim() == "workspace = true")
}

/// What made the agent's program large, or would: each is for commands or servers alone.
const NOT_IN_THE_AGENT: [&str; 8] = [
    "anstream",
    "aws-lc-sys",
    "axum",
    "h2",
    "indicatif",
    "jsonschema",
    "openssl-sys",
    "tokio-tungstenite",
];

/// Its size is measured by hand (`benches/agent/run`), for it takes minutes to build; this takes none.
#[test]
fn the_agents_program_has_no_crates_of_commands_or_servers() -> Result<()> {
    let cargo = environment("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", "cairn-agent"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        // The features of the agent alone, as it is built to be shipped.
        .env_remove("CARGO_UNSTABLE_FEATURE_UNIFICATION")
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .current_dir(root())
        .output()
        .context("failed to run `cargo tree`")?;
    ensure!(
        output.status.success(),
        "`cargo tree` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout)?;
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    ensure!(
        names.contains("cairn-runner"),
        "this is no tree of the agent: {tree}"
    );
    let offenders = NOT_IN_THE_AGENT.iter().filter(|name| names.contains(*name));
    report(
        &offenders
            .map(|name| format!("agent uses {name}"))
            .collect::<Vec<_>>(),
        "make it a feature that `cli` or `registry` turns on",
    );
    Ok(())
}

/// Fails with all offenders, not only the first.
#[track_caller]
fn report(offenders: &[String], hint: &str) {
    assert!(
        offenders.is_empty(),
        "{} found:\n  {}\nhint: {hint}",
        offenders.len(),
        offenders.join("\n  "),
    );
}

/// Takes out what `EXCEPTIONS` allows; an exception that nothing needs any more is an offender too.
fn without_exceptions(rule: Rule, mut offenders: Vec<(String, String)>) -> Vec<String> {
    let mut unneeded = Vec::new();
    for (_, start, _) in EXCEPTIONS.iter().filter(|(of, _, _)| *of == rule) {
        let before = offenders.len();
        offenders.retain(|(path, _)| !path.starts_with(start));
        if offenders.len() == before {
            unneeded.push(format!("{start}: the exception is not needed any more"));
        }
    }
    let kept = offenders
        .into_iter()
        .map(|(path, what)| format!("{path} {what}"));
    kept.chain(unneeded).collect()
}

/// The packages of the workspace, as `cargo metadata` describes them.
fn packages() -> Result<Vec<Json>> {
    let cargo = environment("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--locked"])
        .args(["--format-version", "1"])
        .current_dir(root())
        .output()
        .context("failed to run `cargo metadata`")?;
    ensure!(
        output.status.success(),
        "`cargo metadata` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Json = serde_json::from_slice(&output.stdout)?;
    Ok(list(&metadata, "packages").to_vec())
}

fn list<'a>(object: &'a Json, key: &str) -> &'a [Json] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

/// `cairn-spec` is `spec` in the picture, and the command itself is `cli`.
fn crate_name(package: &Json) -> String {
    let name = package["name"].as_str().unwrap_or_default();
    match name.strip_prefix("cairn-") {
        Some(short) => short.to_owned(),
        None if name == "cairn" => "cli".to_owned(),
        None => name.to_owned(),
    }
}

/// Every text file of the tree: its path from the root, and its content.
fn texts() -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for path in files(&root())? {
        if let Ok(text) = String::from_utf8(fs::read(&path)?) {
            texts.push((relative(&root(), &path), text));
        }
    }
    Ok(texts)
}

/// Every file below a folder, sorted, without what git and builds leave there.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    const LEFT_OUT: &[&str] = &[".git", ".cairn", "target", "out"];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn relative(folder: &Path, path: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Cargo, and the person at the keyboard, speak to a test through its environment.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
