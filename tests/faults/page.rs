//! The page that shows the matrix.

/// Holds the page to the matrix.
pub(crate) fn held() {}
