//! Errors of the market: symbols, orders, market data.

use super::rows;

rows! {
    /// A symbol listed twice.
    DUPLICATE_SYMBOLS = -1151 "DUPLICATE_SYMBOLS" 400 "Symbol is present multiple times in the list." Spot;
    /// Unknown trading pair.
    BAD_SYMBOL = -1121 "BAD_SYMBOL" 400 "Invalid symbol." Spot;
}
