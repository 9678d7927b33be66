//! `cairn bench registry`: measures registries side by side.

mod ceiling;
mod connection;
mod content;
mod download;
mod fixtures;
mod load;
mod process;
mod report;
mod run;
mod statistics;
mod target;
mod transport;
mod workload;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use rustls::{
    CipherSuite, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use self::{
    report::Report,
    run::{Protocol, Side},
    target::{Named, Target},
    workload::Workload,
};
use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::read_text,
    output::Output,
};

/// Measure a registry, alone or beside others
///
/// Each registry gets the same content and the same requests. Measurements alternate (A-B-B-A in
/// each round), so what else the machine does meets all of them alike; the table shows medians, and
/// how many times as good the first registry is as the best of the others. Content is pushed to
/// repositories below `bench/` and stays there.
#[derive(Debug, Args)]
pub(crate) struct BenchRegistry {
    /// The registry to measure: http://HOST:PORT or https://HOST:PORT
    #[arg(value_name = "URL")]
    url: Target,
    /// What the registry is called in the results
    #[arg(long, default_value = "registry", value_name = "NAME")]
    name: String,
    /// A registry to compare with
    #[arg(long = "peer", value_name = "NAME=URL")]
    peers: Vec<Named<Target>>,
    /// Start a registry with this command, to measure its start and its memory too
    #[arg(long = "start", value_name = "NAME=COMMAND")]
    starts: Vec<Named<String>>,
    /// Verify registries that speak TLS by the authorities in this file (PEM)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The process of a registry that runs already, to measure its memory
    #[arg(long = "pid", value_name = "NAME=PID")]
    pids: Vec<Named<u32>>,
    /// Only workloads whose names begin like this, such as `push-small,manifest-get`
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Rounds; a registry is measured twice in each
    #[arg(long, default_value_t = 3, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// How long one measurement takes
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", value_parser = positive)]
    seconds: f64,
    /// Make lists this many times as long: 1 stands for 10,000 tags and referrers
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = positive)]
    scale: f64,
    /// Put this many tagged manifests there first, 1,000 in each repository, and read those from
    /// all over; what an earlier run with the same seed put there is left alone
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    stored: Option<u32>,
    /// The size of large blobs
    #[arg(long, default_value_t = 256.0, value_name = "MIB", value_parser = positive)]
    blob_mib: f64,
    /// What content is made from; another one each time, unless given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Also measure what this command itself can do
    #[arg(long)]
    ceiling: bool,
}

impl BenchRegistry {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let report = self.measure(&|text| output.message(text))?;
        output.result(&report, || report.table(), || names(&report));
        Ok(())
    }

    /// Measures, and says what is being done.
    fn measure(self, progress: &dyn Fn(&str)) -> Result<Report, Failure> {
        let workloads = Workload::chosen(&self.only).map_err(|unknown| {
            let names: Vec<&str> = Workload::ALL.iter().map(|it| it.name()).collect();
            Failure::new(
                ExitCode::Usage,
                anyhow!("no workload begins with `{unknown}`"),
            )
            .hint(format!("they are {}", names.join(", ")))
        })?;
        let sides = self.sides()?;
        let protocol = Protocol {
            workloads,
            rounds: usize::from(self.rounds),
            seconds: self.seconds,
            scale: self.scale,
            stored: self.stored.map_or(0, |stored| stored as usize),
            blob_mib: self.blob_mib,
            seed: self.seed.unwrap_or_else(unix_now_ns),
            ceiling: self.ceiling,
        };
        // One thread: the machine's other cores are for the registries.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start the asynchronous runtime")?;
        Ok(runtime.block_on(protocol.run(sides, progress))?)
    }

    /// The registries, the one to measure first.
    fn sides(&self) -> Result<Vec<Side>, Failure> {
        let tls = self.ca_file.as_deref().map(verifying).transpose()?;
        let side = |name: &str, target: &Target| {
            if target.is_secure && tls.is_none() {
                let error = anyhow!("nothing says how to verify {target}");
                return Err(Failure::new(ExitCode::Usage, error)
                    .hint("give the certificate of its authority: --ca-file FILE"));
            }
            let tls = tls.clone().filter(|_| target.is_secure);
            let target = Target {
                tls,
                ..target.clone()
            };
            Ok(Side::new(name, target))
        };
        let mut sides = vec![side(&self.name, &self.url)?];
        for peer in &self.peers {
            sides.push(side(&peer.name, &peer.value)?);
        }
        let names: Vec<String> = sides.iter().map(|side| side.name.clone()).collect();
        let place = |name: &str| {
            let place = names.iter().position(|known| known == name);
            place.ok_or_else(|| {
                Failure::new(ExitCode::Usage, anyhow!("no registry is called `{name}`"))
                    .hint(format!("they are {}", names.join(", ")))
            })
        };
        for start in &self.starts {
            sides[place(&start.name)?].start_with(&start.value);
        }
        for pid in &self.pids {
            sides[place(&pid.name)?].watch(pid.value);
        }
        Ok(sides)
    }
}

/// How to verify servers by the certificates in a file.
fn verifying(ca_file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let pem = read_text(ca_file)?;
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate
            .map_err(anyhow::Error::from)
            .and_then(|certificate| Ok(authorities.add(certificate)?));
        added.with_context(|| format!("failed to read `{}`", ca_file.display()))?;
    }
    let mut provider = rustls::crypto::ring::default_provider();
    // What most clients of registries offer first: they are written in Go.
    let preferred = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .sort_by_key(|offered| offered.suite() != preferred);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .context("failed to set up TLS")?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn names(report: &Report) -> String {
    let names: Vec<&str> = report.rows.iter().map(|row| row.workload).collect();
    names.join("\n")
}

fn positive(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e6 => Ok(number),
        _ => Err("expected a number above 0"),
    }
}

/// A seed that was hardly ever used.
fn unix_now_ns() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(1, |elapsed| {
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    })
}
