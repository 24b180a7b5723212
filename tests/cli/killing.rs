//! Killed at any moment, vpnctl leaves whole files, no lock, and nothing that the next run stumbles over.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use crate::bench::{Bench, VENDORS};
use crate::crowds::{bench, files, is_whole};

/// How many commands are killed, by this many hands at once.
const KILLS: usize = 72;
const HANDS: usize = 3;
/// How often a kill is tried for each that is wanted: some commands end before.
const TRIES: usize = 8;

/// What logs in, remembers, writes down what failed, and changes something at a vendor.
const LINES: [&str; 10] = [
    "status -A",
    "auth login -A",
    "status -b everyware --live",
    "connect -b freebox vpn0 --switch --no-wait",
    "connect -b everyware 'gw-*' --yes --no-wait",
    "reconnect -b everyware gw-lyon-03 --no-wait",
    "status -b everyware --retry-failed",
    "list -A",
    "disconnect -b freebox --no-wait",
    "auth logout -A",
];

/// A row of numbers that is the same for the same seed.
struct Chance(u64);

impl Chance {
    /// Gives a number from 0 to below one.
    fn next(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn index(&mut self, count: usize) -> usize {
        let places = (0..count).map(|index| f64::from(u32::try_from(index + 1).unwrap()));
        let at = self.next() * f64::from(u32::try_from(count).unwrap());
        places.take_while(|place| *place <= at).count().min(count - 1)
    }
}

/// Puts the login of a vendor, or the whole state, into one that has to be made anew.
fn disturb(bench: &Bench, chance: &mut Chance) {
    match chance.index(4) {
        0 => bench.fault("freebox", "expire-sessions*1"),
        1 => bench.fault("everyware", "invalidate-tokens"),
        2 => {
            for path in files(&bench.state()) {
                // What stands against a user is kept: forgotten, it would let a fourth login be refused.
                if !path.file_name().unwrap().to_string_lossy().starts_with("login-") {
                    std::fs::remove_file(path).unwrap();
                }
            }
        }
        _ => {}
    }
}

/// Counts the writes that a vendor took, by what they write.
fn writes(bench: &Bench) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for vendor in VENDORS {
        for entry in bench.context(vendor).log.entries() {
            // What was refused did nothing, and is sent again with a new session.
            if entry.method != "GET" && entry.status < 400 {
                *counted.entry(format!("{vendor} {} {}", entry.method, entry.path)).or_default() += 1;
            }
        }
    }
    counted
}

/// Kills commands, and holds what is left after each; `seed` chooses them and the moments.
fn kill_some(seed: u64, count: usize) -> usize {
    let bench = bench();
    let mut chance = Chance(seed);
    // How long each takes, so that the moments are spread over all of it.
    let mut usual: Vec<Duration> = LINES
        .iter()
        .map(|line| {
            let started = Instant::now();
            bench.run(line);
            started.elapsed()
        })
        .collect();
    // The last one logs out, and a session that ends is disturbed only where there is one.
    bench.run("status -A").ends(0);
    let mut killed = 0;
    for _ in 0..TRIES * count {
        if killed == count {
            break;
        }
        disturb(&bench, &mut chance);
        let at = chance.index(LINES.len());
        let after = usual[at].mul_f64(chance.next());
        bench.requests();
        let mut child = bench.start(LINES[at]);
        std::thread::sleep(after);
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if ended.signal().is_some() {
            killed += 1;
        } else {
            // It takes less than it did, for the machine has less to do.
            usual[at] = usual[at].mul_f64(0.7);
        }
        for (write, times) in writes(&bench) {
            assert_eq!(
                times,
                1,
                "{}: {write} was repeated: {:?}",
                LINES[at],
                VENDORS.map(|vendor| bench.asked(vendor))
            );
        }
        let left = files(&bench.state());
        let temporary = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with(".tmp");
        let (temporary, kept): (Vec<_>, Vec<_>) = left.iter().partition(|path| temporary(path));
        // One for each document at most, and one of the record of failures.
        assert!(temporary.len() <= 6, "they pile up: {temporary:?}");
        assert!(!kept.iter().any(|path| path.to_string_lossy().ends_with("corrupt")), "{kept:?}");
        if LINES[at].starts_with("auth login") {
            // A login was kept already, so no other run would make one, and two that broke off stop the third for minutes.
            bench.run("auth login -b everyware").ends(0);
        }
        let next = bench.run("status -A --timeout 5m").ends(0);
        assert!(!next.stderr.contains("corrupt") && !next.stderr.contains("waiting for"), "{}: {next}", LINES[at]);
    }
    // Who writes next takes away what is left.
    bench.run("auth login -A").ends(0);
    bench.run("status -b everyware --live");
    let left = files(&bench.state());
    let strange: Vec<_> = left.iter().filter(|path| path.to_string_lossy().ends_with(".tmp")).collect();
    assert!(strange.len() <= 1, "{strange:?}");
    strange.into_iter().for_each(|path| {
        // That of a user whose login is not at issue any more: it is taken away by the next login of that user.
        assert!(path.to_string_lossy().contains("login-"), "{}", path.display());
        std::fs::remove_file(path).unwrap();
    });
    is_whole(&bench);
    killed
}

#[test]
fn killed_at_any_moment_it_leaves_whole_files_and_no_lock() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = std::env::var("VPNCTL_TEST_SEED").map_or(now.as_secs(), |seed| seed.parse().unwrap());
    let hands: Vec<_> = (0..HANDS)
        .map(|hand| std::thread::spawn(move || kill_some(seed + u64::try_from(hand).unwrap(), KILLS / HANDS)))
        .collect();
    let killed: Vec<Option<usize>> = hands.into_iter().map(|hand| hand.join().ok()).collect();
    let whole: Option<Vec<usize>> = killed.into_iter().collect();
    let killed: usize = whole.unwrap_or_else(|| panic!("again with VPNCTL_TEST_SEED={seed}")).iter().sum();
    assert_eq!(killed, KILLS, "some can't be killed; VPNCTL_TEST_SEED={seed}");
}
