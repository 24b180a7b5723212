//! One attempt to reach an agent: the steps of vendor page "VPN Client status", derived from elapsed time.

use std::time::{Duration, Instant};

/// The steps in the order in which a status lists them (vendors/ixon.md section 4.4).
pub(super) const STEPS: [&str; 4] =
    ["ixapi.discovery", "ixapi.openvpn_configuration", "stunnel.connection", "openvpn.connection"];
/// The step that asks the cloud for its endpoints.
pub(super) const DISCOVERY: usize = 0;
/// The step that asks the cloud for the agent's tunnel.
pub(super) const CONFIGURATION: usize = 1;
const STUNNEL: usize = 2;
const OPENVPN: usize = 3;

/// Says at which step an attempt ends, and with what code and message.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// An index into [`STEPS`].
    pub(super) step: usize,
    /// Three digits, 010 or more (vendors/ixon.md section 5).
    pub(super) code: String,
    /// The text beside the code.
    pub(super) message: String,
}

impl Failure {
    /// Makes a failure whose message is the one documented for 010: the other classes' texts are unknown.
    pub(super) fn new(step: usize, code: &str) -> Self {
        Self { step, code: code.to_owned(), message: "Unknown error.".to_owned() }
    }

    /// Reads `STEP:CODE[:MESSAGE]`, where STEP is a name or a number from 1.
    pub(super) fn parse(written: &str) -> Self {
        let mut parts = written.splitn(3, ':');
        let step = parts.next().unwrap_or_default();
        let by_number = || step.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < STEPS.len());
        let index = STEPS.iter().position(|name| *name == step).or_else(by_number).unwrap_or(OPENVPN);
        let mut failure = Self::new(index, parts.next().filter(|code| !code.is_empty()).unwrap_or("010"));
        if let Some(message) = parts.next() {
            message.clone_into(&mut failure.message);
        }
        failure
    }
}

/// Says what an attempt will do, before it does it.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The agent to reach.
    pub(super) agent_id: String,
    /// The company it belongs to.
    pub(super) company_id: String,
    /// Who asked.
    pub(super) controller_id: String,
    /// Whether the tunnel runs inside stunnel ("stealth mode"); else that step is not applicable.
    pub(super) stealth: bool,
    /// How long each step takes.
    pub(super) step_time: Duration,
    /// Where it ends early.
    pub(super) failure: Option<Failure>,
    /// Whether the last step never ends.
    pub(super) stuck: bool,
}

/// An attempt under way, connected or failed.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// What was asked for.
    pub(super) plan: Plan,
    started: Instant,
    /// The steps it goes through, as indices into [`STEPS`].
    order: Vec<usize>,
    /// How many of them are over.
    stage: usize,
}

impl Attempt {
    /// Starts an attempt.
    pub(super) fn start(plan: Plan, now: Instant) -> Self {
        let stealth = plan.stealth || plan.failure.as_ref().is_some_and(|failure| failure.step == STUNNEL);
        let order = (0..STEPS.len()).filter(|step| stealth || *step != STUNNEL).collect();
        Self { plan, started: now, order, stage: 0 }
    }

    /// Moves on by one step where its time has come; tells whether it did.
    ///
    /// One at a time, so that a late observer pushes each change that the WebSocket owes its readers.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let last = match self.failed_position() {
            Some(position) => position + 1,
            None if self.plan.stuck => self.order.len() - 1,
            None => self.order.len(),
        };
        let due = self.stage < last && now >= self.started + self.time_of(self.stage + 1);
        self.stage += usize::from(due);
        due
    }

    /// Tells whether the tunnel is up.
    pub(super) fn connected(&self) -> bool {
        !self.failed() && self.stage == self.order.len()
    }

    /// Tells whether a step has failed.
    pub(super) fn failed(&self) -> bool {
        self.failed_position().is_some_and(|position| self.stage > position)
    }

    /// Gives how long the tunnel has been up, nothing where it is not.
    pub(super) fn up_for(&self, now: Instant) -> Option<Duration> {
        let up_at = self.started + self.time_of(self.order.len());
        self.connected().then(|| now.saturating_duration_since(up_at))
    }

    /// Gives code and message of each step, in the order of [`STEPS`].
    pub(super) fn outcomes(&self) -> [(String, String); 4] {
        [0, 1, 2, 3].map(|step| self.outcome(step))
    }

    /// Codes and messages are those of vendors/ixon.md section 5, "succesfully" spelt as the vendor spells it.
    fn outcome(&self, step: usize) -> (String, String) {
        let (code, message) = match self.order.iter().position(|one| *one == step) {
            None => ("001", "Operation is not applicable."),
            Some(position) if position >= self.stage => match position == self.stage && !self.failed() {
                true => ("002", "Operation is pending."),
                false => ("000", "Operation status unknown."),
            },
            Some(_) => match &self.plan.failure {
                Some(failure) if failure.step == step => (failure.code.as_str(), failure.message.as_str()),
                _ if step == STUNNEL || step == OPENVPN => ("004", "Operation is active."),
                _ => ("003", "Operation completed succesfully."),
            },
        };
        (code.to_owned(), message.to_owned())
    }

    fn failed_position(&self) -> Option<usize> {
        let step = self.plan.failure.as_ref()?.step;
        self.order.iter().position(|one| *one == step)
    }

    fn time_of(&self, stage: usize) -> Duration {
        self.plan.step_time.saturating_mul(u32::try_from(stage).unwrap_or(u32::MAX))
    }
}
