//! Charts on the command line: where they are read from, and what is given beside them.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use cairn_chart::{
    Chart, ChartFile, ChartLimits, Dialect, Error,
    values::{Overrides, ValuesFile},
};
use cairn_spec::{Diagnostic, Node, Origins, SourceKind, Sources};
use clap::{Args, ValueEnum};

use crate::{
    chart_folder::{go_text, read_chart_folder},
    exit::{ExitCode, Failure},
    files::describe,
    output::Output,
};

/// The largest packed chart and the largest file of values, in bytes.
const MAX_FILE_BYTES: u64 = 100 << 20;
/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Values of a chart, in Helm's words.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ValueArgs {
    /// Files of values; `-` is standard input
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    values: Vec<PathBuf>,
    /// Values, as in a.b=1,c={x,y}
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Values that are texts
    #[arg(long, value_name = "PATH=TEXT")]
    set_string: Vec<String>,
    /// Values in JSON, each as PATH=JSON, or one JSON object
    #[arg(long, value_name = "PATH=JSON")]
    set_json: Vec<String>,
    /// Values that are the content of files
    #[arg(long, value_name = "PATH=FILE")]
    set_file: Vec<String>,
    /// Values that are texts as they stand
    #[arg(long, value_name = "PATH=TEXT")]
    set_literal: Vec<String>,
}

impl ValueArgs {
    /// All values, merged.
    pub(crate) fn merge(self, dialect: Dialect, texts: &mut Texts) -> Result<Node, Failed> {
        let files = self.values.into_iter().map(|path| {
            let bytes = read_file(&path).map_err(Failed::Command)?;
            Ok(ValuesFile {
                name: path.display().to_string(),
                bytes,
                kind: SourceKind::Profile,
            })
        });
        let overrides = Overrides {
            files: files.collect::<Result<_, Failed>>()?,
            json: self.set_json,
            values: self.set,
            strings: self.set_string,
            file_values: self.set_file,
            literals: self.set_literal,
        };
        let mut read = |path: &str| {
            let path = Path::new(path);
            read_bytes(path).map_err(|error| go_text("open", path, &error))
        };
        overrides
            .merge(dialect, &mut texts.sources, &mut texts.origins, &mut read)
            .map_err(Failed::Chart)
    }
}

/// Which Helm is followed.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum DialectArg {
    /// Helm 4.2.3
    #[default]
    Helm4,
    /// Helm 3.21.4
    Helm3,
}

impl From<DialectArg> for Dialect {
    fn from(dialect: DialectArg) -> Self {
        match dialect {
            DialectArg::Helm4 => Self::Helm4,
            DialectArg::Helm3 => Self::Helm3,
        }
    }
}

/// The texts that findings point at, and where values came from.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
}

/// Why something with a chart failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// A chart, its values or its templates have a mistake.
    Chart(Error),
    /// Anything else.
    Command(Failure),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Chart(error)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Command(failure)
    }
}

impl Failed {
    /// Shows what is wrong with a chart where it is, and how Helm says it.
    pub(crate) fn report(self, texts: &Texts, output: &Output) -> Failure {
        match self {
            Self::Command(failure) => failure,
            Self::Chart(error) => {
                let finding = error.into_explained();
                output.finding(&finding, &texts.sources);
                Failure::reported(ExitCode::InvalidInput)
            }
        }
    }
}

/// Loads the chart in a folder or a `.tgz`.
pub(crate) fn load_chart(path: &Path, texts: &mut Texts) -> Result<Chart, Failed> {
    load_chart_as(Dialect::default(), path, texts)
}

/// As [`load_chart`], as a generation of Helm does.
pub(crate) fn load_chart_as(
    dialect: Dialect,
    path: &Path,
    texts: &mut Texts,
) -> Result<Chart, Failed> {
    let name = path.display().to_string();
    let (sources, origins) = (&mut texts.sources, &mut texts.origins);
    if path.is_dir() {
        let files = read_chart_folder(path, &ChartLimits::HELM)?;
        return Ok(cairn_chart::load_as(
            dialect, files, &name, sources, origins,
        )?);
    }
    let bytes = read_file(path)?;
    Ok(cairn_chart::load_archive_as(
        dialect, &bytes, &name, sources, origins,
    )?)
}

/// The files of the chart in a folder or a `.tgz`.
pub(crate) fn read_chart_files(path: &Path) -> Result<Vec<ChartFile>, Failed> {
    if path.is_dir() {
        return Ok(read_chart_folder(path, &ChartLimits::HELM)?);
    }
    let bytes = read_file(path)?;
    Ok(cairn_chart::read_archive(&bytes, &ChartLimits::HELM)?)
}

/// Shows warnings about a chart.
pub(crate) fn warn(warnings: &[Diagnostic], texts: &Texts, output: &Output) {
    for warning in warnings {
        output.finding(warning, &texts.sources);
    }
}

/// Reads a file that was named on the command line.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bytes(path).map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound => ExitCode::NotFound,
            _ => ExitCode::Error,
        };
        Failure::new(
            code,
            anyhow!("failed to read `{}`: {}", path.display(), describe(&error)),
        )
        .hint("check the path")
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES + 1;
    if path == Path::new(STANDARD_INPUT) {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(io::Error::other(message));
    }
    Ok(bytes)
}
