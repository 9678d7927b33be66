//! `cairn chart show`: what a Helm chart says of itself.

use std::path::PathBuf;

use cairn_chart::{ChartPart, show};
use clap::{Args, ValueEnum};

use crate::{
    charts::{Failed, Texts, load_chart},
    exit::Outcome,
    output::Output,
};

/// Show a part of a Helm chart, as `helm show` does
#[derive(Debug, Args)]
pub(crate) struct ChartShow {
    /// What to show
    #[arg(value_enum)]
    part: PartArg,
    /// A chart: a folder or a `.tgz`
    #[arg(value_name = "CHART")]
    chart: PathBuf,
}

/// A part of a chart.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PartArg {
    /// Its default values
    Values,
    /// Its metadata
    Chart,
    /// Its readme
    Readme,
    /// Its custom resource definitions
    Crds,
}

impl ChartShow {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let mut texts = Texts::default();
        let chart =
            load_chart(&self.chart, &mut texts).map_err(|failed| failed.report(&texts, output))?;
        let part = match self.part {
            PartArg::Values => ChartPart::Values,
            PartArg::Chart => ChartPart::Chart,
            PartArg::Readme => ChartPart::Readme,
            PartArg::Crds => ChartPart::Crds,
        };
        let shown = show(&chart, part, &texts.sources)
            .map_err(|error| Failed::from(error).report(&texts, output))?;
        output.bytes(&shown);
        Ok(())
    }
}
