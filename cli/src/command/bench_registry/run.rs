//! The protocol: which measurement follows which.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    ceiling,
    content::Content,
    fixtures::{Fixtures, Sizes},
    load,
    process::{MemorySampler, ServerProcess, resident_bytes},
    report::{Figure, Registry, Report, Row, Unit},
    target::Target,
    workload::{Needs, Workload},
};

/// How long a server is left alone before its memory counts as idle.
const SETTLING: Duration = Duration::from_secs(1);

/// What to measure, and how long.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) scale: f64,
    pub(crate) stored: usize,
    pub(crate) blob_mib: f64,
    pub(crate) seed: u64,
    pub(crate) ceiling: bool,
}

/// A registry that takes part.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) name: String,
    target: Target,
    process: Option<ServerProcess>,
    pid: Option<u32>,
    /// What was put there already.
    filled: BTreeSet<Needs>,
}

impl Side {
    pub(crate) fn new(name: &str, target: Target) -> Self {
        Self {
            name: name.to_owned(),
            target,
            process: None,
            pid: None,
            filled: BTreeSet::new(),
        }
    }

    pub(crate) fn start_with(&mut self, command: &str) {
        self.process = Some(ServerProcess::new(command));
    }

    pub(crate) fn watch(&mut self, pid: u32) {
        self.pid = Some(pid);
    }

    fn pid(&self) -> Option<u32> {
        let started = self.process.as_ref().and_then(ServerProcess::id);
        started.or(self.pid)
    }
}

/// One measurement's place in the run.
#[derive(Debug, Clone, Copy)]
struct Measurement {
    workload: Workload,
    connections: usize,
    number: usize,
}

impl Protocol {
    /// Measures everything.
    pub(crate) async fn run(self, mut sides: Vec<Side>, progress: &dyn Fn(&str)) -> Result<Report> {
        let duration = Duration::from_secs_f64(self.seconds);
        let amounts = Sizes {
            stored: self.stored,
            ..Sizes::scaled(self.scale, self.blob_mib)
        };
        let mut fixtures = Fixtures::new(Content::new(self.seed), amounts);
        let ceiling = if self.ceiling {
            progress("measuring the load generator");
            ceiling::measure(duration, amounts.blob_bytes).await?
        } else {
            Vec::new()
        };
        for side in &mut sides {
            if let Some(process) = &mut side.process {
                process.start(&side.target).await?;
            }
        }
        let mut rows = Vec::new();
        let mut number = 0;
        for &workload in &self.workloads {
            for &connections in workload.connections() {
                progress(&format!(
                    "measuring {} over {connections} connections",
                    workload.name()
                ));
                let mut row = Row {
                    workload: workload.name(),
                    connections,
                    unit: workload.unit(),
                    better: workload.better(),
                    figures: sides.iter().map(|_| Figure::default()).collect(),
                    ratio: None,
                };
                for (side, figure) in sides.iter_mut().zip(&mut row.figures) {
                    if let Err(error) = fill(&mut fixtures, side, workload.needs()).await {
                        figure.failure = Some(format!("{error:#}"));
                    }
                }
                for place in alternating(sides.len(), self.rounds) {
                    number += 1;
                    let measurement = Measurement {
                        workload,
                        connections,
                        number,
                    };
                    let (side, figure) = (&mut sides[place], &mut row.figures[place]);
                    if figure.failure.is_none()
                        && let Err(error) =
                            measure(&fixtures, side, measurement, duration, figure).await
                    {
                        figure.failure = Some(format!("{error:#}"));
                    }
                }
                row.figures.iter_mut().for_each(Figure::close);
                row.compare();
                rows.push(row);
            }
        }
        Ok(Report {
            seed: self.seed,
            rounds: self.rounds,
            seconds: self.seconds,
            scale: self.scale,
            stored: self.stored,
            blob_bytes: amounts.blob_bytes,
            registries: sides.iter().map(registry).collect(),
            ceiling,
            rows,
        })
    }
}

/// Whose turn it is: there and back again in each round.
fn alternating(sides: usize, rounds: usize) -> Vec<usize> {
    let round = (0..sides).chain((0..sides).rev());
    (0..rounds).flat_map(|_| round.clone()).collect()
}

async fn fill(fixtures: &mut Fixtures, side: &mut Side, needs: Needs) -> Result<()> {
    if needs == Needs::Process && side.process.is_none() {
        anyhow::bail!("it was not started by this command (--start)");
    }
    if !side.filled.contains(&needs) {
        let filled = fixtures.fill(&side.target, needs).await;
        filled.context("it could not be filled")?;
        side.filled.insert(needs);
    }
    Ok(())
}

async fn measure(
    fixtures: &Fixtures,
    side: &mut Side,
    measurement: Measurement,
    duration: Duration,
    figure: &mut Figure,
) -> Result<()> {
    if let (Workload::ColdStart | Workload::IdleMemory, Some(process)) =
        (measurement.workload, &mut side.process)
    {
        process.stop()?;
        let took = process.start(&side.target).await?;
        if measurement.workload == Workload::ColdStart {
            figure.samples.push(took.as_secs_f64());
        } else {
            tokio::time::sleep(SETTLING).await;
            let memory = process.id().and_then(resident_bytes);
            let memory = memory.context("the system does not tell a process's memory")?;
            figure.samples.push(rough(memory));
        }
        return Ok(());
    }
    let load = fixtures.load(measurement.workload, measurement.number)?;
    let sampler = side.pid().map(MemorySampler::start);
    let sample = load::run(&side.target, load, measurement.connections, duration).await;
    let peak = sampler.and_then(MemorySampler::stop);
    figure.peak_memory_bytes = figure.peak_memory_bytes.max(peak);
    let sample = sample?;
    let elapsed_s = sample.elapsed.as_secs_f64();
    figure.samples.push(match measurement.workload.unit() {
        Unit::BytesPerSecond => rough(sample.bytes) / elapsed_s,
        _ => rough(sample.operations) / elapsed_s,
    });
    figure.latencies_us.extend(sample.latencies_us);
    Ok(())
}

fn registry(side: &Side) -> Registry {
    Registry {
        name: side.name.clone(),
        url: side.target.to_string(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rates are shown with few digits"
)]
pub(crate) fn rough(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_there_and_back() {
        assert_eq!(alternating(2, 2), [0, 1, 1, 0, 0, 1, 1, 0]);
        assert_eq!(alternating(3, 1), [0, 1, 2, 2, 1, 0]);
    }
}
