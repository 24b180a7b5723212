//! What changes of connections go through, so that work can be stopped between two of them and never within one.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::RwLock;

/// Lets changes through until it is closed, and remembers whether there was one.
#[derive(Debug, Default)]
pub struct Gate {
    // Changes share it; who closes it has it alone.
    lock: RwLock<()>,
    passed: AtomicBool,
}

impl Gate {
    /// Sends a change, unless the gate is closed: then it never begins.
    pub async fn pass<T>(&self, change: impl Future<Output = T>) -> T {
        let _open = self.lock.read().await;
        self.passed.store(true, Ordering::SeqCst);
        change.await
    }

    /// Waits for the answers to the changes under way, and lets no other begin for as long as what it gives is kept.
    pub async fn close(&self) -> impl Drop + '_ {
        self.lock.write().await
    }

    /// Tells whether a change was sent.
    #[must_use]
    pub fn was_passed(&self) -> bool {
        self.passed.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Gate;

    #[test]
    fn a_change_under_way_holds_the_gate_open_and_none_begins_after_it_was_closed() {
        let gate = Gate::default();
        assert!(!gate.was_passed());
        let mut under_way = Box::pin(gate.pass(std::future::pending::<()>()));
        assert!((&mut under_way).now_or_never().is_none());
        assert!(gate.was_passed());
        assert!(gate.close().now_or_never().is_none());
        drop(under_way);
        let closed = gate.close().now_or_never();
        assert!(closed.is_some());
        assert!(gate.pass(std::future::ready(())).now_or_never().is_none());
        drop(closed);
        assert!(gate.pass(std::future::ready(())).now_or_never().is_some());
    }
}
