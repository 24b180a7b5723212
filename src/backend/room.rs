//! Room for what a list gives: who lists a hundred thousand targets is not to run ahead of who works at them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many targets may wait to be worked at before the list is to pause; what is given until it does may be more.
const ENOUGH: usize = 512;

tokio::task_local! {
    /// The room of who listens to the list.
    static ROOM: Arc<Room>;
}

/// Counts what was given and not taken.
#[derive(Debug, Default)]
pub struct Room {
    waiting: AtomicUsize,
    taken: Notify,
}

impl Room {
    /// Lists with this room.
    pub async fn list<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        ROOM.scope(Arc::clone(self), work).await
    }

    /// Counts one that was given.
    pub fn give(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that was taken.
    pub fn take(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.taken.notify_one();
    }
}

/// Waits until there is room for more, which a vendor that gives targets does between them; others run meanwhile.
pub async fn make_room() {
    tokio::task::yield_now().await;
    let Ok(room) = ROOM.try_with(Arc::clone) else { return };
    while room.waiting.load(Ordering::Relaxed) >= ENOUGH {
        room.taken.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ENOUGH, Room, make_room};

    #[tokio::test(flavor = "current_thread")]
    async fn a_list_pauses_where_nobody_takes_what_it_gives() {
        let room = Arc::new(Room::default());
        let listing = tokio::spawn({
            let room = Arc::clone(&room);
            async move {
                let given = Arc::clone(&room);
                let list = async move {
                    for _ in 0..3 * ENOUGH {
                        given.give();
                        make_room().await;
                    }
                };
                room.list(list).await;
            }
        });
        let waiting = || room.waiting.load(std::sync::atomic::Ordering::Relaxed);
        while waiting() < ENOUGH {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting(), ENOUGH);
        while !listing.is_finished() {
            if waiting() > 0 {
                room.take();
            }
            tokio::task::yield_now().await;
        }
        listing.await.unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn where_nobody_counts_it_goes_on() {
        for _ in 0..3 * ENOUGH {
            make_room().await;
        }
    }
}
