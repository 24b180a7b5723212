//! The cloud's calls: companies, agents, sector. Vendor pages: developer.ixon.cloud/docs, `APIv2`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::memory::{Agent, Remembered};
use super::wire::Reach;
use super::{failure, missing, wire};
use crate::backend::Opening;
use crate::backends::shared::{Refused, meaningful, warn_of_plain_http};
use crate::config::schema::read_url;
use crate::error::{Code, Error, Layer, Result};
use crate::http::call::{header_value, segment, sendable};
use crate::http::{Call, LONGEST, Protocol, Reply, Settings, Transport, Verdict, tls, without_quotes};

/// What the cloud is called in messages.
pub(super) const CLOUD: &str = "the IXON cloud";
/// How many agents a page has; third parties use up to 1,000.
const PAGE: usize = 1000;
/// How many pages are fetched one after the other without a pause.
const UNPACED: usize = 5;
/// The pause before each further one: the cloud wants fewer than 10 requests a second.
const PACE: Duration = Duration::from_millis(125);
/// How many pages are read of one list at most: a million agents, which is more than anybody has.
const MOST_PAGES: usize = 1000;
/// What is asked of an agent: what users search by, and how far it can be reached.
const FIELDS: &str = concat!(
    "publicId,name,deviceId,serialNumber,macAddress,custom,company(publicId,name),",
    "mdrServer(publicId),activeVpnSession(vpnAddress)"
);

/// Calls the cloud.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) transport: Transport,
    pub(super) config: Config,
    pub(super) memory: Arc<Remembered>,
    pub(super) generation: std::sync::Mutex<u64>,
    pub(super) renewing: tokio::sync::Mutex<()>,
    pub(super) refused: Refused,
    /// Whether this process has told a router to wake.
    pub(super) woken: AtomicBool,
}

impl Cloud {
    pub(super) fn new(opening: &Opening, config: Config, memory: Arc<Remembered>) -> Result<Self> {
        let transport = Transport::new(settings(opening, &config)?).sharing(&memory.secrets);
        Ok(Self {
            transport,
            config,
            memory,
            generation: std::sync::Mutex::new(0),
            renewing: tokio::sync::Mutex::default(),
            refused: Refused::default(),
            woken: AtomicBool::new(false),
        })
    }

    pub(super) fn backend(&self) -> &str {
        &self.config.source.name
    }

    /// Gives the configured company.
    pub(super) fn company(&self) -> Result<String> {
        self.config.company_id.clone().ok_or_else(|| {
            missing(&self.config.source, "company_id", "an agent named by its id alone belongs to an unknown company")
        })
    }

    /// Lists the agents of the configured company, or of all that the account has, and remembers their names; tells too
    /// why there may be more. A company that can't be read is told, and does not hide the others; where none can, that is
    /// the error.
    pub(super) async fn agents(&self, failed: &mut (dyn FnMut(Error) + Send)) -> Result<(Vec<Agent>, Option<Error>)> {
        let mut doubt = None;
        let companies = match &self.config.company_id {
            Some(company) => vec![company.clone()],
            None => self.companies(&mut doubt).await?,
        };
        let mut agents = Vec::new();
        let mut pages = 0;
        let mut unread = Vec::new();
        for company in &companies {
            match self.agents_of(company, &mut pages, &mut agents).await {
                Ok(short) => doubt = doubt.or(short),
                Err(error) if companies.len() > 1 && concerns_one(&error) => {
                    unread.push(error.context(&format!("the agents of the company {company} can't be read")));
                }
                Err(error) => return Err(error),
            }
        }
        if unread.len() == companies.len() && !unread.is_empty() {
            return Err(unread.swap_remove(0));
        }
        unread.into_iter().for_each(|error| failed(error.backend(self.backend())));
        // A page that comes twice holds the same agents twice.
        let mut seen = HashSet::new();
        agents.retain(|agent| seen.insert(agent.id.clone()));
        self.memory.tell(&agents);
        self.memory.keep_agents(&agents).await?;
        Ok((agents, doubt))
    }

    /// Lists the companies of the account; where there may be more, `doubt` becomes why.
    pub(super) async fn companies(&self, doubt: &mut Option<Error>) -> Result<Vec<String>> {
        let mut companies: Vec<String> = Vec::new();
        let mut after: Option<String> = None;
        for count in 1..=MOST_PAGES {
            let cursor = after.as_deref().map(page_after).unwrap_or_default();
            let path = format!("companies?fields=publicId,name&page-size={PAGE}{cursor}");
            let call = self.scoped(Call::get("companies", path), None)?;
            let (page, more) = self.list::<wire::Identified>(&call).await?;
            let before = companies.len();
            for company in page {
                sendable(CLOUD, "a company's id", &company.public_id)
                    .map_err(|error| self.transport.settings().own(error))?;
                if !companies.contains(&company.public_id) {
                    companies.push(company.public_id);
                }
            }
            let Some(more) = more else { break };
            // A page with nothing new would go round for ever.
            if companies.len() == before || segment(&more).len() > LONGEST / 2 || count == MOST_PAGES {
                *doubt = Some(self.short("of the companies"));
                break;
            }
            after = Some(more);
        }
        Ok(companies)
    }

    /// Reads the agents of a company; gives why there may be more.
    async fn agents_of(&self, company: &str, pages: &mut usize, agents: &mut Vec<Agent>) -> Result<Option<Error>> {
        let mut after: Option<String> = None;
        let (mut cursors, mut known) = (HashSet::new(), HashSet::new());
        loop {
            let cursor = after.as_deref().map(page_after).unwrap_or_default();
            let path = format!("agents?fields={FIELDS}&page-size={PAGE}{cursor}");
            let call = self.scoped(Call::get("agents", path), Some(company))?;
            if *pages >= UNPACED {
                tokio::time::sleep(PACE).await;
            }
            *pages += 1;
            let (page, more) = self.list::<wire::Agent>(&call).await?;
            let mut any_new = false;
            for agent in page {
                any_new |= known.insert(agent.public_id.clone());
                agents.push(remembered(agent, company));
            }
            // A cursor that repeats would go round for ever.
            match more {
                Some(more) if cursors.insert(more.clone()) => {
                    let length = segment(&more).len();
                    if length > LONGEST / 2 || !any_new || cursors.len() >= MOST_PAGES {
                        return Err(self.endless(company, known.len(), length));
                    }
                    after = Some(more);
                }
                Some(_) => return Ok(Some(self.short(&format!("of {company}")))),
                None => return Ok(None),
            }
        }
    }

    /// Says that a list may be short, and warns of it: what was read of it is true.
    fn short(&self, list: &str) -> Error {
        let what = format!("{CLOUD} names the same next page again; the list {list} may be incomplete");
        tracing::warn!("{what}");
        Error::new(Code::VendorProtocol, Layer::Api, what)
            .backend(self.backend())
            .hint("look into the portal, and name the agent by its id, which needs no list: --id ID")
    }

    /// Says that the pages of a list lead nowhere.
    fn endless(&self, company: &str, count: usize, cursor: usize) -> Error {
        let what = if cursor > LONGEST / 2 {
            format!(
                "{CLOUD} names the next page of the agents of {company} by {cursor} characters, which no address takes"
            )
        } else {
            format!(
                "the list of the agents of {company} does not end: {CLOUD} names ever more pages behind {count} agents"
            )
        };
        Error::new(Code::VendorProtocol, Layer::Api, what)
            .backend(self.backend())
            .hint("check that `cloud_url` is the API of IXON; an agent that is named by its id needs no list")
    }

    /// Gives the sector's id where it can be had; the documentation asks for it, real clients go without.
    pub(super) async fn sector(&self) -> Option<String> {
        if let Some(sector) = self.memory.get().sector {
            return meaningful(Some(sector));
        }
        self.config.application_id.as_ref()?;
        let call = self.scoped(Call::get("sector", "sectors/me").open(), None).ok()?;
        let found = match self.list::<wire::Identified>(&call).await {
            Ok((sectors, _)) => {
                let first = sectors.into_iter().next().map(|sector| sector.public_id);
                first.filter(|sector| sendable(CLOUD, "a sector", sector).is_ok())
            }
            Err(error) => {
                tracing::debug!("no sector: {error}");
                return None;
            }
        };
        let kept = found.clone().unwrap_or_default();
        if let Err(error) = self.memory.change(|memory| memory.sector = Some(kept)).await {
            tracing::debug!("the sector is not kept: {error}");
        }
        found
    }

    /// Adds the headers that every call but the discovery needs.
    pub(super) fn scoped(&self, call: Call, company: Option<&str>) -> Result<Call> {
        let application = self.config.application_id.as_deref().ok_or_else(|| {
            missing(&self.config.source, "application_id", "it comes with a service account, or from IXON's sales")
        })?;
        let call = call.header("api-version", "2", false)?.header("api-application", application, false)?;
        match company {
            Some(company) => call.header("api-company", company, false),
            None => Ok(call),
        }
    }

    /// Sends a call and decodes its values and the cursor of the next page.
    pub(super) async fn list<T: DeserializeOwned>(&self, call: &Call) -> Result<(Vec<T>, Option<String>)> {
        let reply = self.transport.call(self, call).await?;
        let own = |error: Error| self.transport.settings().own(error);
        // What is no such document is quoted without secrets, a token that was just made included.
        let quotable = || self.memory.secrets.quotable(&reply);
        let envelope: wire::Envelope = self.memory.secrets.decoded(&reply, CLOUD, call.operation).map_err(own)?;
        let more = meaningful(envelope.more_after.clone());
        let values = envelope.values().into_iter().map(|value| {
            serde_path_to_error::deserialize(value).map_err(|error| {
                // It is of the answer as it came, with a token that was just made.
                let place = self.memory.secrets.hide(&error.path().to_string());
                let fault = format!("{place}: {}", without_quotes(&error.inner().to_string()));
                own(crate::http::unparsable(CLOUD, call.operation, &quotable(), &fault))
            })
        });
        Ok((values.collect::<Result<_>>()?, more))
    }
}

/// Writes where a page begins.
fn page_after(cursor: &str) -> String {
    format!("&page-after={}", segment(cursor))
}

/// Tells whether an error is about one company, so that another may be readable: not about the login or the cloud.
fn concerns_one(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::AuthForbidden | Code::TargetNotFound | Code::ConfigInvalid | Code::VendorError | Code::VendorProtocol
    )
}

/// Takes of an agent what it is searched by and told apart by.
pub(super) fn remembered(agent: wire::Agent, company: &str) -> Agent {
    let mut labels = BTreeMap::new();
    let mut label = |name: String, value: Option<String>| value.map(|value| labels.insert(name, value));
    label("company".to_owned(), agent.company.as_ref().and_then(|company| meaningful(company.name.clone())));
    let reach = agent.reach();
    let word = |yes: bool, words: [&str; 2]| words[usize::from(yes)].to_owned();
    label("online".to_owned(), reach.map(|reach| word(reach != Reach::Nothing, ["no", "yes"])));
    label("vpn".to_owned(), reach.map(|reach| word(reach == Reach::Vpn, ["off", "on"])));
    let mut also = Vec::new();
    for (name, value) in agent.properties() {
        also.push(value.clone());
        label(format!("custom.{name}"), Some(value));
    }
    also.extend([agent.device_id, agent.serial_number, agent.mac_address].into_iter().filter_map(meaningful));
    Agent { id: agent.public_id, name: meaningful(agent.name), company: Some(company.to_owned()), also, labels }
}

/// Says how the cloud is reached. A pin and a CA are those of the client on this computer; they serve the cloud only
/// where that is on this computer too, as a simulator's is.
fn settings(opening: &Opening, config: &Config) -> Result<Settings> {
    let mut url = read_url(&config.cloud_url).map_err(|why| opening.config.wrong("cloud_url", &why))?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    warn_of_plain_http(opening, &url, None);
    let local = tls::is_local(&url);
    let trust = tls::Trust {
        ca_file: opening.config.path("tls.ca_file").filter(|_| local),
        insecure: local && opening.config.is_on("tls.insecure"),
        ..tls::Trust::default()
    };
    Ok(Settings {
        backend: opening.config.name.clone(),
        peer: CLOUD.to_owned(),
        url,
        url_key: "cloud_url",
        connect_address: None,
        tls: trust,
        request_timeout: opening.request_timeout.or(opening.config.duration("request_timeout")),
        rate: crate::backends::shared::rate(opening)?,
        deadline: opening.deadline,
        refused_hint: Some("check `cloud_url`".to_owned()),
        untrusted_hint: None,
        observer: opening.observer.clone(),
    })
}

#[async_trait]
impl Protocol for Cloud {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<u64> {
        use secrecy::ExposeSecret as _;
        let token: SecretString = self.token().await?;
        self.memory.secrets.add(token.expose_secret());
        let value = format!("Bearer {}", token.expose_secret());
        headers.insert(reqwest::header::AUTHORIZATION, header_value("authorization", &value, true)?);
        Ok(self.generation())
    }

    async fn renew(&self, stale: u64) -> Result<bool> {
        self.renew_token(stale).await
    }

    fn verdict(&self, _call: &Call, reply: &Reply) -> Verdict {
        match failure::of_cloud(self.backend(), &self.memory.secrets.quotable(reply)) {
            None => Verdict::Done,
            Some(error) if error.code() == crate::error::Code::AuthExpired => Verdict::Stale(error),
            Some(error) => Verdict::Failed(error),
        }
    }
}
