//! States that a vendor pushes.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::Status;

/// Subscribes to the changes of a backend's one VPN.
#[async_trait]
pub trait Events: Send + Sync {
    /// Begins to listen. What changes from here on is told; the present state is read by [`super::VpnBackend::status`]
    /// afterwards, so that nothing falls between the two.
    ///
    /// # Errors
    /// Fails where no subscription comes about; then the state can still be polled.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>>;
}

/// A subscription that is open; dropping it ends it.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next state that the vendor pushes; may be dropped while it waits, without losing one.
    ///
    /// # Errors
    /// Fails where the subscription is lost; a message that tells no state is no failure and is left out.
    async fn next(&mut self) -> Result<Status>;
}
