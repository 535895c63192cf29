//! Groups of fewer than five people are not shown: figures of two people in an aisle are figures of those two. Nobody
//! identified is another matter: there is no person to protect, and the figures are shown.
//!
//! What this does not do: people who look at many overlapping ranges can still subtract one from the other. Whole
//! quarters of an hour make that coarse, and that is all.

/// A group of as many people or more is shown.
pub const PEOPLE_MIN: i64 = 5;

/// What decides about a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    pub people: i64,
    pub events: i64,
}

impl Size {
    pub const fn too_small(self) -> bool {
        1 <= self.people && self.people < PEOPLE_MIN
    }
}

/// Which groups of a table are not shown. Rows are zones, columns are hours or whatever a range is broken down into; all rows
/// are as long as the first.
///
/// A single group missing in a row or column could be got by subtracting the others from the total, which is shown elsewhere. So
/// wherever exactly one is missing the next smallest is left out as well, until no row and no column has exactly one.
/// Groups without events hide nothing and are never left out.
pub fn suppressed(table: &[Vec<Size>]) -> Vec<Vec<bool>> {
    let mut hidden: Vec<Vec<bool>> =
        table.iter().map(|row| row.iter().map(|size| size.too_small()).collect()).collect();
    let columns = table.first().map_or(0, Vec::len);
    let rows = table.len();
    loop {
        let mut changed = false;
        for row in 0..rows {
            changed |= guard((0..columns).map(|column| (row, column)), table, &mut hidden);
        }
        for column in 0..columns {
            changed |= guard((0..rows).map(|row| (row, column)), table, &mut hidden);
        }
        if !changed {
            return hidden;
        }
    }
}

/// Hides the smallest group of a line if exactly one is hidden there. True if it did.
fn guard(line: impl Iterator<Item = (usize, usize)> + Clone, table: &[Vec<Size>], hidden: &mut [Vec<bool>]) -> bool {
    if line.clone().filter(|&(row, column)| hidden[row][column]).count() != 1 {
        return false;
    }
    let shown = line.filter(|&(row, column)| !hidden[row][column] && table[row][column].events > 0);
    let smallest = shown.min_by_key(|&(row, column)| {
        let Size { people, events } = table[row][column];
        // Those without anybody last: people hide people better.
        (people == 0, people, events)
    });
    if let Some((row, column)) = smallest {
        hidden[row][column] = true;
    }
    smallest.is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(people: &[&[i64]]) -> Vec<Vec<Size>> {
        people.iter().map(|row| row.iter().map(|&people| Size { people, events: people * 10 }).collect()).collect()
    }

    #[test]
    fn one_to_four_people_are_too_few_and_nobody_is_not() {
        let sizes: Vec<bool> = (0..7).map(|people| Size { people, events: 1 }.too_small()).collect();
        assert_eq!(sizes, [false, true, true, true, true, false, false]);
    }

    #[test]
    fn the_only_one_missing_takes_the_next_smallest_with_it() {
        assert_eq!(suppressed(&table(&[&[9, 3, 7, 6]])), [[false, true, false, true]]);
        assert_eq!(suppressed(&table(&[&[9], &[3], &[7]])), [[false], [true], [true]]);
        assert_eq!(suppressed(&table(&[&[9, 3, 2, 6]])), [[false, true, true, false]], "two hide each other");
        assert_eq!(suppressed(&table(&[&[9, 5, 0]])), [[false; 3]]);
        assert_eq!(suppressed(&table(&[&[3, 0, 0]])), [[true, false, false]], "there is nothing to hide it behind");
    }

    #[test]
    fn rows_and_columns_are_guarded_together() {
        let hidden = suppressed(&table(&[&[2, 9, 8], &[9, 9, 9], &[7, 9, 8]]));
        assert_eq!(hidden, [[true, false, true], [false, false, false], [true, false, true]]);
    }

    proptest! {
        #[test]
        fn no_line_with_something_else_in_it_has_exactly_one_missing(
            people in (1..6_usize, 1..8_usize).prop_flat_map(|(rows, columns)| {
                prop::collection::vec(prop::collection::vec(0..12_i64, columns), rows)
            }),
        ) {
            let sizes = table(&people.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let hidden = suppressed(&sizes);
            let columns: Vec<Vec<(Size, bool)>> = (0..sizes[0].len())
                .map(|column| (0..sizes.len()).map(|row| (sizes[row][column], hidden[row][column])).collect())
                .collect();
            let rows = (0..sizes.len()).map(|row| sizes[row].iter().copied().zip(hidden[row].iter().copied()).collect());
            for line in columns.into_iter().chain(rows) {
                prop_assert!(line.iter().all(|(size, hidden)| !size.too_small() || *hidden));
                prop_assert!(line.iter().all(|(size, hidden)| size.events > 0 || !*hidden));
                let missing = line.iter().filter(|(_, hidden)| *hidden).count();
                prop_assert!(missing != 1 || line.iter().all(|(size, hidden)| *hidden || size.events == 0));
            }
        }
    }
}
