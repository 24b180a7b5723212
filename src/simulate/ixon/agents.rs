//! The companies of the simulated cloud and their agents (vendors/ixon.md sections 4.9, 4.10 and 5).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::simulate::faults::Faults;

/// The publicId of the one sector.
pub(super) const SECTOR: &str = "SSSSSSSSSSSS";
/// The company that most agents belong to.
pub(super) const COMPANY: Company = Company { public_id: "1111-2222-3333-4444-5555", name: "Example Machines" };
/// A company in which a name of the first appears again.
pub(super) const SECOND_COMPANY: Company = Company { public_id: "5555-4444-3333-2222-1111", name: "Second Company" };
/// The agent that faults mean where they name none.
pub(super) const FIRST_AGENT: &str = "AAAAAAAAAAAA";

/// A company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Company {
    /// Five groups of four digits.
    pub(super) public_id: &'static str,
    /// Its name.
    pub(super) name: &'static str,
}

impl Company {
    /// Finds a company of the user by its publicId.
    pub(super) fn find(public_id: &str) -> Option<Self> {
        [COMPANY, SECOND_COMPANY].into_iter().find(|company| company.public_id == public_id)
    }

    /// Gives its document.
    pub(super) fn document(self) -> Value {
        json!({ "publicId": self.public_id, "name": self.name })
    }
}

/// How far an agent can be reached (vendors/ixon.md section 4.10, "Online").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It has a link to the cloud and its VPN is up.
    Vpn,
    /// It has a link to the cloud, its VPN is off.
    Cloud,
    /// It is off.
    Nothing,
}

/// A router, or a computer that acts as one.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// 12 letters and digits.
    pub(super) public_id: String,
    /// Its name, which the cloud allows to be missing.
    pub(super) name: Option<String>,
    /// The company it belongs to.
    pub(super) company: Company,
    /// Whether tunnels to it run inside stunnel.
    pub(super) stealth: bool,
    reach: Reach,
    active: bool,
    /// What makes its other fields differ from those of its neighbours.
    number: usize,
}

/// Holds the agents, and those whose VPN has been switched.
#[derive(Debug)]
pub(super) struct Agents {
    all: Vec<Agent>,
    switched: Mutex<BTreeMap<String, (Reach, Instant)>>,
    faults: Faults,
}

impl Agents {
    /// Makes the small world, or one with `count` agents in the first company.
    pub(super) fn new(count: Option<usize>, faults: Faults) -> Self {
        let small = small_world();
        let mut all: Vec<Agent> = small.iter().filter(|agent| agent.company == COMPANY).cloned().collect();
        if let Some(count) = count {
            all.truncate(count);
            all.extend((all.len()..count).map(generated));
        }
        all.extend(small.into_iter().filter(|agent| agent.company == SECOND_COMPANY));
        Self { all, switched: Mutex::default(), faults }
    }

    /// Gives the agents of a company, in the order of the cloud's pages.
    pub(super) fn of(&self, company: Company) -> impl Iterator<Item = &Agent> {
        self.all.iter().filter(move |agent| agent.company == company)
    }

    /// Finds an agent of whatever company.
    pub(super) fn find(&self, public_id: &str) -> Option<&Agent> {
        self.all.iter().find(|agent| agent.public_id == public_id)
    }

    /// Tells how far an agent can be reached now.
    pub(super) fn reach(&self, agent: &Agent) -> Reach {
        if self.faults.arg("agent-offline").is_some_and(|id| id.is_empty() || id == agent.public_id) {
            return Reach::Nothing;
        }
        let switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((reach, since)) = switched.get(&agent.public_id).copied() else { return agent.reach };
        let delay = self.faults.number("wake-delay").map_or(Duration::ZERO, Duration::from_millis);
        // A router that was told to connect takes its time; one that was told to disconnect does not.
        if reach == Reach::Vpn && since.elapsed() < delay { Reach::Cloud } else { reach }
    }

    /// Switches the VPN of a router; tells whether the cloud could reach it.
    pub(super) fn switch(&self, agent: &Agent, on: bool) -> bool {
        let is_deaf = self.faults.arg("no-mqtt").is_some_and(|id| id.is_empty() || id == agent.public_id);
        if self.reach(agent) == Reach::Nothing || is_deaf {
            return false;
        }
        let reach = if on { Reach::Vpn } else { Reach::Cloud };
        // Told again on its way it does not start anew.
        let mut switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
        if switched.get(&agent.public_id).map_or(agent.reach, |(told, _)| *told) != reach {
            switched.insert(agent.public_id.clone(), (reach, Instant::now()));
        }
        true
    }

    /// Gives an agent's whole document; `users` are those who are connected to it.
    pub(super) fn document(&self, agent: &Agent, users: &[Value]) -> Value {
        let reach = self.reach(agent);
        let mut document = agent.identity();
        let rest = agent.network();
        let vpn = json!({
            "connectedUsers": users,
            "mdrServer": if reach == Reach::Nothing { Value::Null } else { mdr_server() },
            "activeVpnSession": if reach == Reach::Vpn { agent.vpn_session() } else { Value::Null },
        });
        for part in [rest, vpn] {
            if let (Value::Object(whole), Value::Object(part)) = (&mut document, part) {
                whole.extend(part);
            }
        }
        document
    }
}

impl Agent {
    fn identity(&self) -> Value {
        let number = self.number;
        json!({
            "publicId": self.public_id,
            "name": self.name,
            "deviceId": format!("dev-{number:04}"),
            "description": if number.is_multiple_of(2) { json!("Simulated router") } else { Value::Null },
            "activeStatus": if self.active { "active" } else { "inactive" },
            "serialNumber": format!("{:08}", 21_500_000 + number),
            "macAddress": format!("00:22:44:{:02x}:{:02x}:{:02x}", number >> 16 & 255, number >> 8 & 255, number & 255),
            "type": { "name": "IXrouter3" },
            "company": self.company.document(),
            "controlledBy": null,
            "custom": { "commission": format!("C-{}", 4000 + number), "site": if number < 4 { "Lyon" } else { "Delft" } },
            "vpnLocked": false,
            "vpnRequireAccessApproval": false,
            // Stealth mode does not work with UDP (vendors/ixon.md section 9).
            "vpnProtocol": if self.stealth { "tcp" } else { "udp" },
            "useStunnel": self.stealth,
        })
    }

    fn network(&self) -> Value {
        let third = self.number & 255;
        json!({
            "devices": [{
                "publicId": derived_id('D', self.number),
                "name": "PLC",
                "ipAddress": format!("192.168.{third}.10"),
                "macAddress": format!("00:22:55:00:00:{third:02x}"),
                "customAddress": null,
            }],
            "servers": [{
                "publicId": derived_id('W', self.number),
                "type": "http",
                "name": "Panel",
                "port": 443,
                "useSsl": true,
            }],
            "config": {
                "routerLan": {
                    "network": format!("192.168.{third}.0"),
                    "netMask": "255.255.255.0",
                    "ipAddress": format!("192.168.{third}.1"),
                },
                "routerAdditionalSubnets": [],
            },
            "scheduledAccessRequests": [],
            "lastSeenAgentUserAgent": null,
            "vpnChangedOn": "2026-11-20T08:00:00Z",
            "networkReportedOn": "2026-11-20T08:00:05Z",
        })
    }

    fn vpn_session(&self) -> Value {
        json!({
            "rscServer": {
                "publicId": "RRRRRRRRRRRR",
                "name": "rsc1",
                "vpnRange": "10.0.0.0/16",
                "supportedLayers": ["tap", "tun"],
                "location": { "name": "Delft", "latitude": "52.01", "longitude": "4.36" },
            },
            "startedOn": "2026-11-20T08:00:00Z",
            "sessionName": self.public_id,
            "vpnAddress": format!("10.0.{}.{}", self.number >> 8 & 255, self.number & 255),
            "closed": false,
        })
    }
}

fn mdr_server() -> Value {
    json!({ "publicId": "MMMMMMMMMMMM", "name": "mdr1" })
}

fn derived_id(letter: char, number: usize) -> String {
    format!("{letter}{number:011}")
}

/// The agents that tests and demonstrations know by name; see the table in the module documentation.
fn small_world() -> Vec<Agent> {
    let agent = |id: &str, name: Option<&str>, company, reach| Agent {
        public_id: id.to_owned(),
        name: name.map(str::to_owned),
        company,
        stealth: name == Some("CUTTERLINE04"),
        reach,
        active: id != "AAAAAAAAAAAF",
        number: 0,
    };
    let mut all = vec![
        agent(FIRST_AGENT, Some("Press 7"), COMPANY, Reach::Vpn),
        agent("AAAAAAAAAAAB", None, COMPANY, Reach::Vpn),
        agent("AAAAAAAAAAAC", Some("Press 8"), COMPANY, Reach::Cloud),
        agent("AAAAAAAAAAAD", Some("Pump"), COMPANY, Reach::Vpn),
        agent("AAAAAAAAAAAE", Some("Pump"), COMPANY, Reach::Vpn),
        agent("AAAAAAAAAAAF", Some("Boiler 3"), COMPANY, Reach::Nothing),
        agent("AAAAAAAAAAAG", Some("CUTTERLINE04"), COMPANY, Reach::Vpn),
        agent("BBBBBBBBBBBA", Some("Press 7"), SECOND_COMPANY, Reach::Vpn),
        agent("BBBBBBBBBBBB", Some("Mixer"), SECOND_COMPANY, Reach::Vpn),
    ];
    for (index, agent) in all.iter_mut().enumerate() {
        // The second company's numbers stay clear of those of a large first one.
        agent.number = if agent.company == COMPANY { index + 1 } else { 900_000 + index };
    }
    all
}

fn generated(index: usize) -> Agent {
    let number = index + 1;
    Agent {
        public_id: derived_id('G', number),
        name: Some(format!("Machine {number}")),
        company: COMPANY,
        stealth: false,
        reach: Reach::Vpn,
        active: true,
        number,
    }
}
