//! The only place that prints: data on standard output, messages on standard error.
#![expect(clippy::print_stderr, reason = "this is where printing happens")]

use std::io::{BufWriter, IsTerminal as _, Write as _};

use cairn_compiler::Session;
use cairn_spec::{Diagnostic, Severity, Sources};
use console::Term;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::{
    args::{Color, Format, OutputArgs},
    config::Environment,
    diagnostics,
    exit::Failure,
};

/// Prints results and messages as the user asked for them.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) format: Format,
    quiet: bool,
    /// Colours on standard error.
    color_messages: bool,
    /// Colours on standard output.
    pub(crate) color_data: bool,
}

/// How many bytes of a result are printed at a time: what a pipe holds.
const BUFFERED_BYTES: usize = 64 * 1024;
/// The most findings that are shown at a time.
const MAX_SHOWN: usize = 50;

impl Output {
    pub(crate) fn new(arguments: &OutputArgs, environment: &Environment) -> Self {
        let color = |is_terminal: bool| match arguments.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !environment.no_color,
        };
        Self {
            format: arguments.format,
            quiet: arguments.quiet,
            color_messages: color(std::io::stderr().is_terminal()),
            color_data: color(std::io::stdout().is_terminal()),
        }
    }

    /// Prints text that is the result.
    pub(crate) fn data(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Prints a result in place of the one before, where that can be; otherwise below it.
    pub(crate) fn replace(&self, text: &str) {
        if std::io::stdout().is_terminal() {
            let _ = Term::stdout().clear_screen();
        }
        self.data(&format!("{}\n", text.trim_end_matches('\n')));
    }

    /// Prints a result that need not be text.
    #[expect(
        clippy::unused_self,
        reason = "printing goes through the output that a command was given"
    )]
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        // A reader that went away (`| head`) is no error.
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }

    /// Prints a result that comes in pieces, and need not be text.
    #[expect(
        clippy::unused_self,
        reason = "printing goes through the output that a command was given"
    )]
    pub(crate) fn pieces<E>(
        &self,
        pieces: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<(), E> {
        // Standard output alone would be asked for each piece that ends a line.
        let mut stdout = BufWriter::with_capacity(BUFFERED_BYTES, std::io::stdout().lock());
        // A reader that went away (`| head`) is no error.
        pieces(&mut |piece| drop(stdout.write_all(piece)))?;
        let _ = stdout.flush();
        Ok(())
    }

    /// Prints a result in the format asked for; `table` and `name` are made when needed.
    pub(crate) fn result<T: Serialize>(
        &self,
        value: &T,
        table: impl FnOnce() -> String,
        name: impl FnOnce() -> String,
    ) {
        let text = match self.format {
            Format::Table => table(),
            Format::Name => name(),
            Format::Json => serde_json::to_string_pretty(value).unwrap_or_default(),
            Format::Yaml => serde_yaml::to_string(value).unwrap_or_default(),
        };
        let text = text.trim_end_matches('\n');
        // Of no names, no line.
        if !text.is_empty() {
            self.data(text);
            self.data("\n");
        }
    }

    /// Prints what is being done or was done.
    pub(crate) fn message(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Prints what must not be overlooked, even when quiet.
    pub(crate) fn warning(&self, text: &str) {
        eprintln!("{} {text}", self.paint("1;33", "warning:"));
    }

    /// Prints findings with the lines they are about, and how many there are more.
    pub(crate) fn diagnostics(&self, session: &Session) {
        let all: Vec<&Diagnostic> = session.diagnostics.iter().collect();
        self.listed(&all, session.diagnostics.error_count(), &session.sources);
    }

    /// Prints findings, of which there are so many errors altogether.
    pub(crate) fn listed(&self, all: &[&Diagnostic], error_count: usize, sources: &Sources) {
        // Errors first, when there are more findings than anybody reads.
        let is_error = |finding: &&&Diagnostic| finding.severity == Severity::Error;
        let shown: Vec<&&Diagnostic> = if all.len() > MAX_SHOWN {
            let errors = all.iter().filter(is_error);
            let others = all.iter().filter(|it| !is_error(it));
            errors.chain(others).take(MAX_SHOWN).collect()
        } else {
            all.iter().collect()
        };
        let errors_left = error_count - shown.iter().filter(|finding| is_error(finding)).count();
        for finding in shown {
            if finding.severity == Severity::Error || !self.quiet {
                self.finding(finding, sources);
            }
        }
        if errors_left > 0 {
            let rest = count(errors_left, "more error");
            eprintln!("… and {rest}, not shown: mend these first\n");
        }
    }

    /// Prints some findings.
    pub(crate) fn findings<'a>(
        &self,
        session: &Session,
        findings: impl Iterator<Item = &'a Diagnostic>,
    ) {
        for finding in findings {
            self.finding(finding, &session.sources);
        }
    }

    /// Prints one finding.
    pub(crate) fn finding(&self, finding: &Diagnostic, sources: &Sources) {
        eprintln!(
            "{}\n",
            diagnostics::render(finding, sources, self.color_messages)
        );
    }

    /// Prints why a command failed: what, why, and what to do next.
    pub(crate) fn failure(&self, failure: &Failure) {
        let Some(error) = &failure.error else { return };
        eprintln!("{} {error}", self.paint("1;31", "error:"));
        for cause in error.chain().skip(1) {
            eprintln!("  {} {cause}", self.paint("1", "because:"));
        }
        if let Some(hint) = &failure.hint {
            eprintln!("{} {hint}", self.paint("1;36", "hint:"));
        }
    }

    /// Text of a message in a colour, where messages have any.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        if self.color_messages {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Text of a result in a colour, where results have any.
    pub(crate) fn paint_data(&self, code: &str, text: &str) -> String {
        if self.color_data {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Progress bars are drawn: on a terminal, unless quiet.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

/// Sends the log to standard error: `CAIRN_LOG`, or by how often `-v` was given; what goes on and on tells what it does
/// without one.
pub(crate) fn init_logging(arguments: &OutputArgs, environment: &Environment, goes_on: bool) {
    let default = match arguments.verbose.max(u8::from(goes_on)) {
        // Each failed attempt to reach an API server is told when the last one has failed.
        0 => "warn,kube_client=off",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = environment.log.as_deref().unwrap_or(default);
    let ansi =
        std::io::stderr().is_terminal() && !environment.no_color && arguments.color != Color::Never;
    let logging = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        // Where the log went nobody is told of that: a terminal may be gone while a server drains.
        .log_internal_errors(false);
    let _ = if environment.logs_json {
        logging.json().flatten_event(true).try_init()
    } else {
        logging.with_ansi(ansi).try_init()
    };
}

/// Rows as aligned columns under a heading.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([heading[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    rows.iter()
        .fold(line(&heading), |text, row| text + &line(row))
}

/// `1 object`, `2 objects`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// One name a line.
pub(crate) fn lines(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    names.into_iter().fold(String::new(), |mut text, name| {
        text.push_str(name.as_ref());
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["long name".to_owned(), "2".to_owned()],
        ];
        assert_eq!(
            table(&["NAME", "N"], &rows),
            "NAME       N\na          1\nlong name  2\n"
        );
    }
}
