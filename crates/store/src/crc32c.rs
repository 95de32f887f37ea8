//! CRC-32C (Castagnoli), which tells torn and damaged bytes from whole ones. It proves nothing against intent.

/// The polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

static TABLE: [u32; 256] = table();

/// The checksum of the parts one after another.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut state = !0_u32;
    for part in parts {
        for byte in *part {
            let [low, ..] = state.to_le_bytes();
            // INVARIANT: the index is a byte and the table has 256 entries.
            #[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
            let entry = TABLE[usize::from(low ^ byte)];
            state = entry ^ (state >> 8);
        }
    }
    !state
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the index runs below 256, at build time"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut entry = index as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 { (entry >> 1) ^ POLYNOMIAL } else { entry >> 1 };
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        // RFC 3720, appendix B.4, and the catalogued check value of CRC-32C.
        assert_eq!(checksum(&[b"123456789"]), 0xe306_9283);
        assert_eq!(checksum(&[b"1234", b"", b"56789"]), 0xe306_9283);
        assert_eq!(checksum(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(checksum(&[&[0xff; 32]]), 0x62a8_ab43);
    }
}
