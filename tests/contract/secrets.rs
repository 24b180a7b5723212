//! Secrets that can't be had: whoever is asked for one says no once.

use std::path::Path;

use futures_util::future::join_all;
use vpnctl::config::Value;
use vpnctl::error::Code;
use vpnctl::secrets::SecretRef;

use super::bench::{Bench, failed, listed};
use super::facts::{EVERYWARE, FREEBOX};
use super::ixon_cloud::by_password;

/// Puts a command in the place of a secret that writes down each run of it, and then does as it is told.
fn asked_by_command(bench: &mut Bench, key: &'static str, then: &str) -> std::path::PathBuf {
    let runs = bench.folder.path().join("runs");
    let script = format!("echo x >> '{}'; {then}", runs.display());
    let words = ["sh", "-c", &script].map(str::to_owned).to_vec();
    bench.set(key, Value::Secret(SecretRef::Command { words, until: None }));
    runs
}

fn runs(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[tokio::test]
async fn a_command_that_gives_no_secret_is_run_once_for_all_calls_of_a_run() {
    let cases = [
        (Bench::new("everyware").await, "password"),
        (Bench::new("freebox").await, "app_token"),
        (by_password(&[]).await, "password"),
        (Bench::new("ixon").await, "token"),
    ];
    for (mut bench, key) in cases {
        for then in ["exit 2", "true"] {
            let path = asked_by_command(&mut bench, key, then);
            let _ = std::fs::remove_file(&path);
            let backend = bench.open();
            for result in join_all((0..20).map(|_| async {
                match bench.vendor() {
                    "everyware" => backend.status(Some(&EVERYWARE.up())).await.map(drop),
                    "freebox" => backend.status(Some(&FREEBOX.up())).await.map(drop),
                    _ => listed(&*backend).await.map(drop),
                }
            }))
            .await
            {
                let error = failed(result, Code::ConfigInvalid);
                assert!(error.message().contains(&format!("`{key}`")), "{error}");
            }
            assert_eq!(runs(&path), 1, "{} {key}: {then}", bench.vendor());
            // Another run asks anew.
            failed(bench.open().session().unwrap().show().await, Code::ConfigInvalid);
            assert_eq!(runs(&path), 2, "{} {key}: {then}", bench.vendor());
        }
    }
}
