//! What every test crate needs that runs the binary beside simulated vendors.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use tokio::sync::oneshot;
use vpnctl::simulate::world::{Options, World};

/// Starts simulated vendors in a thread of this process; they end with what is given beside them.
pub(crate) fn started(options: Options) -> (World, oneshot::Sender<()>) {
    let (sender, receiver) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            sender.send(World::start(&options).await).unwrap();
            // An error means that the bench is gone, which is what is waited for.
            let _ = stopped.await;
        });
    });
    (receiver.recv().unwrap().unwrap(), stop)
}

/// Empties the environment of a command, and gives it its own places, all in one folder.
pub(crate) fn at_home(command: &mut Command, folder: &Path) {
    command.env_clear().current_dir(folder);
    command.env("HOME", folder.join("home"));
    command.env("XDG_CONFIG_HOME", folder.join("config"));
    command.env("XDG_STATE_HOME", folder.join("state-home"));
    command.env("VPNCTL_STATE_DIR", folder.join("state"));
    // Windows makes no socket without it.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
}
