//! Registries that are away, say no or answer nonsense; locks that do not fit them.

use insta::assert_snapshot;

use crate::{
    case::{
        CONFLICT, Case, DENIED, ERROR, INVALID_INPUT, NOT_FOUND, PACK, PROFILE, UNAUTHENTICATED,
    },
    hostile::{Answer, Entry, content_of, fake_registry, fake_server, pack_of, push},
};

const PULL: &str = "pack pull @/packs/web:1.0.0 --insecure-skip-verify";

fn answering(answer: impl Fn(&str) -> Answer + Send + 'static, code: i32) -> String {
    Case::empty()
        .registry_at(fake_registry(answer))
        .refused(PULL, code)
}

#[test]
fn nobody_listens() {
    let case = Case::empty().registry().stop_registry();
    assert_snapshot!(case.refused(PULL, ERROR));
}

#[test]
fn version_that_is_not_there() {
    let case = Case::pack().registry().given("pack push web @/packs");
    assert_snapshot!(case.refused(
        "pack pull @/packs/web:1.0.1 --output pulled --insecure-skip-verify",
        NOT_FOUND
    ));
}

#[test]
fn repository_that_is_not_there() {
    assert_snapshot!(Case::empty().registry().refused(PULL, NOT_FOUND));
}

#[test]
fn credentials_that_are_missing() {
    assert_snapshot!(answering(
        |_| Answer::new(
            "401 Unauthorized",
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#
        )
        .header("WWW-Authenticate", "Basic realm=\"registry\""),
        UNAUTHENTICATED
    ));
}

#[test]
fn password_that_is_wrong() {
    let case = Case::empty()
        .registry_at(fake_registry(|_| {
            Answer::new("401 Unauthorized", "")
                .header("WWW-Authenticate", "Basic realm=\"registry\"")
        }))
        .file("password", "hunter2\n");
    let shown = case.refused(
        &format!("{PULL} --username me --password-file password"),
        UNAUTHENTICATED,
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn access_that_is_denied() {
    assert_snapshot!(answering(
        |_| Answer::new(
            "403 Forbidden",
            r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#
        ),
        DENIED
    ));
}

#[test]
fn server_error() {
    assert_snapshot!(answering(
        |_| Answer::new("500 Internal Server Error", "<html><h1>oops</h1></html>"),
        ERROR
    ));
}

#[test]
fn error_page_that_paints_the_terminal() {
    assert_snapshot!(answering(
        |_| Answer::new(
            "418 I'm a teapot",
            "\u{1b}[2J\u{1b}[31mhacked\n\n\nline two"
        ),
        ERROR
    ));
}

#[test]
fn redirects_without_end() {
    assert_snapshot!(answering(
        |path| Answer::new("302 Found", "").header("Location", path),
        ERROR
    ));
}

#[test]
fn answer_that_is_not_http() {
    let address = fake_server(|_| b"SSH-2.0-OpenSSH_9.6\r\n".to_vec());
    // Whether the answer or the end of the connection is seen first is a matter of chance.
    let shown = Case::empty().registry_at(address).refused(PULL, ERROR);
    assert!(
        shown.contains("failed to reach the registry with `HEAD http://[registry]/v2/"),
        "{shown}"
    );
}

#[test]
fn blob_that_breaks_off() {
    let pack = pack_of(content_of(&[Entry::file("pack.yaml", PACK)]));
    let manifest = pack.manifest().bytes().to_vec();
    assert_snapshot!(answering(
        move |path| {
            if path.contains("/manifests/") {
                Answer::manifest(manifest.clone())
            } else {
                let size = pack
                    .blobs()
                    .iter()
                    .find(|blob| path.ends_with(blob.descriptor().digest.as_str()))
                    .unwrap()
                    .descriptor()
                    .size;
                Answer::new("200 OK", "x").header("Content-Length", size.to_string())
            }
        },
        ERROR
    ));
}

#[test]
fn reference_without_a_host() {
    assert_snapshot!(Case::empty().refused("pack inspect web:1.0.0", INVALID_INPUT));
}

#[test]
fn version_that_is_there_with_other_content() {
    let case = Case::pack()
        .registry()
        .given("pack push web @/packs")
        .file("web/README.md", "# Changed\n");
    assert_snapshot!(case.refused("pack push web @/packs", CONFLICT));
    assert_snapshot!(
        "version_that_is_there_by_force",
        case.refused("pack push web @/packs --force", DENIED)
    );
}

#[test]
fn target_with_a_tag() {
    let case = Case::pack().registry();
    assert_snapshot!(case.refused("pack push web @/packs:1.0.0", INVALID_INPUT));
}

/// A registry with the pack `web`, and a profile that uses it.
fn profile(version: &str) -> Case {
    let case = Case::pack().registry();
    let text = profile_text(case.address(), "web", version);
    case.given("pack push web @/packs")
        .file("profile.yaml", text)
}

fn profile_text(address: &str, pack: &str, version: &str) -> String {
    PROFILE.replace(
        "path: web",
        &format!("pack: {pack}\n      version: {version}"),
    ) + &format!("  registries:\n    - {{name: default, url: \"oci://{address}/packs\"}}\n")
}

const BUILD: &str = "profile build --insecure-skip-verify";

#[test]
fn range_that_no_version_matches() {
    assert_snapshot!(profile("^2").refused(BUILD, INVALID_INPUT));
}

#[test]
fn pack_that_nobody_pushed() {
    let case = profile("^1");
    let text = profile_text(case.address(), "wbe", "^1");
    assert_snapshot!(
        case.file("profile.yaml", text)
            .refused(BUILD, INVALID_INPUT)
    );
}

#[test]
fn tags_that_are_no_versions() {
    let case = Case::empty().registry();
    let pack = pack_of(content_of(&[Entry::file("pack.yaml", PACK)]));
    for tag in ["latest", "v1.0.0", "1.0"] {
        push(&format!("{}/packs/web:{tag}", case.address()), &pack);
    }
    let text = profile_text(case.address(), "web", "^1");
    assert_snapshot!(
        case.file("profile.yaml", text)
            .refused(BUILD, INVALID_INPUT)
    );
}

#[test]
fn pack_under_the_version_of_another() {
    let case = Case::empty().registry();
    let pack = pack_of(content_of(&[Entry::file("pack.yaml", PACK)]));
    push(&format!("{}/packs/web:1.5.0", case.address()), &pack);
    let text = profile_text(case.address(), "web", "^1");
    assert_snapshot!(
        case.file("profile.yaml", text)
            .refused(BUILD, INVALID_INPUT)
    );
}

#[test]
fn registry_of_a_profile_that_is_away() {
    let case = profile("^1").stop_registry();
    assert_snapshot!(case.refused(BUILD, ERROR));
}

#[test]
fn locked_build_without_a_lock() {
    assert_snapshot!(profile("^1").refused(&format!("{BUILD} --locked"), CONFLICT));
}

#[test]
fn lock_of_another_range() {
    let case = profile("^1").given(BUILD);
    let text = profile_text(case.address(), "web", "\">=1.0.0 <3\"");
    assert_snapshot!(
        case.file("profile.yaml", text)
            .refused(&format!("{BUILD} --locked"), CONFLICT)
    );
}

#[test]
fn locked_digest_that_is_gone() {
    let case = profile("^1").given(BUILD);
    let lock = std::fs::read_to_string(case.path().join("profile.lock")).unwrap();
    let digest = lock
        .lines()
        .find_map(|line| {
            line.trim()
                .trim_start_matches("- ")
                .strip_prefix("digest: ")
        })
        .unwrap()
        .to_owned();
    let other = format!("sha256:{}", "0".repeat(64));
    let case = case.file("profile.lock", lock.replace(&digest, &other));
    assert_snapshot!(case.refused(BUILD, NOT_FOUND));
}

#[test]
fn lock_with_a_merge_conflict() {
    let case = profile("^1").given(BUILD);
    let lock = std::fs::read_to_string(case.path().join("profile.lock")).unwrap();
    let case = case.file(
        "profile.lock",
        format!("<<<<<<< HEAD\n{lock}=======\n{lock}>>>>>>> main\n"),
    );
    assert_snapshot!(case.refused(BUILD, INVALID_INPUT));
}

#[test]
fn lock_with_a_digest_that_is_none() {
    let case = profile("^1").given(BUILD);
    let lock = std::fs::read_to_string(case.path().join("profile.lock")).unwrap();
    let case = case.file("profile.lock", lock.replace("sha256:", "sha256:x"));
    assert_snapshot!(case.refused(BUILD, INVALID_INPUT));
}

#[test]
fn address_that_is_taken() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut case = Case::empty();
    case.redact(address.clone(), "[address]");
    assert_snapshot!(case.refused(
        &format!("registry serve --listen {address} --data registry-data"),
        ERROR
    ));
}

#[test]
fn data_folder_that_another_process_holds() {
    let case = Case::empty().registry();
    assert_snapshot!(case.refused(
        "registry serve --listen 127.0.0.1:0 --data registry-data",
        CONFLICT
    ));
}

#[test]
fn data_folder_that_is_a_file() {
    assert_snapshot!(
        Case::empty()
            .file("data", "precious")
            .refused("registry serve --listen 127.0.0.1:0 --data data", ERROR)
    );
}

#[test]
fn configuration_with_an_unknown_key() {
    assert_snapshot!(
        Case::empty()
            .file(
                "registry.yaml",
                "storage: {directory: data}\nimmutabelTags: [\"packs/**\"]\n"
            )
            .refused("registry serve --config registry.yaml", INVALID_INPUT)
    );
}

#[test]
fn configuration_with_many_mistakes() {
    let text = "\
listen: localhost:5000
storage: {directroy: data}
immutableTags: [\"packs/[\"]
limits:
  manifestBytes: lots
  blobBytes: 10
";
    assert_snapshot!(
        Case::empty()
            .file("registry.yaml", text)
            .refused("registry check registry.yaml", INVALID_INPUT)
    );
}

#[test]
fn retention_that_would_remove_everything() {
    let text = "\
retention:
  rules:
  - name: ci
    repositories: ci/**
    unmatchedTags: remove
    keepTags: []
quotas:
  rules:
  - name: ci
    repositories: ci/**
";
    assert_snapshot!(
        Case::empty()
            .file("registry.yaml", text)
            .refused("registry check registry.yaml", INVALID_INPUT)
    );
}

#[test]
fn configuration_with_a_broken_glob() {
    assert_snapshot!(Case::empty().refused(
        "registry serve --listen 127.0.0.1:0 --data registry-data --immutable packs/[",
        INVALID_INPUT
    ));
}

#[test]
fn healthcheck_of_nothing() {
    let case = Case::empty().registry().stop_registry();
    let address = case.address().to_owned();
    assert_snapshot!(case.refused(&format!("registry healthcheck {address}"), ERROR));
}

#[test]
fn authority_that_is_no_certificate() {
    let case = Case::empty().registry_at("127.0.0.1:1".to_owned()).file(
        "ca.pem",
        "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
    );
    assert_snapshot!(case.refused(&format!("{PULL} --ca-file ca.pem"), INVALID_INPUT));
}

#[test]
fn docker_configuration_that_is_not_json() {
    let case = Case::empty()
        .registry_at("127.0.0.1:1".to_owned())
        .file(".docker/config.json", "{\n  \"auths\": {,}\n}\n");
    assert_snapshot!(case.refused(PULL, INVALID_INPUT));
}
