//! The whole protocol, tiny, against two registries in this process.

use std::{fs, path::Path};

use cairn_registry::{ClientCertificates, Config, StorageConfig, TlsConfig};
use clap::Parser as _;
use tokio_util::sync::CancellationToken;

use super::{BenchRegistry, Report, workload::Workload};

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    bench: BenchRegistry,
}

/// A registry in memory, on a thread and a port of its own; it ends with the token.
fn serve(stop: &CancellationToken) -> String {
    serve_with(stop, None)
}

fn serve_with(stop: &CancellationToken, tls: Option<TlsConfig>) -> String {
    let stop = stop.clone();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let config = Config {
                storage: StorageConfig::Memory,
                tls,
                ..Config::default()
            };
            let app = config.build().await.unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            app.run(listener, stop).await.unwrap();
        });
    });
    format!("{scheme}://{}", told.recv().unwrap())
}

fn measured(options: &str) -> Report {
    let stop = CancellationToken::new();
    let _ends = stop.clone().drop_guard();
    let (first, second) = (serve(&stop), serve(&stop));
    let line = format!("bench {first} --peer other={second} --rounds 1 --seconds 0.001 {options}");
    let command = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
    command.bench.measure(&|_| ()).unwrap()
}

#[test]
fn every_workload_runs_against_a_registry() {
    let report = measured("--scale 0.002 --blob-mib 0.3 --ceiling");
    for row in &report.rows {
        let needs_process = ["cold-start", "idle-memory"].contains(&row.workload);
        for figure in &row.figures {
            if needs_process {
                assert!(figure.failure.as_deref().unwrap().contains("--start"));
                continue;
            }
            assert_eq!(figure.failure, None, "{}", row.workload);
            assert_eq!(figure.samples.len(), 2, "{}", row.workload);
            assert!(figure.value > Some(0.0), "{}", row.workload);
        }
        assert_eq!(row.ratio.is_some(), !needs_process, "{}", row.workload);
    }
    let measurements = Workload::ALL.iter().flat_map(|it| it.connections());
    assert_eq!(report.rows.len(), measurements.count());
    assert_eq!(report.ceiling.len(), 6);
    let table = report.table();
    assert!(table.contains("manifest-get-tag"), "{table}");
}

#[test]
fn manifests_are_stored_once_and_read_from_all_over() {
    let report =
        measured("--scale 0.002 --stored 1200 --only manifest-get-tag,manifest-head-digest");
    for row in &report.rows {
        for figure in &row.figures {
            assert_eq!(figure.failure, None, "{}", row.workload);
        }
    }
}

/// Writes an authority, and a certificate of it for 127.0.0.1.
fn certificates(folder: &Path) -> TlsConfig {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let tls = TlsConfig {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_ca: None,
        client_certificates: ClientCertificates::default(),
    };
    fs::write(&tls.certificate, certificate.pem()).unwrap();
    fs::write(&tls.key, key.serialize_pem()).unwrap();
    tls
}

#[test]
fn registries_are_measured_over_tls() {
    let stop = CancellationToken::new();
    let _ends = stop.clone().drop_guard();
    let folder = tempfile::tempdir().unwrap();
    let url = serve_with(&stop, Some(certificates(folder.path())));
    let line = format!(
        "bench {url} --ca-file {} --rounds 1 --seconds 0.001 --only pull --blob-mib 0.3",
        folder.path().join("ca.pem").display()
    );
    let command = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
    for row in &command.bench.measure(&|_| ()).unwrap().rows {
        assert_eq!(row.figures[0].failure, None, "{}", row.workload);
    }
}

#[test]
fn what_a_registry_does_not_have_is_said() {
    let stop = CancellationToken::new();
    let _ends = stop.clone().drop_guard();
    let line = format!(
        "bench {} --peer gone=http://127.0.0.1:1 --rounds 1 --seconds 0.001 --only catalog --scale 0.001",
        serve(&stop)
    );
    let command = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
    let report = command.bench.measure(&|_| ()).unwrap();
    let [ours, gone] = &report.rows[0].figures[..] else {
        panic!("two figures")
    };
    assert_eq!(ours.failure, None);
    assert!(
        gone.failure
            .as_deref()
            .unwrap()
            .contains("failed to connect")
    );
    assert!(report.table().contains("catalog of gone: "));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (options, message) in [
        ("--only fly", "no workload begins with `fly`"),
        ("--pid other=1", "no registry is called `other`"),
        (
            "--peer b=https://127.0.0.1:1",
            "nothing says how to verify https://127.0.0.1:1",
        ),
    ] {
        let line = format!("bench http://127.0.0.1:1 {options}");
        let command = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
        let failure = command.bench.measure(&|_| ()).unwrap_err();
        assert_eq!(failure.error.unwrap().to_string(), message);
        assert!(failure.hint.is_some());
    }
}
