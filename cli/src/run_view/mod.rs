//! A run in a cluster as it goes: a live tree on a terminal, else a line for each thing that changes, or
//! of JSON.

mod lines;
mod state;
mod tree;

use std::{
    future::Future,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cairn_runner::run::Progress;
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::interval;

use self::{
    lines::line,
    state::{LayerPhase, RunState},
    tree::{Line, Room, tree},
};
use crate::{args::Format, output::Output};

/// How often the tree is drawn.
const REDRAW: Duration = Duration::from_millis(125);
/// The size of a terminal that does not say it.
const USUAL_ROOM: Room = Room {
    columns: 80,
    rows: 24,
};

/// What a run is shown on.
pub(crate) struct RunView<'a> {
    output: &'a Output,
    started: Instant,
    live: Option<ProgressBar>,
    state: Mutex<RunState>,
}

impl<'a> RunView<'a> {
    /// For a run over these layers.
    pub(crate) fn new(output: &'a Output, layers: impl Iterator<Item = impl ToString>) -> Self {
        let is_live = output.format != Format::Json && output.shows_progress();
        Self {
            output,
            started: Instant::now(),
            live: is_live.then(|| {
                let style = ProgressStyle::with_template("{msg}");
                ProgressBar::new_spinner()
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
            }),
            state: Mutex::new(RunState::new(layers.map(|layer| layer.to_string()))),
        }
    }

    /// Takes what the run tells.
    pub(crate) fn tell(&self, progress: &Progress<'_>) {
        self.state().take(progress, self.started.elapsed());
        if self.output.format == Format::Json {
            let line = serde_json::to_string(progress).unwrap_or_default();
            self.output.data(&format!("{line}\n"));
        } else if self.live.is_none()
            && let Some(line) = line(progress)
        {
            self.output.message(&line);
        }
    }

    /// Draws while a run goes on, and once more when it has ended.
    pub(crate) async fn follow<T, E>(
        &self,
        run: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(live) = &self.live else {
            return run.await;
        };
        let mut run = pin!(run);
        let mut frames = interval(REDRAW);
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                _ = frames.tick() => live.set_message(self.picture(room())),
            }
        };
        live.finish_and_clear();
        let phase = match ended {
            Ok(_) => LayerPhase::Healthy,
            Err(_) => LayerPhase::Failed,
        };
        self.state().end(phase, self.started.elapsed());
        let all = Room {
            rows: usize::MAX,
            ..room()
        };
        self.output.message(&self.picture(all));
        ended
    }

    /// How many objects were made or changed, and how many were deleted.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let layers = || state.layers.iter();
        (
            layers().map(|layer| layer.changed).sum(),
            layers().map(|layer| layer.deleted).sum(),
        )
    }

    fn picture(&self, room: Room) -> String {
        let lines = tree(&self.state(), self.started.elapsed(), room);
        let painted = lines.iter().map(|Line { tone, text }| match tone.code() {
            Some(code) => self.output.paint(code, text),
            None => text.clone(),
        });
        painted.collect::<Vec<_>>().join("\n")
    }

    fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of the terminal, less a row for the cursor.
fn room() -> Room {
    let size = Term::stderr().size_checked();
    size.map_or(USUAL_ROOM, |(rows, columns)| Room {
        columns: usize::from(columns),
        rows: usize::from(rows.saturating_sub(1)),
    })
}
