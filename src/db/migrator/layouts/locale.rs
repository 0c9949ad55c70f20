//! The order in which JavaScript sorts names.

use std::cmp::Ordering;

/// JavaScript's `localeCompare`, by which Prisma sorts, for the names that it makes: punctuation comes
/// before digits, digits before letters, and case counts last.
pub(super) fn by_locale(one: &str, other: &str) -> Ordering {
    const PUNCTUATION: &str = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";
    let weight = |letter: char| match PUNCTUATION.find(letter) {
        _ if letter.is_ascii_digit() => (2, u32::from(letter)),
        _ if letter.is_alphabetic() => (3, letter.to_lowercase().next().map_or(0, u32::from)),
        Some(place) => (1, u32::try_from(place).unwrap_or(u32::MAX)),
        None => (0, u32::from(letter)),
    };
    let case = |text: &str| -> Vec<bool> { text.chars().map(char::is_uppercase).collect() };
    one.chars()
        .map(weight)
        .cmp(other.chars().map(weight))
        .then_with(|| case(one).cmp(&case(other)))
        .then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_javascript_does() {
        // ["b","A","a","0_x","00_x","10","9","a_b","a1","ab","B"].sort((a, b) => a.localeCompare(b))
        let mut names = [
            "b", "A", "a", "0_x", "00_x", "10", "9", "a_b", "a1", "ab", "B",
        ];
        names.sort_by(|one, other| by_locale(one, other));
        assert_eq!(
            names,
            [
                "0_x", "00_x", "10", "9", "a", "A", "a_b", "a1", "ab", "b", "B"
            ]
        );
    }
}
