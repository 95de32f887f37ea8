//! Rows.

use super::Endpoint;

pub(super) static ROWS: &[Endpoint] = &[];
