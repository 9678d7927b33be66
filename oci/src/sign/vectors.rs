//! The vectors of `spec/signing.md`: what signing must write, byte for byte, and what verifying
//! must say to it and to what was tampered with.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Annotations, Artifact, Descriptor, media_type};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{COSIGN_SIGN, Form, bundle, dsse, simple};
use crate::{PrivateKey, PublicKey};

const IDENTITY: &str = "127.0.0.1:5000/packs/hello";
/// 2023-11-14T22:13:20Z
const CREATED_UNIX_S: u64 = 1_700_000_000;
const COSIGN_PASSWORD: &str = "vectors";

/// A document, and whether it is a signature by the test key on the test subject.
#[derive(Debug, Serialize, Deserialize)]
struct Case {
    name: String,
    form: String,
    /// A bundle, or a simple-signing payload.
    document: String,
    /// Of the payload, in base64; bundles hold their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    valid: bool,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/vectors/signing"
    ))
    .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_pem(&read(name), None).unwrap()
}

fn artifact(text: &str) -> Artifact {
    Artifact::builder("application/vnd.example.v1+json")
        .layer("text/plain", text.as_bytes().to_vec())
        .build()
        .unwrap()
}

fn subject() -> Descriptor {
    artifact("hello\n").manifest().descriptor()
}

fn annotations() -> Annotations {
    [("commit".to_owned(), "4f2a".to_owned())].into()
}

fn statement(about: &Descriptor, predicate_type: &str) -> dsse::Statement {
    dsse::Statement::new(&about.digest, &annotations(), predicate_type, json!({}))
}

fn bundle_text(statement: &dsse::Statement, key: &PrivateKey) -> String {
    let artifact = bundle::artifact(&subject(), statement, key, Some(CREATED_UNIX_S)).unwrap();
    let layer = artifact.layer(media_type::SIGSTORE_BUNDLE).unwrap();
    String::from_utf8(layer.to_vec()).unwrap()
}

fn payload(about: &Descriptor) -> String {
    String::from_utf8(simple::payload(IDENTITY, about, &annotations()).unwrap()).unwrap()
}

/// All files that are derived from the keys, by name.
fn files() -> Vec<(&'static str, String)> {
    let key = private("test.key");
    let statement = statement(&subject(), COSIGN_SIGN);
    let statement_bytes = serde_json::to_vec(&statement).unwrap();
    let encoding =
        crate::envelope::pre_authentication_encoding(media_type::IN_TOTO, &statement_bytes);
    let bundle = bundle::artifact(&subject(), &statement, &key, Some(CREATED_UNIX_S)).unwrap();
    let layer = simple::layer(payload(&subject()).into_bytes(), &key).unwrap();
    let (config, manifest) =
        simple::manifest(&[layer.descriptor().clone()], Annotations::new()).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    vec![
        ("subject.json", text(artifact("hello\n").manifest().bytes())),
        ("statement.json", text(&statement_bytes)),
        ("statement.pae", text(&encoding)),
        ("bundle.json", bundle_text(&statement, &key)),
        ("bundle-manifest.json", text(bundle.manifest().bytes())),
        ("simple-payload.json", payload(&subject())),
        ("simple-config.json", text(config.bytes())),
        ("simple-manifest.json", text(&manifest)),
        (
            "cases.json",
            serde_json::to_string_pretty(&cases()).unwrap() + "\n",
        ),
    ]
}

fn bundle_case(name: &str, document: String, valid: bool) -> Case {
    Case {
        name: name.to_owned(),
        form: "bundle".to_owned(),
        document,
        signature: None,
        valid,
    }
}

/// The good bundle, a piece of its text replaced.
fn changed(from: &str, to: &str) -> String {
    let good = bundle_text(&statement(&subject(), COSIGN_SIGN), &private("test.key"));
    assert!(good.contains(from), "{from}");
    good.replace(from, to)
}

fn bundle_cases() -> Vec<Case> {
    let (key, other) = (private("test.key"), private("other.key"));
    let elsewhere = artifact("elsewhere\n").manifest().descriptor();
    let good = statement(&subject(), COSIGN_SIGN);
    let moved = statement(&elsewhere, COSIGN_SIGN);
    let encoded = |statement| STANDARD.encode(serde_json::to_vec(statement).unwrap());
    let (payload, moved_payload) = (encoded(&good), encoded(&moved));
    let good_bundle = bundle_text(&good, &key);
    let (_, signatures) = good_bundle.split_once(r#""signatures":["#).unwrap();
    let signature = signatures.trim_end_matches("]}}");
    let with_signature = |other: &str| changed(signature, other);
    let attestation = statement(&subject(), "https://slsa.dev/provenance/v1");
    let case = bundle_case;
    vec![
        case("as signed", good_bundle.clone(), true),
        case("signed by another key", bundle_text(&good, &other), false),
        case("signed for other content", bundle_text(&moved, &key), false),
        case(
            "an attestation, not a signature",
            bundle_text(&attestation, &key),
            false,
        ),
        case("payload replaced", changed(&payload, &moved_payload), false),
        case(
            "payload type replaced",
            changed("application/vnd.in-toto+json", "application/json"),
            false,
        ),
        case("no signatures", with_signature(""), false),
        case("empty signature", with_signature(r#"{"sig":""}"#), false),
        case(
            "signature is not base64",
            with_signature(r#"{"sig":"%"}"#),
            false,
        ),
        case(
            "a second signature that is junk",
            with_signature(&format!(r#"{{"sig":"AAAA"}},{signature}"#)),
            true,
        ),
        case("not a bundle", "{}".to_owned(), false),
        case("not JSON", "[".repeat(1000), false),
    ]
}

fn simple_cases() -> Vec<Case> {
    let (key, other) = (private("test.key"), private("other.key"));
    let elsewhere = artifact("elsewhere\n").manifest().descriptor();
    let good = payload(&subject());
    let case = |name: &str, document: &str, signed: &str, key: &PrivateKey, valid| Case {
        name: name.to_owned(),
        form: "simple".to_owned(),
        document: document.to_owned(),
        signature: Some(STANDARD.encode(key.sign(signed.as_bytes()))),
        valid,
    };
    let other_kind = good.replace("cosign container image signature", "something else");
    let moved = payload(&elsewhere);
    let spaced = good.replace("\":", "\": ");
    let counted = good.replace(r#""4f2a""#, "7");
    let mut cases = vec![
        case("as signed", &good, &good, &key, true),
        case(
            "written with spaces, signed as written",
            &spaced,
            &spaced,
            &key,
            true,
        ),
        case(
            "a number among the annotations",
            &counted,
            &counted,
            &key,
            true,
        ),
        case("signed by another key", &good, &good, &other, false),
        case("signed for other content", &moved, &moved, &key, false),
        case("digest replaced", &moved, &good, &key, false),
        case("spaces added afterwards", &spaced, &good, &key, false),
        case(
            "another kind of payload",
            &other_kind,
            &other_kind,
            &key,
            false,
        ),
        case("not a payload", "{}", "{}", &key, false),
    ];
    cases.push(Case {
        name: "signature is not base64".to_owned(),
        form: "simple".to_owned(),
        document: good,
        signature: Some("%".to_owned()),
        valid: false,
    });
    cases
}

fn cases() -> Vec<Case> {
    bundle_cases().into_iter().chain(simple_cases()).collect()
}

/// What verifying says: the forms found.
fn verified(case: &Case, keys: &[PublicKey]) -> Vec<Form> {
    let found = match &case.signature {
        Some(signature) => simple::read(case.document.as_bytes(), signature, &subject(), keys),
        None => match bundle::read(case.document.as_bytes(), keys) {
            Some((statement, signers)) => bundle::signatures(&subject(), &statement, &signers),
            None => Vec::new(),
        },
    };
    found.iter().map(|signature| signature.form).collect()
}

/// With `CAIRN_UPDATE_VECTORS=1` the vectors are rewritten instead, after the format has changed;
/// the difference is for review.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a switch of this test, not of the product"
)]
fn signing_writes_the_bytes_of_the_vectors() {
    if std::env::var("CAIRN_UPDATE_VECTORS").is_ok_and(|value| value == "1") {
        for (name, content) in files() {
            fs::write(path(name), content).unwrap();
        }
    }
    for (name, content) in files() {
        assert_eq!(read(name), content, "{name}");
    }
}

#[test]
fn verifying_gives_the_verdicts_of_the_vectors() {
    let cases: Vec<Case> = serde_json::from_str(&read("cases.json")).unwrap();
    let keys = [PublicKey::from_pem(&read("test.pub")).unwrap()];
    for case in &cases {
        let found = verified(case, &keys);
        assert_eq!(
            found.len(),
            usize::from(case.valid),
            "{}: {}",
            case.form,
            case.name
        );
    }
}

#[test]
fn the_encrypted_key_is_the_same_key() {
    let encrypted = read("test.cosign.key");
    let key = PrivateKey::from_pem(&encrypted, Some(COSIGN_PASSWORD)).unwrap();
    let public = PublicKey::from_pem(&read("test.pub")).unwrap();
    assert_eq!(key.public_key().unwrap(), public);
    assert!(PrivateKey::from_pem(&encrypted, Some("wrong")).is_err());
    assert!(PrivateKey::from_pem(&encrypted, None).is_err());
}
