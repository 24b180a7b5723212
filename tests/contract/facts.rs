//! What the sentences need to know of each vendor's simulated world.

use vpnctl::model::{Target, TargetKind};
use vpnctl::simulate::world::Options;

use super::bench::{Bench, SLOW};

/// What the sentences need to know of one vendor's simulated world.
pub(crate) struct Facts {
    pub(crate) vendor: &'static str,
    pub(crate) kind: TargetKind,
    pub(crate) one_vpn: bool,
    /// Faults of the usual world, so that one target has its VPN up.
    pub(crate) faults: &'static [&'static str],
    /// Id and name of the target whose VPN is up.
    pub(crate) up: (&'static str, &'static str),
    /// Id and name of one whose VPN is down and can be brought up.
    pub(crate) down: (&'static str, &'static str),
    /// All ids, in the vendor's order.
    pub(crate) ids: &'static [&'static str],
    /// A name in another case, the id it means, and how many requests it costs.
    pub(crate) other_case: (&'static str, &'static str),
    /// The one write of a connect of `down`, and of a disconnect of `up`.
    pub(crate) writes: [&'static str; 2],
    /// An id that nothing has, and how it fails to be connected.
    pub(crate) unknown: (&'static str, &'static str),
    /// A part of the path of the request by which a login is made.
    pub(crate) login: &'static str,
    /// Devices and faults of a world with several pages, and how many targets it has.
    pub(crate) paged: (Option<usize>, &'static [&'static str], usize),
    /// Makes the next login be refused.
    pub(crate) refuse: fn(&mut Bench),
    /// Takes away what a login is made with.
    pub(crate) strip: fn(&mut Bench),
}

pub(crate) const FREEBOX: Facts = Facts {
    vendor: "freebox",
    kind: TargetKind::Tunnel,
    one_vpn: true,
    faults: &[],
    up: ("vpn1", "Downloads"),
    down: ("vpn0", "Office PPTP"),
    ids: &["vpn0", "vpn1", "vpn2"],
    other_case: ("OFFICE pptp", "vpn0"),
    writes: ["PUT /api/v16/vpn_client/config/vpn0", "PUT /api/v16/vpn_client/config/vpn1"],
    unknown: ("vpn99", "target.not_found"),
    login: "/login/session/",
    paged: (None, &[], 3),
    refuse: |bench| bench.fault("invalid-token"),
    strip: |bench| bench.unset("app_token"),
};

pub(crate) const IXON: Facts = Facts {
    vendor: "ixon",
    kind: TargetKind::Agent,
    one_vpn: true,
    faults: &["start-connected"],
    up: ("AAAAAAAAAAAA", "Press 7"),
    down: ("AAAAAAAAAAAG", "CUTTERLINE04"),
    ids: &[
        "AAAAAAAAAAAA",
        "AAAAAAAAAAAB",
        "AAAAAAAAAAAC",
        "AAAAAAAAAAAD",
        "AAAAAAAAAAAE",
        "AAAAAAAAAAAF",
        "AAAAAAAAAAAG",
    ],
    other_case: ("press 8", "AAAAAAAAAAAC"),
    writes: ["POST /connect", "POST /disconnect"],
    // The client does not look at the id before it answers, only at its form.
    unknown: ("no id", "vendor.error"),
    login: "POST /api/access-tokens",
    paged: (Some(2500), &[], 2500),
    refuse: |bench| bench.secret("password", "wrong"),
    strip: |bench| bench.unset("password"),
};

pub(crate) const EVERYWARE: Facts = Facts {
    vendor: "everyware",
    kind: TargetKind::Device,
    one_vpn: false,
    faults: &[],
    up: ("-Kf2x0nQbDE", "gw-lyon-02"),
    down: ("_Kf2x0nQbDE", "gw-lyon-03"),
    ids: &["WyczTs_GuDM", "-Kf2x0nQbDE", "_Kf2x0nQbDE", "Gd1BfeWwh3s", "LQNak9Yzkus", "dIVxI5QpFUI", "AuY"],
    other_case: ("", ""),
    writes: ["POST /v1/_/devices/_Kf2x0nQbDE/vpn/_connect", "POST /v1/_/devices/-Kf2x0nQbDE/vpn/_disconnect"],
    unknown: ("AQ", "target.not_found"),
    login: "/authentication/user",
    paged: (Some(50), &["page-size=20"], 50),
    refuse: |bench| bench.fault("refuse-login"),
    strip: |bench| bench.unset("password"),
};

/// Every vendor's; a test holds this to the registry.
pub(crate) const ALL: [&Facts; 3] = [&FREEBOX, &IXON, &EVERYWARE];

impl Facts {
    pub(crate) fn up(&self) -> Target {
        self.named(self.up)
    }

    pub(crate) fn down(&self) -> Target {
        self.named(self.down)
    }

    pub(crate) fn by_id(&self, id: &str) -> Target {
        Target::by_id(self.kind, id)
    }

    fn named(&self, (id, name): (&str, &str)) -> Target {
        Target { name: Some(name.to_owned()), ..self.by_id(id) }
    }

    /// Starts the usual world; an IXON backend logs in with e-mail and password, for a configured token needs none.
    pub(crate) async fn bench(&self) -> Bench {
        self.bench_of(None, &[]).await
    }

    pub(crate) async fn bench_of(&self, devices: Option<usize>, faults: &[&str]) -> Bench {
        let faults = self.faults.iter().chain(faults).map(|&fault| fault.to_owned()).collect();
        let options = Options { pace: SLOW, devices, faults, ..Options::default() };
        let mut bench = Bench::with(self.vendor, options).await;
        if self.vendor == "ixon" {
            bench.unset("token");
            bench.text("email", super::ixon::EMAIL);
            bench.secret("password", super::ixon::PASSWORD);
            bench.text("sector_id", "SSSSSSSSSSSS");
        }
        bench
    }

    /// Makes sure that there is a login, and forgets the requests for it.
    pub(crate) async fn log_in(&self, bench: &Bench) -> Box<dyn vpnctl::backend::VpnBackend> {
        let backend = bench.open();
        backend.session().unwrap().show().await.unwrap();
        backend.status(Some(&self.up())).await.unwrap();
        bench.asked();
        backend
    }
}
