//! What an agent and its hub know of each other: which status the hub has, what it was told, what it
//! asked for. Pure: what happens comes in, the next request comes out.

use cairn_spec::{
    agent::{Command, CommandKind, Refused, Sync, SyncAnswer, limits},
    merge_patch_between,
};
use serde_json::Value as Json;

use crate::{observed::Observations, spool::Spool};

/// The longest reason of a refusal, in bytes.
const MAX_REASON_BYTES: usize = 2_048;

/// What is reported besides what the session knows itself.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the agent does.
    pub observations: &'a Observations,
    /// The generation that was accepted last.
    pub generation: u64,
    /// The generation of the keyring.
    pub keyring_generation: u64,
    /// A sample of figures, when one is due.
    pub metrics: Option<cairn_spec::agent::Metrics>,
    /// What happened.
    pub spool: &'a Spool,
    /// How long the request may be held, in seconds.
    pub wait_s: u32,
}

/// An exchange with a hub that goes on and on.
#[derive(Debug)]
pub struct Session {
    boot_id: String,
    seq: u64,
    /// The status of now, and its revision; 0 while there is none.
    status: (u64, Json),
    /// The status that the hub has.
    known: Option<(u64, Json)>,
    refused: Option<Refused>,
    done: Vec<String>,
}

impl Session {
    /// A session of one run of the process.
    pub fn new(boot_id: String) -> Self {
        Self {
            boot_id,
            seq: 0,
            status: (0, Json::Null),
            known: None,
            refused: None,
            done: Vec::new(),
        }
    }

    /// Notes how the cluster is. True if that is news.
    pub fn set_status(&mut self, status: Json) -> bool {
        if self.status.1 == status {
            return false;
        }
        self.status = (self.status.0 + 1, status);
        true
    }

    /// The hub does not know the status of now.
    pub fn has_news(&self) -> bool {
        let known = self.known.as_ref().map_or(0, |(revision, _)| *revision);
        known != self.status.0
    }

    /// Notes that a generation is not accepted.
    pub fn refuse(&mut self, generation: u64, reason: &str) {
        let mut end = reason.len().min(MAX_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        self.refused = Some(Refused {
            generation,
            reason: reason[..end].to_owned(),
        });
    }

    /// The generation that was refused last.
    pub fn refused(&self) -> Option<u64> {
        self.refused.as_ref().map(|refused| refused.generation)
    }

    /// The whole status is sent with the next request.
    pub fn forget_known(&mut self) {
        self.known = None;
    }

    /// The next request.
    pub fn request(&mut self, report: Report<'_>) -> Sync {
        self.seq += 1;
        let (revision, status) = &self.status;
        let mut sync = Sync {
            boot_id: self.boot_id.clone(),
            seq: self.seq,
            ack_generation: report.generation,
            refused: self
                .refused
                .clone()
                .filter(|refused| refused.generation > report.generation),
            keyring_generation: report.keyring_generation,
            phase: report.observations.phase,
            applied: report.observations.applied.clone(),
            status_revision: *revision,
            metrics: report.metrics,
            transitions: report.spool.next(),
            done_commands: self
                .done
                .iter()
                .take(limits::MAX_COMMANDS)
                .cloned()
                .collect(),
            wait_s: report.wait_s.min(limits::MAX_WAIT_S),
            ..Sync::default()
        };
        match &self.known {
            _ if *revision == 0 => {}
            Some((known, _)) if known == revision => sync.base_revision = Some(*known),
            Some((known, before)) => {
                sync.base_revision = Some(*known);
                sync.delta = merge_patch_between(before, status);
            }
            None => sync.status = Some(status.clone()),
        }
        sync
    }

    /// A request was given up while the hub held it, so it most likely has what that said. If it has not, it
    /// asks for all of it.
    pub fn given_up(&mut self, sent: &Sync) {
        if sent.status_revision == self.status.0 && sent.status_revision > 0 {
            self.known = Some(self.status.clone());
        }
    }

    /// Takes an answer to a request; gives the commands that are to be done now.
    pub fn answered(&mut self, sent: &Sync, answer: &SyncAnswer) -> Vec<Command> {
        self.done.retain(|id| !sent.done_commands.contains(id));
        if answer.need_full {
            self.known = None;
        } else if sent.status_revision == self.status.0 && sent.status_revision > 0 {
            self.known = Some(self.status.clone());
        } else if sent.status.is_some() || sent.delta.is_some() {
            // It changed while the request was under way, so what the hub has is not at hand any more.
            self.known = None;
        }
        let commands = answer.commands.iter().take(limits::MAX_COMMANDS);
        let new = commands.filter(|command| !self.done.contains(&command.id));
        let new: Vec<Command> = new.cloned().collect();
        for command in &new {
            self.done.push(command.id.clone());
            if command.kind == CommandKind::Report {
                self.known = None;
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::agent::Next;
    use serde_json::json;

    use super::*;

    fn request(session: &mut Session) -> Sync {
        session.request(Report {
            observations: &Observations::default(),
            generation: 3,
            keyring_generation: 1,
            metrics: None,
            spool: &Spool::default(),
            wait_s: 600,
        })
    }

    fn answer() -> SyncAnswer {
        SyncAnswer {
            generation: 3,
            next: Next { min_s: 0, max_s: 0 },
            ..SyncAnswer::default()
        }
    }

    #[test]
    fn the_status_goes_whole_once_and_then_as_what_changed() {
        let mut session = Session::new("boot".to_owned());
        let first = request(&mut session);
        assert_eq!((first.status_revision, &first.status), (0, &None));
        assert_eq!(first.wait_s, limits::MAX_WAIT_S);
        session.set_status(json!({"a": 1, "b": 2}));
        let whole = request(&mut session);
        assert_eq!((whole.seq, whole.status_revision), (2, 1));
        assert_eq!(whole.status, Some(json!({"a": 1, "b": 2})));
        session.answered(&whole, &answer());
        assert!(!session.has_news());
        let quiet = request(&mut session);
        assert_eq!(
            (quiet.status, quiet.delta, quiet.base_revision),
            (None, None, Some(1))
        );
        assert!(session.set_status(json!({"a": 1, "c": 3})));
        assert!(!session.set_status(json!({"a": 1, "c": 3})));
        let delta = request(&mut session);
        assert_eq!(delta.delta, Some(json!({"b": null, "c": 3})));
        assert_eq!((delta.base_revision, delta.status_revision), (Some(1), 2));
        let need_full = SyncAnswer {
            need_full: true,
            ..answer()
        };
        session.answered(&delta, &need_full);
        assert_eq!(request(&mut session).status, Some(json!({"a": 1, "c": 3})));
    }

    #[test]
    fn what_changed_while_a_request_was_under_way_is_not_lost() {
        let mut session = Session::new("boot".to_owned());
        session.set_status(json!({"a": 1}));
        let sent = request(&mut session);
        session.set_status(json!({"a": 2}));
        session.answered(&sent, &answer());
        assert!(session.has_news());
        assert_eq!(request(&mut session).status, Some(json!({"a": 2})));
    }

    #[test]
    fn what_a_held_request_said_is_not_said_again() {
        let mut session = Session::new("boot".to_owned());
        session.set_status(json!({"a": 1}));
        let held = request(&mut session);
        session.given_up(&held);
        session.set_status(json!({"a": 2}));
        let next = request(&mut session);
        assert_eq!((next.status, next.base_revision), (None, Some(1)));
        assert_eq!(next.delta, Some(json!({"a": 2})));
    }

    #[test]
    fn a_command_is_done_once_and_told_until_the_hub_knows() {
        let mut session = Session::new("boot".to_owned());
        let sent = request(&mut session);
        let command = Command {
            id: "c1".to_owned(),
            kind: CommandKind::Reconcile,
        };
        let asked = SyncAnswer {
            commands: vec![command.clone()],
            ..answer()
        };
        assert_eq!(session.answered(&sent, &asked), [command]);
        let next = request(&mut session);
        assert_eq!(next.done_commands, ["c1"]);
        // That request got lost: the hub asks again.
        assert!(session.answered(&sent, &asked).is_empty());
        let again = request(&mut session);
        assert_eq!(again.done_commands, ["c1"]);
        session.answered(&again, &answer());
        assert!(request(&mut session).done_commands.is_empty());
    }
}
