//! What is remembered of an IXON client: its links, the controller's id, the cloud's token, names of agents.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::backend::Opening;
use crate::error::Result;
use crate::model::{Status, Target, TargetKind};
use crate::secrets::digest;
use crate::state::Store;

/// How long names of agents hold, in seconds; they are renamed in the portal, where vpnctl does not see it.
const NAMES_HOLD: i64 = 3600;

/// An agent by which users search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) company: Option<String>,
    /// Device id, serial number, MAC address.
    pub(super) also: Vec<String>,
}

impl Agent {
    pub(super) fn target(&self) -> Target {
        Target { name: self.name.clone(), ..Target::by_id(TargetKind::Agent, &self.id) }
    }
}

/// A token of the cloud.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) secret: String,
    pub(super) expires_on: Option<Timestamp>,
    pub(super) account: Option<String>,
}

/// The document in the state folder.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// What the links belong to.
    pub(super) client: String,
    /// What token and agents belong to.
    pub(super) cloud: String,
    /// Paths by rel.
    pub(super) links: BTreeMap<String, String>,
    /// The stable id of this controller, a UUID.
    pub(super) controller: Option<String>,
    pub(super) token: Option<Token>,
    pub(super) sector: Option<String>,
    pub(super) agents: Vec<Agent>,
    pub(super) agents_at: i64,
}

/// Holds the memory of one backend, in the process and in the state folder.
pub(super) struct Remembered {
    pub(super) store: Store,
    client: String,
    cloud: String,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

impl Remembered {
    pub(super) fn open(opening: &Opening, config: &Config) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let remembered = Self {
            store: opening.store.clone(),
            client: digest(&[&config.url]),
            cloud: digest(&[
                &config.cloud_url,
                &text(&config.application_id),
                &text(&config.company_id),
                &text(&config.email),
            ]),
            memory: Mutex::default(),
        };
        let memory = remembered.owned(remembered.store.read());
        remembered.set(memory);
        remembered
    }

    /// Keeps what belongs to this configuration.
    pub(super) fn owned(&self, mut memory: Memory) -> Memory {
        if memory.client != self.client {
            memory.links.clear();
            memory.client.clone_from(&self.client);
        }
        if memory.cloud != self.cloud {
            memory.token = None;
            memory.sector = None;
            memory.agents.clear();
            memory.cloud.clone_from(&self.cloud);
        }
        memory
    }

    pub(super) fn get(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    pub(super) async fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        let guard = self.store.lock().await?;
        let mut memory = self.owned(guard.read());
        change(&mut memory);
        guard.write(&memory);
        self.set(memory);
        Ok(())
    }

    /// Gives an agent that an earlier list named.
    pub(super) fn agent(&self, id: &str) -> Option<Agent> {
        self.get().agents.into_iter().find(|agent| agent.id == id)
    }

    /// Gives a target the name that an earlier list gave it.
    pub(super) fn named(&self, mut status: Status) -> Status {
        if let Some(target) = &mut status.target {
            target.name = self.agent(&target.id).and_then(|agent| agent.name);
        }
        status
    }

    /// Gives the agents of an earlier list, as long as their names hold.
    pub(super) fn targets(&self) -> Vec<Target> {
        let memory = self.get();
        let age = Timestamp::now().as_second() - memory.agents_at;
        if !(0..NAMES_HOLD).contains(&age) {
            return Vec::new();
        }
        memory.agents.iter().map(Agent::target).collect()
    }
}
