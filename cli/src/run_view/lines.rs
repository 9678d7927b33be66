//! What a run tells, as lines for logs: what changed, and what is waited for.

use cairn_runner::{
    health::Status,
    run::{Outcome, Progress},
};

/// The line for what a run tells, if people want to know it.
pub(super) fn line(progress: &Progress<'_>) -> Option<String> {
    Some(match progress {
        Progress::Layer { layer } => format!("{layer}"),
        Progress::Stage { .. } | Progress::Phase { .. } | Progress::Remembered { .. } => {
            return None;
        }
        Progress::Waiting { closed } => format!("waiting: {}", closed.reason),
        Progress::RollingBack { to, reason } => format!("going back to {to}: {reason}"),
        Progress::Applied {
            object, outcome, ..
        } => match outcome {
            Outcome::Unchanged => return None,
            Outcome::Created => format!("  + {object}"),
            Outcome::Configured => format!("  ~ {object}"),
            Outcome::Recreated => format!("  ± {object}"),
            Outcome::Skipped => format!("  . {object} is somebody else's"),
            Outcome::Kept => format!("  . {object} does not go back"),
        },
        Progress::Health {
            object, verdict, ..
        } => {
            // What is well need not be said of each object: the layer says it of all.
            if verdict.status == Status::Current {
                return None;
            }
            format!("  … {object}: {}", verdict.message)
        }
        Progress::Healthy { layer } => format!("  {layer} is healthy"),
        Progress::Pruned {
            object, decision, ..
        } => {
            let is_going = ["deleted", "being deleted"].contains(&decision.as_str());
            let mark = if is_going { '-' } else { '.' };
            format!("  {mark} {object}: {decision}")
        }
    })
}
