//! Versions and constraints, with what `Masterminds/semver` 3.5.0 answers (`semver.json`).

use cairn_template::go_semver::{Constraint, Version};

#[derive(serde::Deserialize)]
struct Recorded {
    /// A constraint; `@` where it is how the version is read, `<` where it is its order.
    about: String,
    version: String,
    answer: String,
}

/// The order of these is recorded, each against all.
const ORDERED: [&str; 12] = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.0-99999999999999999999",
    "1.0.0-2",
    "1.0.0-a-b",
    "1.0.0+x",
];

fn read(version: Result<Version, String>) -> String {
    match version {
        Ok(version) => format!(
            "{version} {} {} {}",
            version.original(),
            version.prerelease(),
            version.metadata()
        ),
        Err(error) => format!("E:{error}"),
    }
}

fn order(version: &str) -> String {
    let version = Version::parse(version).expect("it is valid");
    let orders = ORDERED.map(|other| {
        let other = Version::parse(other).expect("it is valid");
        format!("{} ", version.cmp(&other) as i8)
    });
    orders.concat()
}

fn validation(constraint: &str, version: &str) -> String {
    let constraint = match Constraint::parse(constraint) {
        Ok(constraint) => constraint,
        Err(error) => return format!("E:{error}"),
    };
    let version = Version::parse(version).expect("it is valid");
    let reasons = constraint.validate(&version).err().unwrap_or_default();
    let fits = reasons.is_empty();
    let check = constraint.check(&version);
    let mut answer = format!("{fits} {check}{constraint}");
    for reason in reasons {
        answer.push('\n');
        answer.push_str(&reason);
    }
    answer
}

#[test]
fn every_version_and_constraint_is_judged_as_in_go() {
    let answers: Vec<Recorded> =
        serde_json::from_str(include_str!("semver.json")).expect("the answers are valid");
    for Recorded {
        about,
        version,
        answer,
    } in answers
    {
        let found = match about.as_str() {
            "@" => format!(
                "{}\n{}",
                read(Version::parse(&version)),
                read(Version::parse_strict(&version))
            ),
            "<" => order(&version),
            constraint => validation(constraint, &version),
        };
        assert_eq!(found, answer, "{about} {version}");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let long = "1".repeat(257);
    assert_eq!(
        Version::parse(&long).unwrap_err(),
        "version string is too long (max 256 bytes)"
    );
    assert_eq!(
        Constraint::parse(&"1 ".repeat(257)).unwrap_err(),
        "constraint string is too long (max 512 bytes)"
    );
    assert_eq!(
        Constraint::parse(&"1||".repeat(32)).unwrap_err(),
        "too many constraint groups (max 32)"
    );
}

#[test]
fn the_next_versions_are_releases() {
    let version = Version::parse("v1.2.3-rc.1+b").expect("it is valid");
    let next = [
        version.next_patch(),
        version.next_minor(),
        version.next_major(),
    ];
    let next = next.map(|version| version.expect("it is small").original().to_owned());
    assert_eq!(next, ["v1.2.3", "v1.3.0", "v2.0.0"]);
    let largest = Version::parse("1.2.18446744073709551615").expect("it fits");
    assert_eq!(
        largest.next_patch().unwrap_err(),
        "patch version increment would overflow uint64"
    );
}
