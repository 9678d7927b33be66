//! The whole protocol, tiny, against two registries in this process.

use cairn_registry::{Config, StorageConfig};
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
    let stop = stop.clone();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let config = Config {
                storage: StorageConfig::Memory,
                ..Config::default()
            };
            let app = config.build().await.unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            app.run(listener, stop).await.unwrap();
        });
    });
    format!("http://{}", told.recv().unwrap())
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
    assert_eq!(report.ceiling.len(), 3);
    let table = report.table();
    assert!(table.contains("manifest-get-tag"), "{table}");
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
    ] {
        let line = format!("bench http://127.0.0.1:1 {options}");
        let command = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
        let failure = command.bench.measure(&|_| ()).unwrap_err();
        assert_eq!(failure.error.unwrap().to_string(), message);
        assert!(failure.hint.is_some());
    }
}
