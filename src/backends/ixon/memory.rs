//! What is remembered of an IXON client: its links, the controller's id, the cloud's token, names of agents.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::secrets::Secrets;
use super::wire::Reach;
use crate::backend::Opening;
use crate::error::Result;
use crate::model::{Status, Target, TargetKind};
use crate::secrets::{SecretRef, digest};
use crate::state::Store;

/// How long names of agents hold, in seconds; they are renamed in the portal, where vpnctl does not see it.
const NAMES_HOLD: i64 = 3600;

/// An agent by which users search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) company: Option<String>,
    /// Device id, serial number, MAC address, custom properties.
    pub(super) also: Vec<String>,
    /// What the list told besides; it changes by the minute, so it is not kept.
    #[serde(skip)]
    pub(super) labels: BTreeMap<String, String>,
}

impl Agent {
    pub(super) fn target(&self) -> Target {
        Target { name: self.name.clone(), ..Target::by_id(TargetKind::Agent, &self.id) }
    }

    /// Tells whether something else that its users know it by is this; a MAC address in any of its spellings.
    pub(super) fn is_known_as(&self, text: &str) -> bool {
        let lower = text.trim().to_lowercase();
        let address = mac(&lower);
        self.also.iter().any(|value| {
            let value = value.to_lowercase();
            value == lower || (address.is_some() && mac(&value) == address)
        })
    }

    /// Tells what sets it apart from others of its name.
    pub(super) fn description(&self) -> Option<String> {
        let online = self.labels.get("online").map(|word| if word == "yes" { "online" } else { "offline" });
        let parts = [self.name.as_deref(), self.labels.get("company").map(String::as_str), online];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!self.labels.is_empty() && !parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Gives the digits of a MAC address, however they are set apart; nothing for what is none.
fn mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')).collect();
    (digits.len() == 12 && digits.chars().all(|c| c.is_ascii_hexdigit())).then_some(digits)
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
    /// What is not to be shown of what servers say.
    pub(super) secrets: Secrets,
    client: String,
    cloud: String,
    memory: Mutex<Memory>,
    /// The labels of the agents that this process listed, by id.
    told: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
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
            secrets: Secrets::default(),
            client: digest(&[&config.url]),
            cloud: digest(&[
                &config.cloud_url,
                &text(&config.application_id),
                &text(&config.company_id),
                &text(&config.email),
            ]),
            memory: Mutex::default(),
            told: Mutex::default(),
        };
        let memory = remembered.owned(remembered.store.read());
        remembered.set(memory);
        remembered.secrets.add_known(config.token.as_ref());
        remembered.secrets.add_known(config.password.as_ref());
        // Both go together into the header of a login.
        let password = config.password.as_ref().and_then(SecretRef::at_hand);
        if let (Some(email), Some(password)) = (&config.email, &password) {
            remembered.secrets.add(&format!("{email}::{}", password.expose_secret()));
        }
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
        memory.token.iter().for_each(|token| self.secrets.add(&token.secret));
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

    /// Gives an agent that an earlier list named, with its labels where that was in this process.
    pub(super) fn agent(&self, id: &str) -> Option<Agent> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let agent = self.get().agents.into_iter().find(|agent| agent.id == id);
        agent.map(|agent| Agent { labels: told.unwrap_or_default(), ..agent })
    }

    /// Keeps agents as they were listed. Where the same are kept already and will hold for a while, nothing is written: a
    /// list that is read every minute is no reason to wear a disk.
    pub(super) async fn keep_agents(&self, agents: &[Agent]) -> Result<()> {
        let now = Timestamp::now().as_second();
        {
            let kept = self.get();
            let is_same = kept.agents.len() == agents.len()
                && kept.agents.iter().zip(agents).all(|(kept, told)| {
                    (&kept.id, &kept.name, &kept.company, &kept.also)
                        == (&told.id, &told.name, &told.company, &told.also)
                });
            if is_same && (0..NAMES_HOLD / 2).contains(&(now - kept.agents_at)) {
                return Ok(());
            }
        }
        self.change(|memory| {
            memory.agents = agents.to_vec();
            memory.agents_at = now;
        })
        .await
    }

    /// Takes note of what a list has just told.
    pub(super) fn tell(&self, agents: &[Agent]) {
        let labels = agents.iter().map(|agent| (agent.id.clone(), agent.labels.clone())).collect();
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = labels;
    }

    /// Gives a target the name that an earlier list gave it.
    pub(super) fn named(&self, mut status: Status) -> Status {
        if let Some(target) = &mut status.target {
            let name = || self.agent(&target.id).and_then(|agent| agent.name);
            target.name = name().or_else(|| {
                // A process that goes on for long learns what others have listed meanwhile.
                let told = self.owned(self.store.read());
                let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                (memory.agents, memory.agents_at) = (told.agents, told.agents_at);
                drop(memory);
                name()
            });
        }
        status
    }

    /// Tells how far the cloud reached a router when this process listed it.
    pub(super) fn reach(&self, id: &str) -> Option<Reach> {
        let agent = self.agent(id)?;
        match (agent.labels.get("online")?.as_str(), agent.labels.get("vpn")?.as_str()) {
            (_, "on") => Some(Reach::Vpn),
            ("yes", _) => Some(Reach::Cloud),
            _ => Some(Reach::Nothing),
        }
    }

    /// Names the agents whose names come nearest to one, or hold it; three at most.
    pub(super) fn near(&self, name: &str) -> Vec<String> {
        let wanted = name.trim().to_lowercase();
        let mut near: Vec<(usize, String)> = Vec::new();
        for own in self.get().agents.into_iter().filter_map(|agent| agent.name) {
            let lower = own.to_lowercase();
            let distance = strsim::damerau_levenshtein(&wanted, &lower);
            let holds = wanted.chars().count() > 2 && lower.contains(&wanted);
            if (holds || distance <= 1 + lower.chars().count() / 4) && !near.iter().any(|(_, seen)| *seen == own) {
                near.push((if holds { 0 } else { distance }, own));
            }
        }
        near.sort();
        near.into_iter().take(3).map(|(_, name)| name).collect()
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

#[cfg(test)]
mod tests {
    use super::{Agent, mac};

    #[test]
    fn a_mac_address_is_one_in_any_spelling() {
        let agent = Agent {
            id: "AAAAAAAAAAAA".to_owned(),
            name: None,
            company: None,
            also: vec!["00:22:44:AB:00:03".to_owned(), "C-4003".to_owned()],
            labels: std::collections::BTreeMap::default(),
        };
        for text in ["00:22:44:ab:00:03", "00-22-44-AB-00-03", "002244ab0003", "0022.44AB.0003", " c-4003 "] {
            assert!(agent.is_known_as(text), "{text}");
        }
        for text in ["00:22:44:ab:00:04", "002244ab000", "", "C-400", "C4003"] {
            assert!(!agent.is_known_as(text), "{text}");
        }
        assert_eq!(mac("xx:22:44:ab:00:03"), None);
    }
}
