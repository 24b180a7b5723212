//! The client's version, from the `Server` header that every REST answer carries.

/// Below this the cloud refuses the client (vendor advisory ADV-2026-08-05).
const ACCEPTED: [u64; 3] = [1, 4, 7];
/// Below this local users can become administrators (vendor advisory ADV-2025-03-17).
const SAFE_FROM_ESCALATION: [u64; 3] = [1, 4, 4];

/// Reads what stands behind the first `/`, leading numbers only; the product's name is not known.
pub(super) fn parse(server: &str) -> Option<[u64; 3]> {
    let (_, version) = server.split_once('/')?;
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let mut numbers = version[..end].split('.').map_while(|number| number.parse().ok());
    let major = numbers.next()?;
    Some([major, numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)])
}

/// Says what is wrong with a version, if something is.
pub(super) fn advisory(version: [u64; 3]) -> Option<String> {
    if version >= ACCEPTED {
        return None;
    }
    let [major, minor, patch] = version;
    let more = if version < SAFE_FROM_ESCALATION {
        "; it also has the privilege escalations CVE-2025-26168 and CVE-2025-26169"
    } else {
        ""
    };
    Some(format!(
        "the IXON VPN Client {major}.{minor}.{patch} is outdated: since August 2026 the cloud refuses clients below \
         1.4.7 (CVE-2026-75925){more}; install the newest one"
    ))
}

#[cfg(test)]
mod tests {
    use super::{advisory, parse};

    #[test]
    fn versions_are_read_leniently() {
        assert_eq!(parse("VPN Client/1.4.7"), Some([1, 4, 7]));
        assert_eq!(parse("VPN Client/1.4.2 (Linux x86_64)"), Some([1, 4, 2]));
        assert_eq!(parse("x/2.0-beta"), Some([2, 0, 0]));
        assert_eq!(parse("nginx"), None);
        assert_eq!(parse("x/y"), None);
    }

    #[test]
    fn old_versions_are_named_with_their_advisories() {
        assert_eq!(advisory([1, 4, 7]), None);
        assert_eq!(advisory([1, 10, 0]), None);
        assert!(advisory([1, 4, 6]).is_some_and(|text| text.contains("CVE-2026-75925") && !text.contains("26168")));
        assert!(advisory([1, 4, 2]).is_some_and(|text| text.contains("CVE-2025-26168")));
    }
}
