//! Sync: what an agent says is taken in, and what is asked of it is answered, at once or when there
//! is something to say.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cairn_spec::{
    agent::{
        Next, Sync, SyncAnswer,
        limits::{
            MAX_COMMANDS, MAX_ID_BYTES, MAX_REASON_BYTES, MAX_STATUS_BYTES, MAX_TRANSITIONS,
            MAX_WAIT_S,
        },
    },
    merge_patch,
};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::{Contact, Error, Hub, Report, authentication::Caller, roster::Live};

/// Agents that are told nothing else come again within this time, in seconds.
const USUAL_SPREAD_S: u32 = 1;
/// Agents of a hub that stops come again within this time at most, in seconds.
const MAX_SPREAD_S: u32 = 120;

/// What is left of a request once it was taken in: so little that thousands can be held.
struct Waiting {
    turn: u64,
    ack_generation: u64,
    refused_generation: u64,
    keyring_generation: u64,
    need_full: bool,
    transitions_up_to: Option<u64>,
}

impl Hub {
    /// Takes a sync in, and answers when there is something to say or the time is over.
    pub(crate) async fn sync(&self, caller: &Caller, sync: Sync) -> Result<SyncAnswer, Error> {
        let live = Arc::clone(&caller.live);
        let wait = Duration::from_secs(u64::from(sync.wait_s.min(MAX_WAIT_S)));
        let waiting = Box::pin(self.take_in(&live, sync)).await?;
        let began = Instant::now();
        let mut answer = self.hold(&live, &waiting, wait).await;
        answer.held_ms = u64::try_from(began.elapsed().as_millis()).ok();
        Ok(answer)
    }

    /// Takes in what the agent says.
    async fn take_in(&self, live: &Live, sync: Sync) -> Result<Waiting, Error> {
        check(&sync)?;
        {
            let state = live.state();
            let is_same_boot = state.contact.boot_id == sync.boot_id;
            if is_same_boot && sync.seq <= state.contact.seq {
                return Err(Error::Malformed(
                    "`seq` is not higher than the last one".to_owned(),
                ));
            }
        }
        let need_full = self.take_status(live, &sync).await?;
        let mut transitions_up_to = None;
        if !sync.transitions.is_empty() {
            let up_to = self
                .store
                .add_transitions(&live.id, &sync.transitions)
                .await?;
            transitions_up_to = Some(up_to);
            live.state().transitions_up_to = up_to;
        }
        if !sync.done_commands.is_empty() {
            self.store
                .remove_commands(&live.id, &sync.done_commands)
                .await?;
            let mut state = live.state();
            state
                .commands
                .retain(|command| !sync.done_commands.contains(&command.id));
        }
        let mut state = live.state();
        state.turn += 1;
        let waiting = Waiting {
            turn: state.turn,
            ack_generation: sync.ack_generation,
            refused_generation: sync
                .refused
                .as_ref()
                .map_or(0, |refused| refused.generation),
            keyring_generation: sync.keyring_generation,
            need_full,
            transitions_up_to,
        };
        let metrics = sync.metrics.or_else(|| state.contact.metrics.take());
        state.contact = Contact {
            seen_ms: self.clock.unix_ms(),
            boot_id: sync.boot_id,
            seq: sync.seq,
            phase: sync.phase,
            ack_generation: sync.ack_generation,
            refused: sync.refused,
            keyring_generation: sync.keyring_generation,
            applied: sync.applied,
            metrics,
        };
        state.is_unwritten = true;
        drop(state);
        // A request that is held still gives way.
        live.wake.notify_waiters();
        Ok(waiting)
    }

    /// Keeps the status, if the request brings it; whether the whole status is needed.
    async fn take_status(&self, live: &Live, sync: &Sync) -> Result<bool, Error> {
        let known = live.state().status.clone();
        let has_base = |base: u64| {
            known
                .as_ref()
                .is_some_and(|(boot, at)| *boot == sync.boot_id && *at == base)
        };
        let document = match (&sync.status, &sync.delta, sync.base_revision) {
            (Some(status), _, _) => status.clone(),
            (None, Some(delta), Some(base)) if has_base(base) => {
                let Some(report) = self.store.report(&live.id).await? else {
                    return Ok(true);
                };
                let is_it = report.boot_id == sync.boot_id && report.revision == base;
                let document = serde_json::from_slice::<Json>(&report.document);
                let (true, Ok(mut document)) = (is_it, document) else {
                    return Ok(true);
                };
                merge_patch(&mut document, delta);
                document
            }
            (None, Some(_), _) => return Ok(true),
            (None, None, _) => {
                return Ok(sync.status_revision > 0 && !has_base(sync.status_revision));
            }
        };
        if !document.is_object() {
            return Err(Error::Malformed("`status` is not an object".to_owned()));
        }
        let document = serde_json::to_vec(&document)
            .map_err(|error| Error::Malformed(format!("`status`: {error}")))?;
        if document.len() > MAX_STATUS_BYTES {
            return Err(Error::TooLarge {
                what: "status",
                limit: MAX_STATUS_BYTES as u64,
                unit: "bytes",
            });
        }
        let report = Report {
            boot_id: sync.boot_id.clone(),
            revision: sync.status_revision,
            received_ms: self.clock.unix_ms(),
            document: Bytes::from(document.into_boxed_slice()),
        };
        self.store.put_report(&live.id, &report).await?;
        live.state().status = Some((report.boot_id, report.revision));
        Ok(false)
    }

    /// Holds a request until there is something to say.
    async fn hold(&self, live: &Live, waiting: &Waiting, wait: Duration) -> SyncAnswer {
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        loop {
            let woken = live.wake.notified();
            tokio::pin!(woken);
            // From here on no wake is lost, though nobody waits yet.
            woken.as_mut().enable();
            let (answer, says_something) = self.answer(live, waiting);
            if says_something || wait.is_zero() || self.draining.is_cancelled() {
                return self.answered(live, answer);
            }
            tokio::select! {
                () = &mut woken => {}
                () = &mut deadline => return self.answered(live, answer),
                () = self.draining.cancelled() => {}
            }
        }
    }

    /// The answer as it is now, and whether it is worth sending before the time is over.
    fn answer(&self, live: &Live, waiting: &Waiting) -> (SyncAnswer, bool) {
        let (record, commands, turn) = {
            let state = live.state();
            let commands = state
                .commands
                .iter()
                .take(MAX_COMMANDS)
                .cloned()
                .collect::<Vec<_>>();
            (Arc::clone(&state.record), commands, state.turn)
        };
        let group = record.group.as_ref();
        let offer = self
            .offers
            .best(&record.cluster_uid, group, self.clock.unix_s());
        let generation = offer.as_ref().map_or(0, |offer| offer.state.generation);
        let keyring = self.offers.keyring_after(group, waiting.keyring_generation);
        let keyring = keyring.and_then(|keyring| keyring.envelope.clone());
        // What the next keys signed is of no use to an agent that does not have them yet.
        let is_new = generation > waiting.ack_generation
            && generation != waiting.refused_generation
            && keyring.is_none();
        let desired_state = offer.filter(|_| is_new).map(|offer| offer.envelope.clone());
        let says_something = desired_state.is_some()
            || keyring.is_some()
            || !commands.is_empty()
            || waiting.need_full
            || turn != waiting.turn
            || record.state != crate::AgentState::Active;
        let answer = SyncAnswer {
            generation,
            desired_state,
            keyring,
            commands,
            need_full: waiting.need_full,
            transitions_up_to: waiting.transitions_up_to,
            held_ms: None,
            next: self.next(),
        };
        (answer, says_something)
    }

    /// The agent is heard of until its answer goes.
    fn answered(&self, live: &Live, answer: SyncAnswer) -> SyncAnswer {
        let mut state = live.state();
        state.contact.seen_ms = self.clock.unix_ms();
        state.is_unwritten = true;
        drop(state);
        answer
    }

    fn next(&self) -> Next {
        if !self.draining.is_cancelled() {
            return Next {
                min_s: 0,
                max_s: USUAL_SPREAD_S,
            };
        }
        let agents = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
        let spread_s = agents.div_ceil(self.settings.reconnects_per_s.max(1));
        Next {
            min_s: 1,
            max_s: (1 + spread_s).min(MAX_SPREAD_S),
        }
    }
}

/// What a sync may hold.
fn check(sync: &Sync) -> Result<(), Error> {
    let too_large = |what, limit, unit| {
        Err(Error::TooLarge {
            what,
            limit: limit as u64,
            unit,
        })
    };
    if sync.boot_id.is_empty() || sync.boot_id.len() > MAX_ID_BYTES {
        return Err(Error::Malformed("`bootId` is empty or too long".to_owned()));
    }
    if sync.transitions.len() > MAX_TRANSITIONS {
        return too_large("list `transitions`", MAX_TRANSITIONS, "entries");
    }
    if sync.done_commands.len() > MAX_COMMANDS {
        return too_large("list `doneCommands`", MAX_COMMANDS, "entries");
    }
    let reason = sync
        .refused
        .as_ref()
        .map_or(0, |refused| refused.reason.len());
    if reason > MAX_REASON_BYTES {
        return too_large("reason of a refusal", MAX_REASON_BYTES, "bytes");
    }
    Ok(())
}
