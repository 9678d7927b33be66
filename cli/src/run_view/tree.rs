//! The picture of a run: its layers, and below the one under way what it waits for. Lines out of state, no
//! terminal: what does not fit is folded.

use std::time::Duration;

use super::state::{LayerPhase, LayerState, RunState};
use crate::output::count;

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A line, and what it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Busy,
    Bad,
    Dim,
}

impl Tone {
    /// The colour, as terminals know it.
    pub(super) fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Busy => Some("1;36"),
            Self::Bad => Some("1;31"),
            Self::Dim => Some("2"),
        }
    }
}

/// What turns while something is under way.
const FRAMES: [char; 4] = ['◐', '◓', '◑', '◒'];
const FRAME: Duration = Duration::from_millis(250);
/// So many layers that are to come, or were before, are left when rows are scarce.
const NEIGHBOURS: usize = 2;

/// Draws a run, at a time since its start.
pub(super) fn tree(state: &RunState, now: Duration, room: Room) -> Vec<Line> {
    let names = state.layers.iter().map(|layer| layer.name.chars().count());
    let width = names.max().unwrap_or_default();
    let busy = state.layers.iter().position(LayerState::is_under_way);
    let mut shown = 0..state.layers.len();
    if state.layers.len() + awaited(state) > room.rows {
        let middle = busy.unwrap_or_default();
        shown = middle.saturating_sub(NEIGHBOURS)
            ..state
                .layers
                .len()
                .min(middle.saturating_add(NEIGHBOURS + 1));
    }
    let mut lines = Vec::new();
    if shown.start > 0 {
        lines.push(dim(format!("✔ {} before", count(shown.start, "layer"))));
    }
    let folded = state.layers.len() - shown.end;
    // Two lines say what was folded away.
    let rows_left = room.rows.saturating_sub(shown.len() + 2);
    for layer in state.layers.get(shown).unwrap_or_default() {
        lines.push(heading(layer, width, now));
        lines.extend(below(layer, now, rows_left));
    }
    if folded > 0 {
        lines.push(dim(format!("· {} to come", count(folded, "layer"))));
    }
    for line in &mut lines {
        line.text = cut(&line.text, room.columns);
    }
    lines
}

fn awaited(state: &RunState) -> usize {
    state.layers.iter().map(|layer| layer.awaited.len()).sum()
}

fn heading(layer: &LayerState, width: usize, now: Duration) -> Line {
    let frame = now.as_millis() / FRAME.as_millis() % FRAMES.len() as u128;
    let turning = usize::try_from(frame)
        .ok()
        .and_then(|frame| FRAMES.get(frame))
        .unwrap_or(&'◐');
    let (mark, tone) = match layer.phase {
        LayerPhase::ToCome => ('·', Tone::Dim),
        LayerPhase::Healthy => ('✔', Tone::Good),
        LayerPhase::Failed => ('✖', Tone::Bad),
        _ => (*turning, Tone::Busy),
    };
    let name = &layer.name;
    let text = if layer.phase == LayerPhase::ToCome {
        format!("{mark} {name}")
    } else {
        let until = if layer.is_under_way() {
            now
        } else {
            layer.ended
        };
        let time = elapsed(until.saturating_sub(layer.began));
        format!("{mark} {name:width$}  {time:>5}  {}", doing(layer))
    };
    Line { tone, text }
}

fn doing(layer: &LayerState) -> String {
    let stage = |stage: cairn_spec::Stage| {
        let name = serde_json::to_value(stage).unwrap_or_default();
        name.as_str().unwrap_or_default().replace('-', " ")
    };
    let mut done = match layer.applied {
        0 => "no objects".to_owned(),
        applied => count(applied, "object"),
    };
    if layer.changed > 0 {
        done = format!("{done}, {} changed", layer.changed);
    }
    if layer.deleted > 0 {
        done = format!("{done}, {} deleted", layer.deleted);
    }
    match layer.phase {
        LayerPhase::Applying(at) => format!("applying {} ({done})", stage(at)),
        LayerPhase::Checking => {
            format!(
                "waiting for {} ({done})",
                count(layer.awaited.len(), "object")
            )
        }
        LayerPhase::Deleting if layer.applied == 0 && layer.deleted == 0 => "looking".to_owned(),
        _ => done,
    }
}

/// What is waited for, the longest first, as much as fits.
fn below(layer: &LayerState, now: Duration, rows: usize) -> Vec<Line> {
    let mut awaited: Vec<_> = layer.awaited.iter().collect();
    awaited.sort_by_key(|(_, awaited)| awaited.since);
    let fitting = if awaited.len() > rows {
        rows.saturating_sub(1)
    } else {
        awaited.len()
    };
    let until = if layer.is_under_way() {
        now
    } else {
        layer.ended
    };
    let mut lines: Vec<Line> = awaited
        .iter()
        .take(fitting)
        .map(|(id, awaited)| {
            let time = elapsed(until.saturating_sub(awaited.since));
            let text = format!("    {id}: {} ({time})", awaited.verdict.message);
            let is_bad = awaited.verdict.status == cairn_runner::health::Status::Failed;
            let tone = if is_bad { Tone::Bad } else { Tone::Plain };
            Line { tone, text }
        })
        .collect();
    if awaited.len() > fitting {
        lines.push(dim(format!("    … and {} more", awaited.len() - fitting)));
    }
    lines
}

fn dim(text: String) -> Line {
    Line {
        tone: Tone::Dim,
        text,
    }
}

/// Minutes and seconds.
fn elapsed(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// Not more than a row, for terminals count in rows.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept = text.chars().take(columns.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use cairn_runner::{
        health::{Status, Verdict},
        run::{Outcome, Progress},
    };
    use cairn_spec::{LayerName, ObjectId, Stage};
    use insta::assert_snapshot;

    use super::*;

    const WIDE: Room = Room {
        columns: 100,
        rows: 40,
    };

    fn object(name: &str) -> ObjectId {
        ObjectId {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        }
    }

    struct Story {
        state: RunState,
        now: Duration,
    }

    impl Story {
        fn of(layers: &[&str]) -> Self {
            Self {
                state: RunState::new(layers.iter().map(|it| (*it).to_owned())),
                now: Duration::ZERO,
            }
        }

        fn after(mut self, seconds: u64) -> Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn begins(mut self, layer: &str) -> Self {
            let layer: LayerName = layer.parse().unwrap();
            let begun = Progress::Layer { layer: &layer };
            self.state.take(&begun, self.now);
            let stage = Progress::Stage {
                layer: &layer,
                stage: Stage::Workloads,
                objects: 2,
            };
            self.state.take(&stage, self.now);
            self
        }

        fn applies(mut self, layer: &str, name: &str, outcome: Outcome) -> Self {
            let layer: LayerName = layer.parse().unwrap();
            let applied = Progress::Applied {
                layer: &layer,
                object: &object(name),
                outcome,
            };
            self.state.take(&applied, self.now);
            self
        }

        fn judged(mut self, layer: &str, name: &str, status: Status, message: &str) -> Self {
            let layer: LayerName = layer.parse().unwrap();
            let verdict = Verdict {
                status,
                reason: "".into(),
                message: message.to_owned(),
            };
            let health = Progress::Health {
                layer: &layer,
                object: &object(name),
                verdict: &verdict,
            };
            self.state.take(&health, self.now);
            self
        }

        fn recovers(mut self, layer: &str) -> Self {
            let layer: LayerName = layer.parse().unwrap();
            let healthy = Progress::Healthy { layer: &layer };
            self.state.take(&healthy, self.now);
            self
        }

        fn fails(mut self) -> Self {
            self.state.end(LayerPhase::Failed, self.now);
            self
        }

        fn seen_in(&self, room: Room) -> String {
            let lines = tree(&self.state, self.now, room);
            let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
            lines.join("\n")
        }
    }

    fn waiting() -> Story {
        Story::of(&["cni", "ingress", "shop"])
            .begins("cni")
            .applies("cni", "flannel", Outcome::Unchanged)
            .after(2)
            .recovers("cni")
            .begins("ingress")
            .applies("ingress", "web", Outcome::Created)
            .applies("ingress", "api", Outcome::Configured)
            .after(1)
            .judged("ingress", "web", Status::InProgress, "Replicas: 0/1")
            .after(4)
            .judged("ingress", "api", Status::InProgress, "Available: 1/3")
            .judged("ingress", "web", Status::InProgress, "Available: 0/1")
            .after(61)
    }

    #[test]
    fn layers_say_how_far_they_are_and_what_they_wait_for() {
        assert_snapshot!(Story::of(&["cni", "shop"]).begins("cni").seen_in(WIDE), @r"
        ◐ cni    0:00  applying workloads (no objects)
        · shop
        ");
        assert_snapshot!(waiting().seen_in(WIDE), @r"
        ✔ cni       0:02  1 object
        ◐ ingress   1:06  waiting for 2 objects (2 objects, 2 changed)
            Deployment shop/web: Available: 0/1 (1:05)
            Deployment shop/api: Available: 1/3 (1:01)
        · shop
        ");
    }

    #[test]
    fn a_failure_stays_with_its_reason_and_its_time() {
        let failed = waiting()
            .judged("ingress", "api", Status::Failed, "ImagePullBackOff")
            .fails()
            .after(30);
        assert_snapshot!(failed.seen_in(WIDE), @r"
        ✔ cni       0:02  1 object
        ✖ ingress   1:06  2 objects, 2 changed
            Deployment shop/web: Available: 0/1 (1:05)
            Deployment shop/api: ImagePullBackOff (1:01)
        · shop
        ");
    }

    #[test]
    fn what_is_healthy_is_not_waited_for_any_more() {
        let healthy = waiting()
            .judged("ingress", "web", Status::Current, "ready")
            .recovers("ingress");
        assert_snapshot!(healthy.seen_in(WIDE), @r"
        ✔ cni       0:02  1 object
        ✔ ingress   1:06  2 objects, 2 changed
        · shop
        ");
    }

    #[test]
    fn a_layer_that_begins_again_starts_from_nothing() {
        let again = waiting().fails().begins("cni");
        assert_snapshot!(again.seen_in(WIDE).lines().next().unwrap(), @"◐ cni       0:00  applying workloads (no objects)");
    }

    #[test]
    fn what_does_not_fit_is_folded() {
        let layers = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut story = Story::of(&layers);
        for layer in &layers[..4] {
            story = story.begins(layer).recovers(layer);
        }
        story = story.begins("e");
        for name in ["one", "two", "three", "four", "five"] {
            story = story.judged("e", name, Status::InProgress, "Replicas: 0/1, and it takes");
        }
        let small = Room {
            columns: 40,
            rows: 10,
        };
        let seen = story.seen_in(small);
        assert_snapshot!(seen, @r"
        ✔ 2 layers before
        ✔ c   0:00  no objects
        ✔ d   0:00  no objects
        ◐ e   0:00  waiting for 5 objects (no o…
            Deployment shop/five: Replicas: 0/1…
            Deployment shop/four: Replicas: 0/1…
            … and 3 more
        · f
        · g
        · 1 layer to come
        ");
        assert!(seen.lines().count() <= small.rows);
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        for columns in 0..60 {
            let room = Room { columns, rows: 3 };
            let lines = tree(&waiting().state, Duration::from_secs(9), room);
            assert!(
                lines
                    .iter()
                    .all(|it| it.text.chars().count() <= columns.max(1))
            );
        }
    }
}
