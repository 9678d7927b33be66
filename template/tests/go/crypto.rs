//! Keys, certificates and hashes that follow from seeds: what others read in them.

use std::time::Duration;

use cairn_template::{GeneratedCall, Generation, Host, Limits};
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use webpki::{
    EndEntityCert, KeyUsage, anchor_from_trusted_cert,
    ring::{ECDSA_P256_SHA256, ECDSA_P384_SHA384, ED25519, RSA_PKCS1_2048_8192_SHA256},
};
use x509_cert::{
    Certificate,
    der::{Decode as _, Encode as _, oid::AssociatedOid},
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAltName,
        SubjectKeyIdentifier, name::GeneralName,
    },
};

use crate::chart::Chart;

/// 2026-11-28T15:30:00Z
const NOW: i64 = 1_795_879_800;

/// Gives each call a seed of its own, which follows from one.
#[derive(Debug)]
struct Seeds {
    seed: u8,
    now: i64,
}

impl Host for Seeds {
    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        let mut seed = [self.seed; 32];
        for (byte, of_call) in seed.iter_mut().zip(call.function.bytes()) {
            *byte ^= of_call;
        }
        seed[30] = u8::try_from(call.occurrence).unwrap_or(u8::MAX);
        seed[31] = u8::try_from(call.count).unwrap_or(u8::MAX);
        Generation::Seeded {
            seed,
            now: self.now,
        }
    }
}

static SEEDS: Seeds = Seeds { seed: 1, now: NOW };
static OTHER_SEEDS: Seeds = Seeds { seed: 2, now: NOW };

fn text(template: &str) -> String {
    let mut chart = Chart::new(template);
    chart.host = &SEEDS;
    chart.text()
}

fn error(template: &str) -> String {
    let mut chart = Chart::new(template);
    chart.host = &SEEDS;
    chart.error().diagnostic().message.clone()
}

/// The parts of an output that are PEM.
fn pems(text: &str) -> Vec<&str> {
    text.split_inclusive("-----END")
        .filter_map(|part| {
            part.find("-----BEGIN")
                .map(|start| start + offset(text, part))
        })
        .map(|start| {
            let rest = &text[start..];
            let end = rest.find("-----END").map_or(rest.len(), |end| end + 8);
            let line = rest[end..]
                .find('\n')
                .map_or(rest.len(), |line| end + line + 1);
            &rest[..line]
        })
        .collect()
}

fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("it is a certificate in PEM")
}

fn extension<'c, T>(certificate: &'c Certificate) -> Option<(bool, T)>
where
    T: x509_cert::der::Decode<'c> + AssociatedOid,
{
    let extension = certificate.tbs_certificate().get_extension::<T>();
    extension.unwrap_or_else(|_| panic!("the extension cannot be read"))
}

/// Whether webpki takes the certificate for a server of the name, at a time.
fn is_valid(leaf: &CertificateDer<'_>, root: &CertificateDer<'_>, name: &str, at: i64) -> bool {
    let anchor = anchor_from_trusted_cert(root).expect("it is an authority");
    let Ok(leaf) = EndEntityCert::try_from(leaf) else {
        return false;
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.cast_unsigned()));
    let algorithms = [
        RSA_PKCS1_2048_8192_SHA256,
        ECDSA_P256_SHA256,
        ECDSA_P384_SHA384,
        ED25519,
    ];
    let name = ServerName::try_from(name).expect("it is a name");
    leaf.verify_for_usage(
        &algorithms,
        &[anchor],
        &[],
        at,
        KeyUsage::server_auth(),
        None,
        None,
    )
    .is_ok()
        && leaf.verify_is_valid_for_subject_name(&name).is_ok()
}

const DAY_S: i64 = 86_400;

const CHAIN: &str = r#"{{ $ca := genCA "my-ca" 30 }}{{ $ca.Cert }}{{ $ca.Key }}{{ $c := genSignedCert "*.example.org" (list "10.0.0.1" "::ffff:10.0.0.2" "2001:db8::1") (list "a.example.org" "*.b.example.org") 10 $ca }}{{ $c.Cert }}{{ $c.Key }}"#;

#[test]
fn a_signed_certificate_says_what_sprigs_says() {
    let chain = text(CHAIN);
    let parts = pems(&chain);
    assert_eq!(parts.len(), 4);
    assert_eq!(parts.concat(), chain);
    let (root, leaf) = (der(parts[0]), der(parts[2]));
    for name in [
        "a.example.org",
        "x.b.example.org",
        "10.0.0.1",
        "10.0.0.2",
        "2001:db8::1",
    ] {
        assert!(is_valid(&leaf, &root, name, NOW), "{name}");
        assert!(is_valid(&leaf, &root, name, NOW + 10 * DAY_S), "{name}");
    }
    assert!(!is_valid(&leaf, &root, "b.example.org", NOW));
    assert!(!is_valid(&leaf, &root, "a.example.org", NOW - 1));
    assert!(!is_valid(
        &leaf,
        &root,
        "a.example.org",
        NOW + 10 * DAY_S + 1
    ));

    let certificate = Certificate::from_der(&leaf).unwrap();
    let signed = certificate.tbs_certificate();
    assert_eq!(signed.subject().to_string(), "CN=*.example.org");
    assert_eq!(signed.issuer().to_string(), "CN=my-ca");
    // An asterisk is no character of a PrintableString.
    assert!(
        signed
            .subject()
            .to_der()
            .unwrap()
            .windows(2)
            .any(|bytes| bytes == [0x0c, 13])
    );
    let (critical, usage) = extension::<ExtendedKeyUsage>(&certificate).unwrap();
    assert!(!critical);
    let usages: Vec<String> = usage.0.iter().map(ToString::to_string).collect();
    assert_eq!(usages, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    let (critical, constraints) = extension::<BasicConstraints>(&certificate).unwrap();
    assert!(critical && !constraints.ca && constraints.path_len_constraint.is_none());
    assert!(extension::<SubjectKeyIdentifier>(&certificate).is_none());
    let (critical, names) = extension::<SubjectAltName>(&certificate).unwrap();
    assert!(!critical);
    let shown: Vec<String> = names.0.iter().map(general_name).collect();
    assert_eq!(
        shown,
        [
            "a.example.org",
            "*.b.example.org",
            "10.0.0.1",
            "10.0.0.2",
            "2001:db8::1"
        ]
    );

    let authority = Certificate::from_der(&root).unwrap();
    let (critical, constraints) = extension::<BasicConstraints>(&authority).unwrap();
    assert!(critical && constraints.ca);
    let (_, own) = extension::<SubjectKeyIdentifier>(&authority).unwrap();
    let (_, of_issuer) = extension::<AuthorityKeyIdentifier>(&certificate).unwrap();
    assert_eq!(of_issuer.key_identifier.as_ref(), Some(&own.0));
    assert_eq!(own.0.as_bytes().len(), 20);
    assert!(extension::<AuthorityKeyIdentifier>(&authority).is_none());
    // Bits 0 and 2, and for the authority 5 as well.
    for (certificate, expected) in [
        (&certificate, [3, 2, 5, 0xa0]),
        (&authority, [3, 2, 2, 0xa4]),
    ] {
        let all = certificate.tbs_certificate().extensions().unwrap();
        assert_eq!(all[0].extn_id.to_string(), "2.5.29.15");
        assert!(all[0].critical);
        assert_eq!(all[0].extn_value.as_bytes(), expected);
    }
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => name.to_string(),
        GeneralName::IpAddress(address) => match address.as_bytes() {
            &[a, b, c, d] => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
            long => {
                let octets = <[u8; 16]>::try_from(long).expect("it is an address");
                std::net::Ipv6Addr::from(octets).to_string()
            }
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_of_every_kind_certify_and_are_read_again() {
    for kind in ["ecdsa", "ed25519"] {
        let template = format!(
            r#"{{{{ $k := genPrivateKey "{kind}" }}}}{{{{ $ca := genCAWithKey "ca" 5 $k }}}}{{{{ $ca.Cert }}}}{{{{ $ca.Key }}}}{{{{ $k }}}}{{{{ $l := genSignedCertWithKey "l" nil (list "l.x") 5 $ca (genPrivateKey "{kind}") }}}}{{{{ $l.Cert }}}}{{{{ $l.Key }}}}"#
        );
        let rendered = text(&template);
        let parts = pems(&rendered);
        assert_eq!(parts[1], parts[2], "the key stays as it is");
        assert_ne!(parts[1], parts[4]);
        let (root, leaf) = (der(parts[0]), der(parts[3]));
        assert!(is_valid(&leaf, &root, "l.x", NOW), "{kind}");
    }
}

#[test]
fn a_self_signed_certificate_verifies_itself() {
    let template = r#"{{ $c := genSelfSignedCert "" (list) (list "s.x") 3 }}{{ $c.Cert }}"#;
    let rendered = text(template);
    let certificate = der(&rendered);
    let parsed = Certificate::from_der(&certificate).unwrap();
    assert!(parsed.tbs_certificate().subject().is_empty());
    let (critical, _) = extension::<SubjectAltName>(&parsed).unwrap();
    assert!(critical, "nothing else says whose it is");
    assert_eq!(
        parsed
            .tbs_certificate()
            .validity()
            .not_before
            .to_unix_duration()
            .as_secs(),
        NOW.cast_unsigned()
    );
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let render = |host: &'static Seeds, template: &str| {
        let mut chart = Chart::new(template);
        chart.host = host;
        chart.text()
    };
    for template in [
        CHAIN,
        r#"{{ genPrivateKey "ecdsa" }}"#,
        r#"{{ genPrivateKey "ed25519" }}"#,
        r#"{{ bcrypt "p" }}"#,
        r#"{{ htpasswd "u" "p" }}"#,
        r#"{{ encryptAES "k" "text" }}"#,
        "{{ randBytes 12 }}",
        r#"{{ shuffle "abcdefghijklmnopqrstuvwxyz" }}"#,
    ] {
        let first = render(&SEEDS, template);
        assert_eq!(first, render(&SEEDS, template), "{template}");
        assert_ne!(first, render(&OTHER_SEEDS, template), "{template}");
    }
}

#[test]
fn large_keys_have_the_forms_that_openssl_once_gave_them() {
    for (kind, label) in [("rsa", "RSA PRIVATE KEY"), ("dsa", "DSA PRIVATE KEY")] {
        let key = text(&format!("{{{{ genPrivateKey {kind:?} }}}}"));
        assert!(key.starts_with(&format!("-----BEGIN {label}-----\n")));
        assert!(key.ends_with(&format!("\n-----END {label}-----\n")));
        assert!(key.lines().all(|line| line.len() <= 64));
        let again = text(&format!("{{{{ genPrivateKey {kind:?} }}}}"));
        assert_eq!(key, again);
    }
}

#[test]
fn hashes_are_those_of_the_password() {
    let hash = text(r#"{{ bcrypt "pass word" }}"#);
    assert!(hash.starts_with("$2a$10$"), "{hash}");
    assert!(bcrypt::verify("pass word", &hash).unwrap());
    let line = text(r#"{{ htpasswd "user" "pass word" }}"#);
    let (user, hash) = line.split_once(':').unwrap();
    assert_eq!(user, "user");
    assert!(bcrypt::verify("pass word", hash).unwrap());
}

#[test]
fn a_certificate_is_a_value_with_two_fields() {
    let template =
        r#"{{ $k := genPrivateKey "ed25519" }}{{ genCAWithKey "c" 1 $k | printf "%T" }}"#;
    assert_eq!(text(template), "sprig.certificate");
    let template = r#"{{ $c := genCAWithKey "c" 1 (genPrivateKey "ed25519") }}{{ eq (toJson $c) (toJson (dict "Cert" $c.Cert "Key" $c.Key)) }} {{ eq (print $c) (printf "{%s %s}" $c.Cert $c.Key) }}"#;
    assert_eq!(text(template), "true true");
    let message =
        error(r#"{{ $c := genCAWithKey "c" 1 (genPrivateKey "ed25519") }}{{ $c.Chain }}"#);
    assert_eq!(
        message,
        "can't evaluate field Chain in type sprig.certificate"
    );
    let message = error(r#"{{ genSignedCert "c" nil nil 1 (dict "Cert" "c" "Key" "k") }}"#);
    assert_eq!(
        message,
        "wrong type for value; expected sprig.certificate; got map[string]interface {}"
    );
}

#[test]
fn what_cannot_be_certified_is_an_error() {
    let with_key = |call: &str| {
        error(&format!(
            "{{{{ $k := genPrivateKey \"ed25519\" }}}}{{{{ {call} }}}}"
        ))
    };
    for (call, expected) in [
        (
            r#"genSelfSignedCertWithKey "c" (list "a") nil 1 $k"#,
            "error parsing ip: a",
        ),
        (
            r#"genSelfSignedCertWithKey "c" (list 1) nil 1 $k"#,
            "error parsing ip: 1 is not a string",
        ),
        (
            r#"genSelfSignedCertWithKey "c" nil (list true) 1 $k"#,
            "error processing alternate dns name: true is not a string",
        ),
        (
            r#"genSelfSignedCertWithKey "c" nil (list "é") 1 $k"#,
            "error creating certificate: x509: \"é\" cannot be encoded as an IA5String",
        ),
        (
            r#"genCAWithKey "c" 1 "key""#,
            "parsing private key: no PEM data in input",
        ),
        (
            r#"genCAWithKey "c" 1 (genCAWithKey "c" 1 $k).Cert"#,
            "parsing private key: no private key data in PEM block of type CERTIFICATE",
        ),
        (
            r#"genCAWithKey "c" 1 (genPrivateKey "dsa")"#,
            "error creating certificate: x509: certificate private key does not implement crypto.Signer",
        ),
        (
            r#"genSignedCertWithKey "c" nil nil 1 (genCAWithKey "c" 1 $k) (genPrivateKey "dsa")"#,
            "error creating certificate: x509: unsupported public key type: *dsa.PublicKey",
        ),
        (
            r#"buildCustomCert "%" """#,
            "unable to decode base64 certificate",
        ),
        (
            r#"buildCustomCert "" "%""#,
            "unable to decode base64 private key",
        ),
        (r#"buildCustomCert "" """#, "unable to decode certificate"),
        // `AA==` in PEM.
        (
            r#"buildCustomCert "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=" """#,
            "error parsing certificate: decodedCert.Bytes: x509: malformed certificate",
        ),
    ] {
        assert_eq!(with_key(call), expected, "{call}");
    }
}

#[test]
fn much_costly_work_ends_at_the_limit() {
    let limits = Limits {
        steps: 1_500_000,
        ..Limits::GO
    };
    for call in [
        r#"bcrypt "p""#,
        r#"derivePassword 1 "pin" "p" "u" "s""#,
        r#"genCA "c" 1"#,
    ] {
        let template = format!("{{{{ range 100 }}}}{{{{ $_ := {call} }}}}{{{{ end }}}}");
        let mut chart = Chart::new(&template).limits(limits);
        chart.host = &SEEDS;
        assert_eq!(
            chart.error().diagnostic().message,
            "rendering takes more than 1500000 evaluation steps",
            "{call}"
        );
    }
}

/// What any openssl that is there says of a chain.
#[test]
#[ignore = "needs openssl"]
fn openssl_takes_keys_and_certificates() {
    let openssl = std::env::var_os("CAIRN_PEERS").map_or("openssl".into(), |peers| {
        std::path::Path::new(&peers).join("openssl")
    });
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let run = |arguments: &str| {
        let output = std::process::Command::new(&openssl)
            .args(arguments.split(' '))
            .current_dir(folder.path())
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let chain = text(CHAIN);
    let parts = pems(&chain);
    write("ca.pem", parts[0]);
    write("leaf.pem", parts[2]);
    write("leaf.key", parts[3]);
    run(&format!(
        "verify -attime {NOW} -x509_strict -purpose sslserver -CAfile ca.pem leaf.pem"
    ));
    let shown = run("x509 -in leaf.pem -noout -text");
    for expected in [
        "Issuer: CN = my-ca",
        "Not Before: Nov 28 15:30:00 2026 GMT",
        "Not After : Dec  8 15:30:00 2026 GMT",
        "Subject: CN = *.example.org",
        "Public-Key: (2048 bit)",
        "Exponent: 65537 (0x10001)",
        "DNS:a.example.org, DNS:*.b.example.org, IP Address:10.0.0.1, IP Address:10.0.0.2, IP Address:2001:DB8:0:0:0:0:0:1",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let of_key = run("rsa -in leaf.key -pubout");
    assert_eq!(of_key, run("x509 -in leaf.pem -noout -pubkey"));
    for kind in ["rsa", "ecdsa", "ed25519", "dsa"] {
        write(
            "key.pem",
            &text(&format!("{{{{ genPrivateKey {kind:?} }}}}")),
        );
        run("pkey -in key.pem -noout -check");
    }
    for curve in ["P-256", "P-384"] {
        let key = run(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve}"
        ));
        write("key.pem", &key);
        let template = format!(
            r#"{{{{ $c := genCAWithKey "c" 2 {key:?} }}}}{{{{ $c.Cert }}}}{{{{ $c.Key }}}}"#
        );
        let rendered = text(&template);
        let parts = pems(&rendered);
        write("ca.pem", parts[0]);
        write("again.pem", parts[1]);
        run(&format!(
            "verify -attime {NOW} -check_ss_sig -CAfile ca.pem ca.pem"
        ));
        assert_eq!(
            run("pkey -in again.pem -pubout"),
            run("pkey -in key.pem -pubout")
        );
    }
}

/// Renders a template over values that are texts.
fn text_of(template: &str, values: &[(&str, &str)]) -> String {
    let lines = values
        .iter()
        .map(|(key, value)| format!("{key}: {}\n", serde_json::json!(value)));
    let mut chart = Chart::new(template).values(&lines.collect::<String>());
    chart.host = &SEEDS;
    chart.text()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_encrypted_is_decrypted(key in "[ -~é]{0,40}", content in "[ -~é]{0,70}") {
        let template = "{{ decryptAES .Values.k (encryptAES .Values.k .Values.c) }}";
        prop_assert_eq!(text_of(template, &[("k", &key), ("c", &content)]), content);
    }

    #[test]
    fn a_shuffled_text_has_the_same_characters(content in "[ -~é]{0,20}") {
        let shuffled = text_of("{{ shuffle .Values.c }}", &[("c", &content)]);
        let sorted = |text: &str| {
            let mut characters: Vec<char> = text.chars().collect();
            characters.sort_unstable();
            characters
        };
        prop_assert_eq!(sorted(&shuffled), sorted(&content));
    }
}
