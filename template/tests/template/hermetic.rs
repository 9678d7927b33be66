//! Templates see their values and nothing else: no network, no files, no environment, no clock and
//! no randomness.
//!
//! CVE-2023-25165 (Helm): a template resolved names over DNS, and so told outsiders what it knew.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::case::{Case, errors};

/// The names and the parameters of all helpers, as the table in the source has them.
fn helpers() -> Vec<(String, usize)> {
    let table = include_str!("../../src/helpers/mod.rs");
    let rows = table.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
        let (parameters, rest) = rest.trim().strip_prefix("(\"")?.split_once("\")")?;
        rest.contains("=>")
            .then(|| (name.to_owned(), parameters.split(' ').count()))
    });
    let helpers: Vec<_> = rows.collect();
    assert!(helpers.len() > 50, "the table is read");
    helpers
}

/// Renders a call of every helper with texts that name something outside, whatever comes of it.
fn call_everything(baits: &[String]) -> Vec<String> {
    let mut outcomes = Vec::new();
    for (name, count) in helpers() {
        for bait in baits {
            for count in [1, count, count + 1] {
                let argument = format!(" {bait:?}");
                let template = format!("{{{{{name}{}}}}}", argument.repeat(count));
                let case = Case::new(&template).values(json!({"a": 1}));
                outcomes.push(match case.run() {
                    Ok(rendered) => rendered.text,
                    Err(diagnostics) => format!("{diagnostics:?}"),
                });
            }
        }
    }
    outcomes
}

#[test]
fn cve_2023_25165_no_helper_looks_outside() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("outside-of-templates");
    let secret = "only-the-file-knows";
    fs::write(&file, secret).unwrap();
    let baits = [
        tcp.local_addr().unwrap().to_string(),
        format!("http://{}/", tcp.local_addr().unwrap()),
        format!("udp://{}", udp.local_addr().unwrap()),
        "localhost".to_owned(),
        "a.name.invalid".to_owned(),
        file.display().to_string(),
        format!("file://{}", file.display()),
        "PATH".to_owned(),
        "$PATH".to_owned(),
        "${PATH}".to_owned(),
        "now".to_owned(),
    ];
    let outcomes = call_everything(&baits);
    assert!(tcp.accept().is_err(), "somebody connected");
    assert!(udp.recv(&mut [0; 512]).is_err(), "somebody sent");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = path.to_string_lossy().into_owned();
    for outcome in &outcomes {
        assert!(!outcome.contains(secret), "{outcome}");
        assert!(path.len() < 8 || !outcome.contains(&path), "{outcome}");
    }
    // Neither a clock nor chance has a part in it.
    assert_eq!(outcomes, call_everything(&baits));
}

/// What Helm's and sprig's templates can do that these cannot.
#[test]
fn cve_2023_25165_helpers_that_look_outside_do_not_exist() {
    for name in [
        "getHostByName",
        "env",
        "expandenv",
        "lookup",
        "now",
        "date",
        "ago",
        "randAlphaNum",
        "randBytes",
        "randInt",
        "shuffle",
        "uuidv4",
        "genCA",
        "genPrivateKey",
        "genSelfSignedCert",
        "htpasswd",
        "bcrypt",
        "osBase",
        "readFile",
        "readDir",
        "tpl",
    ] {
        let told = errors(&format!("{{{{{name} \"x\"}}}}"), json!({"a": 1}));
        assert!(
            told.contains(&format!("there is no helper `{name}`")),
            "{told}"
        );
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("a source").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Whoever adds a helper finds out here that it must not ask the world.
#[test]
fn cve_2023_25165_the_crate_has_no_way_outside() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ways = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::time",
        "std::os",
        "std::io::",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "TimeZone::get",
        "TimeZone::system",
        "RandomState",
        "DefaultHasher",
        "rand::",
        "env!(\"",
    ];
    let mut files = rust_files(&crate_folder.join("src"));
    // Only fuzzing and tests are built with it, which read inputs.
    files.retain(|file| !file.ends_with("fuzzing.rs"));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let found = ways.iter().find(|way| text.contains(**way));
        assert_eq!(found, None, "{}", file.display());
        // A thread may choose its CPU.
        let calls = text.matches("rustix::").count();
        let of_threads = text.matches("rustix::thread::").count();
        assert_eq!(calls, of_threads, "{}", file.display());
    }
    let manifest = fs::read_to_string(crate_folder.join("Cargo.toml")).unwrap();
    let sections = manifest.split("\n[").filter_map(|section| {
        let (title, lines) = section.split_once("]\n")?;
        let is_used = title.ends_with("dependencies") && title != "dev-dependencies";
        is_used.then_some(lines)
    });
    let sections: Vec<&str> = sections.collect();
    assert_eq!(sections.len(), 2);
    for name in sections
        .iter()
        .flat_map(|lines| lines.lines())
        .filter_map(|line| line.split(['.', ' ']).next())
    {
        let reaches_out = [
            "tokio",
            "reqwest",
            "hyper",
            "ureq",
            "rand",
            "getrandom",
            "fastrand",
            "chrono",
            "time",
            "uuid",
            "ulid",
            "libc",
            "tempfile",
            "dirs",
            "hickory-resolver",
        ];
        assert!(!reaches_out.contains(&name), "{name}");
    }
    // It has a clock and the system's zones only with the features that are left out here.
    let workspace = fs::read_to_string(crate_folder.join("../Cargo.toml")).unwrap();
    let jiff = workspace.lines().find(|line| line.starts_with("jiff = "));
    assert!(
        jiff.is_some_and(|jiff| jiff.contains("default-features = false")),
        "{jiff:?}"
    );
}
