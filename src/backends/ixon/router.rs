//! The router's own VPN, without which no tunnel to it comes up: whether it is up, and switching it on.
//!
//! Vendor pages: <https://developer.ixon.cloud/docs/set-up-a-vpn-connection>, and `AgentConnection` of the OpenAPI.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;

use super::cloud::{CLOUD, Cloud};
use super::wire::{self, Reach};
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::http::Call;
use crate::http::call::segment;
use crate::model::Target;

/// How long is waited before the router is looked at again; each wait is half as long again. The cloud blocks those
/// who ask more often than 40 times a second, for ten minutes.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a router is looked at where nobody knows whether it was told to wake: one that was is up within seconds.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// How long an explanation may take; whoever waits for it has failed already.
const EXPLANATION: Duration = Duration::from_secs(5);

impl Cloud {
    /// Tells how far the cloud reaches a router; nothing where the cloud does not tell.
    pub(super) async fn reach(&self, agent: &str, company: &str) -> Result<Option<Reach>> {
        // What stands in quotes in the filter must not end them.
        if !agent.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let filter = segment(&format!("eq(publicId,\"{agent}\")"));
        let fields = "publicId,mdrServer(publicId),activeVpnSession(vpnAddress)";
        let path = format!("agents?fields={fields}&filters={filter}");
        let call = self.scoped(Call::get("agent", path), Some(company))?;
        let (agents, _) = self.list::<wire::Agent>(&call).await?;
        Ok(agents.into_iter().find(|one| one.public_id == agent).and_then(|one| one.reach()))
    }

    /// Asks the router to bring its own VPN up, unless it is, and waits until it is.
    pub(super) async fn wake(&self, target: &Target, company: &str) -> Result<()> {
        let agent = target.id.as_str();
        match self.reach(agent, company).await {
            Ok(Some(Reach::Vpn)) => return Ok(()),
            // Without a link to the cloud it can't be told.
            Ok(Some(Reach::Nothing)) => return Err(self.offline(target)),
            Ok(Some(Reach::Cloud) | None) => {}
            // The cloud may forbid to look and allow to switch.
            Err(error) => tracing::debug!("the router's state is not known, so it is told to wake: {error}"),
        }
        let path = format!("agents/{}/connection/openvpn", segment(agent));
        let call = Call::write("wake", Method::POST, path).json(&wire::Wake { action: "connect" })?;
        let lost = match self.transport.call(self, &self.scoped(call, Some(company))?).await {
            Err(error) if error.report().http_status == Some(503) => return Err(self.offline(target).status(503)),
            Err(error) if error.outcome_is_unknown() => Some(error),
            Err(error) => return Err(error),
            Ok(_) => {
                tracing::info!("the router was told to switch its VPN on");
                None
            }
        };
        self.woken.store(true, Ordering::SeqCst);
        self.awake(target, company, lost).await
    }

    /// Waits until the router's VPN is up, for as long as the command may take; where the answer to what it was told was
    /// `lost`, for a short while only, for it may never have been told.
    async fn awake(&self, target: &Target, company: &str, lost: Option<Error>) -> Result<()> {
        let deadline = self.transport.settings().deadline;
        let until = lost.as_ref().map(|_| Instant::now() + COMES_WITHIN);
        let mut wait = FIRST_WAIT;
        loop {
            let now = match (self.reach(&target.id, company).await, &lost) {
                (Ok(Some(Reach::Vpn)), Some(lost)) => {
                    tracing::info!("the answer to the router's waking was lost, but it was carried out: {lost}");
                    return Ok(());
                }
                // Where the cloud does not tell, the client will.
                (Ok(Some(Reach::Vpn) | None), None) => return Ok(()),
                (Ok(Some(Reach::Cloud | Reach::Nothing)), _) => "its VPN is off".to_owned(),
                (Ok(None), Some(lost)) => return Err(self.in_doubt(target, lost, "the cloud does not tell its state")),
                (Err(error), _) if error.is_repeatable() && !deadline.has_passed() => {
                    tracing::debug!("the router could not be looked at, and is again: {error}");
                    unread(&error)
                }
                (Err(error), Some(lost)) => return Err(self.in_doubt(target, lost, &unread(&error))),
                (Err(error), None) => return Err(error),
            };
            // The last look comes at the end of that.
            let more = until.map_or(wait, |until| wait.min(until.saturating_duration_since(Instant::now())));
            let is_over = more.is_zero();
            if is_over || deadline.left().is_some_and(|left| left <= more) {
                return Err(match &lost {
                    Some(lost) => self.in_doubt(target, lost, &now),
                    None => self.asleep(target),
                });
            }
            tokio::time::sleep(more).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }

    /// Says that nobody knows whether a router was told to wake, and what is so now; the client was told nothing.
    fn in_doubt(&self, target: &Target, lost: &Error, now: &str) -> Error {
        let what = format!("whether the router of `{}` was told to switch its VPN on", target.label());
        let look = format!("look again in a minute: vpnctl list -b {} -l vpn=on", self.backend());
        lost.clone().found(now).in_doubt(&what, &look, true).known_outcome()
    }

    fn asleep(&self, target: &Target) -> Error {
        let what = format!(
            "the router of `{}` was told to switch its VPN on, and has not done so in the time given",
            target.label()
        );
        Error::new(Code::TimeoutDeadline, Layer::Device, what)
            .temporary()
            .backend(self.backend())
            .hint("it may still do so; try again, or give it more time with --timeout")
    }

    fn offline(&self, target: &Target) -> Error {
        let what =
            format!("the router of `{}` is not connected to the IXON cloud, so it can't be woken", target.label());
        Error::new(Code::DeviceOffline, Layer::Device, what)
            .later()
            .backend(self.backend())
            .hint("switch the router on and check its internet access")
    }

    /// Adds to the error of an attempt what the cloud knows of the router; asks once, where there is time for it, else
    /// takes what a list told that was read by this command.
    pub(super) async fn explain(&self, agent: &str, company: &str, argument: &str, error: Error) -> Error {
        let asked = match self.transport.settings().deadline.limit(EXPLANATION) {
            Some(limit) => tokio::time::timeout(limit, self.reach(agent, company)).await,
            None => Ok(Ok(None)),
        };
        let reach = match asked {
            Ok(Ok(Some(reach))) => Some(reach),
            // The client works in the cloud with the same token, so this is the reason; by another way to the same end
            // the cloud would have refused it before the attempt.
            Ok(Err(fault)) if fault.exit() == Exit::Auth && error.exit() == Exit::Failed => {
                let argument = error.target_name().unwrap_or(argument).to_owned();
                return fault.context(error.message().trim_end_matches('.')).target(argument);
            }
            Ok(Err(fault)) => {
                tracing::debug!("{CLOUD} could not be asked why: {fault}");
                self.memory.reach(agent)
            }
            Ok(Ok(None)) | Err(_) => self.memory.reach(agent),
        };
        match reach {
            Some(Reach::Nothing) => error.explained(
                "its router is offline: it has no link to the IXON cloud",
                "switch the router on and check its internet access, then try again",
            ),
            Some(Reach::Cloud) if self.woken.load(Ordering::SeqCst) => error.explained(
                "its router was told to switch its own VPN on, and that is off",
                "look at the router in the IXON portal, then try again",
            ),
            Some(Reach::Cloud) => error.explained(
                "its router is online, but the router's own VPN is off",
                format!("add --wake to switch it on first: vpnctl connect --wake {argument}"),
            ),
            Some(Reach::Vpn) | None => error,
        }
    }
}

fn unread(error: &Error) -> String {
    format!("its state can't be read ({error})")
}
