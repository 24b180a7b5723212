//! What stays of a text and what does not.

use super::Scrub;

#[test]
fn what_is_not_our_own_is_replaced_and_the_same_by_the_same() {
    let mut scrub = Scrub::new();
    scrub.know("backend", "attic");
    scrub.know("name", "The Certificate");
    for (text, expected) in [
        (
            "nothing listens at 10.1.2.3:443, where my barn should be",
            "nothing listens at ip-1:443, where name-1 name-2 should be",
        ),
        ("https://nas.acme.example:8447/u77, nas.acme.example", "https://host-1:port-1/id-1, host-1"),
        (
            "http://127.0.0.1:18447/api, [::1]:18447, 127.8.9.10:8447",
            "http://127.0.0.1:port-2/api, [::1]:port-2, ip-2:port-1",
        ),
        (
            "https://localhost:9250 and 127.0.0.1:9250, http://localhost",
            "https://localhost:9250 and 127.0.0.1:9250, http://localhost",
        ),
        ("run: vpnctl auth login -b attic", "run: vpnctl auth login -b backend-1"),
        ("connected: `The certificate`", "connected: `name-3`"),
        ("/home/jane/.config (jane)", "/name-4/name-5/.name-6 (name-5)"),
        ("aa:bb:cc:dd:ee:ff fd00::1 10.1.2.3", "mac-1 ip-3 ip-1"),
        ("J%61ne", "name-5"),
        ("sha256:00ff00ff00ff 123456 2027-01-01T00:00:00Z", "sha256:id-2 id-3 time-1"),
    ] {
        assert_eq!(scrub.text(text, true), expected);
    }
}

#[test]
fn what_is_built_in_is_nobodys_own_and_an_address_is_one_wherever_it_stands() {
    let mut scrub = Scrub::new();
    scrub.know("name", "vpnctl");
    scrub.know("host", "10.1.2.9");
    scrub.know("host", "[fd00::9]");
    scrub.know("backend", "attic");
    for (text, expected) in [
        ("run: vpnctl auth login -b attic", "run: vpnctl auth login -b backend-1"),
        (
            "have it renewed, or pin it: vpnctl trust add -b attic",
            "have it renewed, or pin it: vpnctl trust add -b backend-1",
        ),
        ("http://10.1.2.9:8080, 10.1.2.9:8080, 10.1.2.9", "http://ip-1:id-1, ip-1:id-1, ip-1"),
        ("http://[fd00::9]:8080 fd00::9", "http://[ip-2]:id-1 ip-2"),
    ] {
        assert_eq!(scrub.text(text, true), expected);
    }
}

#[test]
fn of_a_path_only_what_is_of_the_api_stays() {
    let mut scrub = Scrub::new();
    scrub.know("name", "smith");
    for (path, expected) in [
        ("api/v16/login/session/", "api/v16/login/session/"),
        ("api/v16/vpn_client/config/vpn4", "api/v16/vpn_client/config/id-1"),
        ("smith/devices?limit=100&offset=0", "name-1/devices?limit=100&offset=0"),
        ("_/vpnServers/_configurations?limit=1&offset=0", "_/vpnServers/_configurations?limit=1&offset=0"),
        ("authentication/info", "authentication/info"),
    ] {
        assert_eq!(scrub.path(path), expected);
    }
}

#[test]
fn what_vpnctl_says_stays_and_what_a_server_says_does_not() {
    let mut scrub = Scrub::new();
    for own in [
        "this computer's clock and the server's agree",
        "run: vpnctl auth login -b freebox, or set `password` or `api_key` in [backend.freebox]",
        "Everyware Cloud refused the login; it never says whether secret, user or a lock is the reason",
        "the IXON VPN Client 1.4.2 is outdated: since August 2026 the cloud refuses clients below 1.4.7 (CVE-2026-75925)",
        "not reached, for `login` failed",
        "the Freebox failed with `internal_error`",
        "the connection to the IXON cloud at localhost:443 broke: peer closed connection without sending TLS \
         close_notify: https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof",
    ] {
        assert_eq!(scrub.text(own, true), own);
    }
    // Numbers and words of ours in what somebody else says.
    for (text, gone) in [
        ("Everyware Cloud forbids it: 4711", "4711"),
        ("Everyware Cloud forbids it: 4711 is at port 22", "4711"),
        ("Everyware Cloud forbids it: closed since station 42 moved", "42"),
        ("Everyware Cloud forbids it: tunnel office connected", "office"),
    ] {
        let told = scrub.text(text, true);
        assert!(told.starts_with("Everyware Cloud forbids it: ") && !told.contains(gone), "{told}");
    }
}
