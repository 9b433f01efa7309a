//! Sizes as people write them.

use std::num::IntErrorKind;

/// A size in octets: a number, with K, M or G (also KB, KiB) behind it, powers of 1024 all of them.
///
/// # Errors
///
/// What is wrong with the text, and what is expected.
pub fn size(text: &str) -> Result<usize, String> {
    // 0.5G is half of 1024 MiB; what is less than a byte is cut off.
    let whole = size_in_millionths(text)? / MILLION;
    usize::try_from(whole).map_err(|_| too_large())
}

/// Millionths of a byte, or of whatever has a size.
pub(crate) const MILLION: u128 = 1_000_000;

/// The same in millionths, to which fractions are exact.
pub(crate) fn size_in_millionths(text: &str) -> Result<u128, String> {
    let wrong =
        || "is no size: expected a number, with K, M or G behind it, as 64K or 4MiB".to_owned();
    let (number, unit) = number_and_unit(text);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "k" | "KB" | "kB" | "KiB" => 10,
        "M" | "m" | "MB" | "MiB" => 20,
        "G" | "g" | "GB" | "GiB" => 30,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = match whole.parse() {
        Ok(whole) => whole,
        Err(e) if *e.kind() == IntErrorKind::PosOverflow => return Err(too_large()),
        Err(_) => return Err(wrong()),
    };
    let digits = part.get(..6).unwrap_or(part);
    let millionths: u128 = format!("{digits:0<6}").parse().map_err(|_| wrong())?;
    if !part.bytes().all(|c| c.is_ascii_digit()) {
        return Err(wrong());
    }
    Ok((u128::from(whole) * MILLION + millionths) << shift)
}

fn too_large() -> String {
    "is too large: give a smaller number, as 1G".to_owned()
}

/// A number and what stands behind it.
pub(crate) fn number_and_unit(text: &str) -> (&str, &str) {
    let digits = text
        .bytes()
        .take_while(|c| c.is_ascii_digit() || *c == b'.')
        .count();
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, octets) in [
            ("0", Some(0)),
            ("1000", Some(1000)),
            ("7B", Some(7)),
            ("64K", Some(65_536)),
            ("64 kB", Some(65_536)),
            ("1.5MiB", Some(1_572_864)),
            ("0.5G", Some(1 << 29)),
            ("1.", Some(1)),
            ("", None),
            ("K", None),
            (".5G", None),
            ("-1", None),
            ("1.2.3", None),
            ("64X", None),
            ("99999999999999999999", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(size(text).ok(), octets, "{text}");
        }
        assert!(size("99999999999999999999").is_err_and(|e| e.contains("too large")));
    }
}
