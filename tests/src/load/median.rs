//! The middle and the far end of a list of figures.

/// The median; 0 of an empty list.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    percentile(&mut figures.to_vec(), 50.0)
}

/// The smallest figure that at least `percent` of all do not exceed; 0 of an empty list. Sorts
/// the list.
#[must_use]
pub fn percentile(figures: &mut [f64], percent: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let rank = (figures.len() as f64 * percent / 100.0).ceil() as usize;
    figures
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_of_a_hundred_leaves_one_above() {
        let mut figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut figures, 99.0), 99.0);
        assert_eq!(percentile(&mut figures, 100.0), 100.0);
    }

    #[test]
    fn the_median_of_an_odd_list_is_its_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }
}
