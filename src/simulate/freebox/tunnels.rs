//! The VPN configurations of the box, and which of them is active.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::configuration::{Configuration, INVAL, Merge, View};
use super::journal::Journal;
use super::link::{Link, Moment};
use super::status;

/// The error code of an id that is not there.
const NOENT: &str = "noent";

/// Keeps the configurations, the connection of the active one and the log.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    configurations: Vec<Configuration>,
    /// The connection that exists, which is not that of the active configuration while another one goes down.
    link: Option<Link>,
    /// The configuration that was activated last and not deactivated since.
    wanted: Option<String>,
    last_ups: BTreeMap<String, Duration>,
    journal: Journal,
    use_vpn: bool,
    emptied: bool,
}

impl Tunnels {
    /// Makes the three tunnels of the small world; the second has been up for a while.
    pub(super) fn small_world(moment: &Moment<'_>) -> Self {
        let mut tunnels = Self { use_vpn: true, ..Self::default() };
        for body in small_world() {
            // A body that would not fit is a defect of this file, which the tests count for.
            if let Ok(configuration) = Configuration::read(tunnels.free_id(), &body) {
                tunnels.configurations.push(configuration);
            }
        }
        if let Some(configuration) = tunnels.configurations.iter_mut().find(|one| one.id == "vpn1") {
            configuration.active = true;
            let link = Link::up(configuration.clone(), moment.now);
            for (at, text) in [(link.last_try, "vpn1 connecting"), (link.last_up, "vpn1 connected")] {
                tunnels.journal.write(moment.clock, at.unwrap_or_default(), "info", text);
            }
            tunnels.link = Some(link);
            tunnels.wanted = Some("vpn1".to_owned());
        }
        tunnels
    }

    /// Brings everything up to date. To be called before and after each change, and before each look.
    pub(super) fn settle(&mut self, moment: &Moment<'_>) {
        self.empty_if_told(moment);
        while let Some(link) = &mut self.link {
            let ended = link.settle(moment, &mut self.journal);
            if let Some(at) = link.last_up {
                self.last_ups.insert(link.configuration.id.clone(), at);
            }
            let Some(at) = ended else { break };
            self.link = None;
            self.bring_up(at);
        }
        if let Some(limit) = moment.faults.number("log-limit") {
            self.journal.keep(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        if moment.faults.is_on("clear-log") {
            self.journal.clear();
        }
    }

    /// Shows all configurations.
    pub(super) fn list(&self, view: &View) -> Vec<Value> {
        self.configurations.iter().map(|configuration| configuration.show(view)).collect()
    }

    /// Shows one configuration.
    pub(super) fn get(&self, id: &str, view: &View) -> Result<Value, String> {
        self.configurations.iter().find(|one| one.id == id).map(|one| one.show(view)).ok_or_else(|| NOENT.to_owned())
    }

    /// Adds a configuration under the lowest id that is free, and activates it where the body says so.
    pub(super) fn add(&mut self, body: &Value, view: &View, moment: &Moment<'_>) -> Result<Value, String> {
        if let Some(code) = moment.faults.take("adding") {
            return Err(code);
        }
        let active = wanted_active(body)?.unwrap_or(false);
        let configuration = Configuration::read(self.free_id(), body)?;
        let id = configuration.id.clone();
        if active {
            refuse_activation(moment)?;
        }
        self.configurations.push(configuration);
        if active {
            self.activate(&id, moment);
        }
        self.get(&id, &View { added: true, ..view.clone() })
    }

    /// Changes what the body names.
    pub(super) fn update(&mut self, id: &str, body: &Value, view: &View, moment: &Moment<'_>) -> Result<Value, String> {
        let configuration = self.configurations.iter_mut().find(|one| one.id == id).ok_or(NOENT)?;
        let active = wanted_active(body)?;
        if active == Some(true) {
            refuse_activation(moment)?;
        }
        configuration.update(body, Merge::read(moment.faults))?;
        // The status shows the description as it is now.
        if let Some(link) = self.link.as_mut().filter(|link| link.configuration.id == id) {
            link.configuration = configuration.clone();
        }
        match active {
            Some(true) => self.activate(id, moment),
            Some(false) => self.deactivate(id, moment),
            None => {}
        }
        self.get(id, view)
    }

    /// Removes a configuration; its connection goes down.
    pub(super) fn remove(&mut self, id: &str, moment: &Moment<'_>) -> Result<(), String> {
        if !self.configurations.iter().any(|one| one.id == id) {
            return Err(NOENT.to_owned());
        }
        self.deactivate(id, moment);
        self.configurations.retain(|one| one.id != id);
        self.last_ups.remove(id);
        Ok(())
    }

    /// Shows the state of the active configuration.
    pub(super) fn status(&self, moment: &Moment<'_>) -> Value {
        status::document(self.link.as_ref(), moment)
    }

    /// Gives the log.
    pub(super) fn log(&self) -> String {
        self.journal.text()
    }

    /// Shows which of the box's own services go through the VPN only.
    pub(super) fn apps(&self) -> Value {
        json!({"fbxgrabberd": {"use_vpn": self.use_vpn}})
    }

    /// Changes which services go through the VPN only.
    pub(super) fn set_apps(&mut self, body: &Value) -> Result<Value, String> {
        self.use_vpn = body.pointer("/fbxgrabberd/use_vpn").and_then(Value::as_bool).ok_or(INVAL)?;
        Ok(self.apps())
    }

    fn activate(&mut self, id: &str, moment: &Moment<'_>) {
        self.journal.write(moment.clock, moment.now, "info", &format!("{id} activation requested"));
        let alone = !moment.faults.is_on("keeps-others-active");
        for configuration in &mut self.configurations {
            configuration.active = configuration.id == id || (configuration.active && !alone);
        }
        self.wanted = Some(id.to_owned());
        match &mut self.link {
            Some(link) if link.configuration.id == id => {}
            Some(link) if alone => link.go_down(moment),
            _ => self.bring_up(moment.now),
        }
    }

    fn deactivate(&mut self, id: &str, moment: &Moment<'_>) {
        let Some(configuration) = self.configurations.iter_mut().find(|one| one.id == id && one.active) else {
            return;
        };
        configuration.active = false;
        self.journal.write(moment.clock, moment.now, "info", &format!("{id} deactivation requested"));
        if self.wanted.as_deref() == Some(id) {
            self.wanted = None;
        }
        if let Some(link) = self.link.as_mut().filter(|link| link.configuration.id == id) {
            link.go_down(moment);
        }
    }

    /// Starts to connect what is wanted, if anything is.
    fn bring_up(&mut self, at: Duration) {
        let wanted = self.wanted.as_deref();
        let configuration = self.configurations.iter().find(|one| Some(one.id.as_str()) == wanted);
        self.link = configuration.map(|one| Link::start(one.clone(), at, self.last_ups.get(&one.id).copied()));
    }

    /// Takes all configurations away when `no-tunnels` is switched on; what is added later stays.
    fn empty_if_told(&mut self, moment: &Moment<'_>) {
        let told = moment.faults.is_on("no-tunnels");
        if told && !self.emptied {
            self.configurations.clear();
            self.last_ups.clear();
            (self.link, self.wanted) = (None, None);
            self.journal.clear();
        }
        self.emptied = told;
    }

    fn free_id(&self) -> String {
        let taken = |id: &String| self.configurations.iter().any(|one| one.id == *id);
        (0_u32..).map(|number| format!("vpn{number}")).find(|id| !taken(id)).unwrap_or_default()
    }
}

fn wanted_active(body: &Value) -> Result<Option<bool>, &'static str> {
    let object = body.as_object().ok_or(INVAL)?;
    object.get("active").map(|active| active.as_bool().ok_or(INVAL)).transpose()
}

fn refuse_activation(moment: &Moment<'_>) -> Result<(), String> {
    moment.faults.take("activation").map_or(Ok(()), Err)
}

/// The tunnels that exist at first: one of each kind. Addresses, keys and names are documentation values.
fn small_world() -> [Value; 3] {
    [
        json!({"type": "pptp", "description": "Office PPTP", "conf_pptp": {
            "mppe": "require", "username": "freeuser", "password": "office-secret", "remote_host": "vpnhost.example.org",
            "allowed_auth": {"mschapv2": true},
        }}),
        json!({"type": "openvpn", "description": "Downloads", "conf_openvpn": {
            "username": "fbxtest", "password": "downloads-secret",
            "config_file": "client\ndev tun\nproto udp\nremote test.example.org 1194\n",
        }}),
        json!({"type": "wireguard", "description": "Lyon WireGuard", "conf_wireguard": {
            "local_addr": [{"ip": "198.51.100.10", "len": 24}],
            "local_priv_key": "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=",
            "dns": ["198.51.100.53", "2001:db8:100::53"],
            "mtu": 1420,
            "remote_public_key": "QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=",
            "remote_addr": "192.0.2.1",
            "remote_port": 51820,
            "remote_preshared_key": "",
        }}),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::faults::Faults;
    use crate::simulate::freebox::clock::Clock;

    /// A world whose time is set by hand, in steps of one second.
    struct Bench {
        clock: Clock,
        faults: Faults,
        start: Duration,
        tunnels: Tunnels,
    }

    impl Bench {
        fn new(fault: &str) -> Self {
            let (clock, faults) = (Clock::start(), Faults::default());
            let start = clock.now();
            let tunnels = Tunnels::small_world(&moment(&clock, &faults, start));
            if !fault.is_empty() {
                faults.set(fault);
            }
            Self { clock, faults, start, tunnels }
        }

        fn set(&mut self, id: &str, active: bool, millis: u64) -> Result<Value, String> {
            let moment = moment(&self.clock, &self.faults, self.start + Duration::from_millis(millis));
            self.tunnels.settle(&moment);
            let answer = self.tunnels.update(id, &json!({"active": active}), &View::default(), &moment);
            self.tunnels.settle(&moment);
            answer
        }

        fn status(&mut self, millis: u64) -> Value {
            let moment = moment(&self.clock, &self.faults, self.start + Duration::from_millis(millis));
            self.tunnels.settle(&moment);
            self.tunnels.status(&moment)
        }

        /// The tunnel and the state, or `off`.
        fn state(&mut self, millis: u64) -> String {
            let status = self.status(millis);
            match (status["active_vpn"].as_str(), status["state"].as_str()) {
                (Some(id), Some(state)) => format!("{id} {state}"),
                _ => "off".to_owned(),
            }
        }

        fn active(&self) -> Vec<&str> {
            self.tunnels.configurations.iter().filter(|one| one.active).map(|one| one.id.as_str()).collect()
        }
    }

    fn moment<'a>(clock: &'a Clock, faults: &'a Faults, now: Duration) -> Moment<'a> {
        Moment { now, clock, pace: Duration::from_secs(1), faults }
    }

    #[test]
    fn the_small_world_has_one_tunnel_of_each_kind_and_the_second_is_up() {
        let mut bench = Bench::new("");
        assert_eq!(bench.tunnels.list(&View::default()).len(), 3);
        assert_eq!(bench.active(), ["vpn1"]);
        assert_eq!(bench.state(0), "vpn1 up");
        assert!(bench.status(0)["stats"]["bytes_down"].as_u64() > Some(1_000_000));
    }

    #[test]
    fn another_tunnel_goes_up_once_the_first_is_down() {
        let mut bench = Bench::new("");
        bench.set("vpn0", true, 0).unwrap();
        assert_eq!(bench.active(), ["vpn0"]);
        let seen = [0, 999, 1000, 1999, 2000, 60_000].map(|millis| bench.state(millis));
        assert_eq!(
            seen,
            ["vpn1 going_down", "vpn1 going_down", "vpn0 going_up", "vpn0 going_up", "vpn0 up", "vpn0 up"]
        );
    }

    #[test]
    fn a_tunnel_goes_down_in_one_step_and_leaves_nothing() {
        let mut bench = Bench::new("");
        bench.set("vpn1", false, 0).unwrap();
        assert_eq!(bench.state(999), "vpn1 going_down");
        assert_eq!(bench.status(1000), json!({"enabled": false}));
    }

    #[test]
    fn a_tunnel_activated_again_while_it_goes_down_comes_back() {
        let mut bench = Bench::new("");
        bench.set("vpn1", false, 0).unwrap();
        bench.set("vpn1", true, 500).unwrap();
        let seen = [999, 1000, 2000].map(|millis| bench.state(millis));
        assert_eq!(seen, ["vpn1 going_down", "vpn1 going_up", "vpn1 up"]);
    }

    #[test]
    fn a_failure_counts_down_and_is_tried_again() {
        let mut bench = Bench::new("tunnel-fails=connect_timeout*1");
        bench.set("vpn1", false, 0).unwrap();
        bench.set("vpn0", true, 1000).unwrap();
        assert_eq!(bench.status(1500)["last_error"], json!("none"));
        let failed = bench.status(2000);
        assert_eq!((&failed["state"], &failed["last_error"]), (&json!("down"), &json!("connect_timeout")));
        assert_eq!((&failed["next_try"], &failed["last_up"]), (&json!(10), &json!(0)));
        assert_eq!(bench.status(6500)["next_try"], json!(6));
        let retried = bench.status(12_000);
        assert_eq!((&retried["state"], &retried["last_error"]), (&json!("going_up"), &json!("connect_timeout")));
        assert_eq!(retried["last_try"].as_u64(), failed["last_try"].as_u64().map(|tried| tried + 11));
        let up = bench.status(13_000);
        assert_eq!((&up["state"], &up["last_error"], &up["next_try"]), (&json!("up"), &json!("none"), &json!(0)));
    }

    #[test]
    fn a_failed_tunnel_has_nothing_to_take_down() {
        let mut bench = Bench::new("tunnel-fails");
        bench.set("vpn1", false, 0).unwrap();
        bench.set("vpn0", true, 1000).unwrap();
        assert_eq!(bench.status(2000)["last_error"], json!("auth_failed"));
        bench.set("vpn0", false, 2000).unwrap();
        assert_eq!(bench.state(2000), "off");
    }

    #[test]
    fn an_attempt_without_end_ends_when_the_fault_does() {
        let mut bench = Bench::new("stays-going-up");
        bench.set("vpn0", true, 0).unwrap();
        assert_eq!(bench.state(60_000), "vpn0 going_up");
        bench.faults.clear("stays-going-up");
        assert_eq!(bench.state(60_001), "vpn0 up");
    }

    #[test]
    fn without_a_wan_it_waits_and_with_one_it_connects() {
        let mut bench = Bench::new("waiting-wan");
        assert_eq!(bench.state(0), "vpn1 waiting_wan");
        assert_eq!(bench.state(5000), "vpn1 waiting_wan");
        bench.faults.clear("waiting-wan");
        let seen = [5500, 5999, 6000].map(|millis| bench.state(millis));
        assert_eq!(seen, ["vpn1 going_up", "vpn1 going_up", "vpn1 up"]);
    }

    #[test]
    fn a_dropped_tunnel_comes_back() {
        let mut bench = Bench::new("drop-after=200*1");
        let dropped = bench.status(200);
        assert_eq!((&dropped["state"], &dropped["last_error"]), (&json!("down"), &json!("remote_terminated")));
        assert_eq!(bench.state(60_000), "vpn1 up");
    }

    #[test]
    fn others_stay_active_where_the_fault_says_so() {
        let mut bench = Bench::new("keeps-others-active");
        bench.set("vpn0", true, 0).unwrap();
        assert_eq!(bench.active(), ["vpn0", "vpn1"]);
        assert_eq!(bench.state(1000), "vpn0 up");
    }

    #[test]
    fn a_refused_activation_changes_nothing() {
        let mut bench = Bench::new("activation=busy*1");
        assert_eq!(bench.set("vpn0", true, 0), Err("busy".to_owned()));
        assert_eq!(bench.active(), ["vpn1"]);
        assert_eq!(bench.state(0), "vpn1 up");
        bench.set("vpn0", true, 0).unwrap();
        assert_eq!(bench.active(), ["vpn0"]);
    }

    #[test]
    fn an_old_error_shows_until_there_is_a_newer_one() {
        let mut bench = Bench::new("old-last-error=auth_failed");
        assert_eq!(bench.status(0)["last_error"], json!("auth_failed"));
        assert_eq!(bench.state(0), "vpn1 up");
        bench.faults.set("tunnel-fails=resolv_failed");
        bench.set("vpn0", true, 0).unwrap();
        assert_eq!(bench.status(1500)["last_error"], json!("auth_failed"));
        assert_eq!(bench.status(2000)["last_error"], json!("resolv_failed"));
    }

    #[test]
    fn a_removed_tunnel_goes_down_and_its_id_is_free_again() {
        let mut bench = Bench::new("");
        let (clock, faults) = (bench.clock, bench.faults.clone());
        let now = moment(&clock, &faults, bench.start);
        bench.tunnels.remove("vpn1", &now).unwrap();
        assert_eq!(bench.tunnels.remove("vpn1", &now), Err(NOENT.to_owned()));
        assert_eq!(bench.state(0), "vpn1 going_down");
        assert_eq!(bench.state(1000), "off");
        assert_eq!(bench.tunnels.free_id(), "vpn1");
    }
}
