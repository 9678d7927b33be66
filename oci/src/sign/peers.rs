//! The same content through other people's tools: cosign, oras, crane and Debian's registry; and
//! through Cairn's own registry, which this crate does not know either.
//!
//! These tests are ignored by default. They look for the tools in the directory that
//! `CAIRN_PEERS` names, then, for `cairn`, where cargo built it, and then on the path.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cairn_spec::{Artifact, Reference};
use tempfile::TempDir;

use super::{Form, SignOptions, attest, sign, verify, verify_attestations};
use crate::{
    Client, CopyOptions, LayoutStore, Name, Options, PrivateKey, PublicKey, PullLimits, copy, key,
    remote::test_registry::{TestRegistry, Traits},
    store::conformance,
};

const PASSWORD: &str = "a password";

fn tool(name: &str) -> PathBuf {
    std::env::var_os("CAIRN_PEERS")
        .map(|folder| Path::new(&folder).join(name))
        .filter(|path| path.exists())
        .or_else(|| built(name))
        .unwrap_or_else(|| name.into())
}

/// `cairn`, or the one that the black-box tests build for themselves, beside this test.
fn built(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let folder = test.parent()?.parent()?;
    ["cairn", "cairn-under-test"]
        .into_iter()
        .filter(|_| name == "cairn")
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}

/// Runs a tool in a folder; the output when it succeeds, the messages when it fails.
fn run(folder: &TempDir, name: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool(name))
        .args(arguments)
        .current_dir(folder)
        .env("COSIGN_PASSWORD", PASSWORD)
        .env("HOME", folder.path())
        .env("DOCKER_CONFIG", folder.path())
        .output()
        .unwrap_or_else(|error| panic!("`{name}` does not run: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// A registry to meet other tools in.
enum Registry {
    /// This crate's own, with the referrers API.
    Test(TestRegistry),
    /// Another program: Cairn's has it, the others have not.
    Peer(Peer),
}

struct Peer {
    host: String,
    process: Child,
    _folder: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Peer {
    fn start(name: &str, arguments: impl Fn(&str, &Path) -> Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = format!("127.0.0.1:{port}");
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(tool(name))
            .args(arguments(&host, folder.path()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`{name}` does not run: {error}"));
        Self {
            host,
            process,
            _folder: folder,
        }
    }

    fn crane() -> Self {
        let arguments = |host: &str, _: &Path| {
            ["registry", "serve", "--address", host]
                .map(str::to_owned)
                .to_vec()
        };
        Self::start("crane", arguments)
    }

    fn cairn() -> Self {
        let arguments = |host: &str, folder: &Path| {
            let data = folder.join("data").display().to_string();
            [
                "registry",
                "serve",
                "--listen",
                host,
                "--immutable",
                "none",
                "--data",
                &data,
            ]
            .map(str::to_owned)
            .to_vec()
        };
        Self::start("cairn", arguments)
    }

    fn debian() -> Self {
        Self::debian_with("")
    }

    /// `tls` is more of the `http` section of the configuration.
    fn debian_with(tls: &str) -> Self {
        let arguments = |host: &str, folder: &Path| {
            let storage = folder.join("storage");
            let config = format!(
                "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'{tls}}}\nstorage: {{delete: {{enabled: true}}, filesystem: {{rootdirectory: '{}'}}}}\n",
                storage.display()
            );
            let path = folder.join("config.yml");
            std::fs::write(&path, config).unwrap();
            vec!["serve".to_owned(), path.display().to_string()]
        };
        Self::start("docker-registry", arguments)
    }
}

impl Registry {
    async fn all() -> Vec<Self> {
        let all = vec![
            Self::Test(TestRegistry::start(Traits::default()).await),
            Self::Peer(Peer::crane()),
            Self::Peer(Peer::debian()),
            Self::Peer(Peer::cairn()),
        ];
        for registry in &all {
            registry.wait().await;
        }
        all
    }

    fn reference(&self, rest: &str) -> Reference {
        match self {
            Self::Test(registry) => registry.reference(rest),
            Self::Peer(peer) => format!("{}/{rest}", peer.host).parse().unwrap(),
        }
    }

    /// Waits until the registry answers that there is nothing.
    async fn wait(&self) {
        let reference = self.reference("none:1");
        for _ in 0..100 {
            match client().resolve(&reference).await {
                Err(error) if error.is_not_found() => return,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("`{reference}` is not served");
    }

    /// Pushes an artifact and returns its reference by digest.
    async fn push(&self, artifact: &Artifact) -> Reference {
        let reference = self.reference("packs/a:1");
        let pushed = client().push_artifact(&reference, artifact).await.unwrap();
        reference.with_digest(pushed.digest)
    }
}

fn client() -> Client {
    let options = Options {
        max_attempts: 1,
        ..Options::default()
    };
    Client::new(options).unwrap()
}

fn cosign_verify(
    folder: &TempDir,
    public: &PublicKey,
    reference: &Reference,
) -> Result<String, String> {
    std::fs::write(folder.path().join("key.pub"), public.to_pem().unwrap()).unwrap();
    let reference = reference.to_string();
    let arguments = [
        "verify",
        "--key",
        "key.pub",
        "--insecure-ignore-tlog=true",
        "--allow-http-registry",
        &reference,
    ];
    run(folder, "cosign", &arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs crane, docker-registry and cairn"]
async fn repositories_of_other_registries_conform() {
    for registry in Registry::all().await {
        let repository = client().repository_of(&registry.reference("packs/conformance"));
        conformance::check_sha256(&repository).await;
    }
}

/// A certificate authority and a certificate for the loopback address, by OpenSSL.
fn certificates(folder: &TempDir) {
    let extension = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    std::fs::write(folder.path().join("extension"), extension).unwrap();
    let authority = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=authority",
        "-days",
        "2",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    let request = [
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=registry",
        "-keyout",
        "tls.key",
        "-out",
        "tls.csr",
    ];
    let sign = [
        "x509",
        "-req",
        "-in",
        "tls.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "extension",
        "-out",
        "tls.pem",
    ];
    for arguments in [&authority[..], &request, &sign] {
        run(folder, "openssl", arguments).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs docker-registry and openssl"]
async fn https_trusts_the_authorities_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    certificates(&folder);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!(
        ", tls: {{certificate: '{}', key: '{}'}}",
        at("tls.pem"),
        at("tls.key")
    );
    let peer = Peer::debian_with(&tls);
    let reference: Reference = format!("{}/packs/a:1", peer.host).parse().unwrap();
    let with = |extra_ca_pem| {
        let options = Options {
            plain_http: Some(false),
            extra_ca_pem,
            ..Options::default()
        };
        Client::new(options).unwrap()
    };
    let trusting = with(vec![std::fs::read(at("ca.pem")).unwrap()]);
    let artifact = conformance::artifact("a");
    trusting.push_artifact(&reference, &artifact).await.unwrap();
    let pulled = trusting
        .pull_artifact(&reference, &PullLimits::default())
        .await
        .unwrap();
    assert_eq!(pulled, artifact);
    let error = with(Vec::new()).resolve(&reference).await.unwrap_err();
    assert!(matches!(error, crate::Error::Request { .. }), "{error:?}");
}

/// `openssl genpkey -algorithm ed25519`
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq
-----END PRIVATE KEY-----
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cosign, crane, docker-registry and cairn"]
async fn cosign_verifies_each_form_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = key::generate().unwrap().public_key().unwrap();
    for registry in Registry::all().await {
        for private in [
            key::generate().unwrap(),
            PrivateKey::from_pem(ED25519, None).unwrap(),
        ] {
            let public = private.public_key().unwrap();
            for form in [Form::Bundle, Form::Simple] {
                let seed = format!("{form:?} {}", public.id());
                let reference = registry.push(&conformance::artifact(&seed)).await;
                assert!(
                    cosign_verify(&folder, &public, &reference).is_err(),
                    "not signed yet"
                );
                let options = SignOptions {
                    forms: vec![form],
                    annotations: [("who".to_owned(), "us".to_owned())].into(),
                    ..SignOptions::default()
                };
                sign(&client(), &reference, &private, &options)
                    .await
                    .unwrap();
                let shown = cosign_verify(&folder, &public, &reference).unwrap();
                assert!(
                    shown.contains(reference.digest.as_ref().unwrap().as_str()),
                    "{shown}"
                );
                assert!(shown.contains(r#""who":"us""#), "{shown}");
                cosign_verify(&folder, &stranger, &reference).unwrap_err();
            }
        }
    }
}

/// An encrypted key that cosign makes.
fn cosign_key(folder: &TempDir) -> (PrivateKey, PublicKey) {
    run(folder, "cosign", &["generate-key-pair"]).unwrap();
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let private = read("cosign.key");
    let public = PublicKey::from_pem(&read("cosign.pub")).unwrap();
    let wrong = PrivateKey::from_pem(&private, Some("wrong")).unwrap_err();
    assert!(wrong.to_string().contains("password is wrong"), "{wrong}");
    let private = PrivateKey::from_pem(&private, Some(PASSWORD)).unwrap();
    assert_eq!(private.public_key().unwrap(), public);
    (private, public)
}

fn cosign_sign(folder: &TempDir, reference: &Reference, form: Form) {
    let format = format!("--new-bundle-format={}", form == Form::Bundle);
    let reference = reference.to_string();
    let arguments = [
        "sign",
        "--key",
        "cosign.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--allow-http-registry",
        "-y",
        &format,
        &reference,
    ];
    run(folder, "cosign", &arguments).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cosign, crane, docker-registry and cairn"]
async fn we_verify_what_cosign_signs() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = cosign_key(&folder);
    let keys = [public];
    for registry in Registry::all().await {
        for form in [Form::Bundle, Form::Simple] {
            let reference = registry
                .push(&conformance::artifact(&format!("{form:?}")))
                .await;
            cosign_sign(&folder, &reference, form);
            let found = verify(&client(), &reference, &keys).await.unwrap();
            assert_eq!(
                found.iter().map(|found| found.form).collect::<Vec<_>>(),
                [form]
            );
            // The key's own signature is known, so only the other form is added.
            let signed = sign(&client(), &reference, &private, &SignOptions::default())
                .await
                .unwrap();
            assert_eq!(signed.present, [form]);
            // cosign adds to ours, too.
            cosign_sign(&folder, &reference, Form::Simple);
            let ours = key::generate().unwrap();
            sign(&client(), &reference, &ours, &SignOptions::default())
                .await
                .unwrap();
            for public in [&keys[0], &ours.public_key().unwrap()] {
                cosign_verify(&folder, public, &reference).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs cosign, crane, docker-registry and cairn"]
async fn attestations_are_exchanged_with_cosign() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = cosign_key(&folder);
    let keys = [public];
    let predicate = serde_json::json!({"verdict": "passed"});
    std::fs::write(folder.path().join("predicate.json"), predicate.to_string()).unwrap();
    let ours = "https://example.com/ours";
    let theirs = "https://example.com/theirs";
    for registry in Registry::all().await {
        let reference = registry.push(&conformance::artifact("attested")).await;
        let text = reference.to_string();
        attest(&client(), &reference, ours, &predicate, &private)
            .await
            .unwrap();
        let check = [
            "verify-attestation",
            "--key",
            "cosign.pub",
            "--insecure-ignore-tlog=true",
            "--allow-http-registry",
            "--type",
            ours,
            &text,
        ];
        run(&folder, "cosign", &check).unwrap();
        let make = [
            "attest",
            "--key",
            "cosign.key",
            "--tlog-upload=false",
            "--use-signing-config=false",
            "--allow-http-registry",
            "-y",
            "--type",
            theirs,
            "--predicate",
            "predicate.json",
            &text,
        ];
        run(&folder, "cosign", &make).unwrap();
        for predicate_type in [ours, theirs] {
            let found = verify_attestations(&client(), &reference, Some(predicate_type), &keys)
                .await
                .unwrap();
            assert_eq!(found.len(), 1, "{predicate_type}");
            assert_eq!(found[0].predicate, predicate, "{predicate_type}");
        }
        assert_eq!(verify(&client(), &reference, &keys).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs oras, crane, docker-registry and cairn"]
async fn oras_and_we_read_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note.txt"), "a note").unwrap();
    let private = key::generate().unwrap();
    for registry in Registry::all().await {
        let ours = registry.push(&conformance::artifact("ours")).await;
        sign(&client(), &ours, &private, &SignOptions::default())
            .await
            .unwrap();
        let text = ours.to_string();
        let tree = run(&folder, "oras", &["discover", "--plain-http", &text]).unwrap();
        assert!(
            tree.contains("application/vnd.dev.sigstore.bundle.v0.3+json"),
            "{tree}"
        );
        let fetched = run(
            &folder,
            "oras",
            &["manifest", "fetch", "--plain-http", &text],
        )
        .unwrap();
        assert_eq!(
            fetched.as_bytes(),
            conformance::artifact("ours").manifest().bytes()
        );

        let theirs = registry.reference("theirs/note:1");
        let arguments = [
            "push",
            "--plain-http",
            &theirs.to_string(),
            "note.txt:text/plain",
        ];
        run(&folder, "oras", &arguments).unwrap();
        let pulled = client()
            .pull_artifact(&theirs, &PullLimits::default())
            .await
            .unwrap();
        assert_eq!(pulled.layer("text/plain"), Some(&b"a note"[..]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs oras"]
async fn oras_and_we_share_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::Test(TestRegistry::start(Traits::default()).await);
    let private = key::generate().unwrap();
    let reference = registry.push(&conformance::artifact("a")).await;
    sign(&client(), &reference, &private, &SignOptions::default())
        .await
        .unwrap();
    let from = client().repository_of(&reference);
    let ours = LayoutStore::open(folder.path().join("ours")).await.unwrap();
    let options = CopyOptions {
        referrers: true,
        tag: Some("1".parse().unwrap()),
        ..CopyOptions::default()
    };
    let name = Name::Digest(reference.digest.clone().unwrap());
    copy(&from, &ours, &name, &options).await.unwrap();
    let fetched = run(
        &folder,
        "oras",
        &["manifest", "fetch", "--oci-layout", "ours:1"],
    )
    .unwrap();
    assert_eq!(
        fetched.as_bytes(),
        conformance::artifact("a").manifest().bytes()
    );
    let tree = run(&folder, "oras", &["discover", "--oci-layout", "ours:1"]).unwrap();
    assert!(
        tree.contains("application/vnd.dev.sigstore.bundle.v0.3+json"),
        "{tree}"
    );
    // oras copies it on, and we read what it wrote: the bundle goes along, the tag does not.
    run(
        &folder,
        "oras",
        &[
            "cp",
            "-r",
            "--from-oci-layout",
            "--to-oci-layout",
            "ours:1",
            "theirs:2",
        ],
    )
    .unwrap();
    let theirs = LayoutStore::open(folder.path().join("theirs"))
        .await
        .unwrap();
    let subject = conformance::artifact("a").manifest().descriptor();
    let keys = [private.public_key().unwrap()];
    let found = super::verify_in(&theirs, &subject, &keys).await.unwrap();
    assert_eq!(
        found.iter().map(|found| found.form).collect::<Vec<_>>(),
        [Form::Bundle]
    );
    let found = super::verify_in(&ours, &subject, &keys).await.unwrap();
    assert_eq!(found.len(), 2);
}
