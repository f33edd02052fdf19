//! Which of the tiles that hold a photo are taken.
use super::finder::Fate;
use super::lattice::Hit;

const MS_A_DAY: f64 = 86_400_000.0;

/// What stands for a date that is not known.
pub const NO_DATE: i64 = i64::MIN;

/// How tiles are chosen for a point that lies in several.
///
/// A tile whose right or lower edge the point lies on counts only where no other tile holds it. Of
/// the tiles that keep the margin and lie within the days, the nearest in time comes first if that
/// is asked for, then the one whose centre is nearest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// How many tiles a point may get; 0 counts as 1.
    pub most: usize,
    /// Least distance to the tile's edges in metres.
    pub margin_m: f64,
    /// Most days between point and tile; None for any.
    pub days: Option<f64>,
    /// Whether the tile nearest in time comes first.
    pub nearest_date: bool,
    /// Milliseconds since 1970 of each tile by its number, or [`NO_DATE`]; empty without dates.
    pub tile_dates: Vec<i64>,
}

impl Choice {
    /// Whether the one tile with the nearest centre is all that is asked for.
    pub(super) fn is_plain(&self) -> bool {
        self.most <= 1 && self.margin_m <= 0.0 && !self.needs_dates()
    }

    /// Whether dates of points are looked at.
    #[must_use]
    pub fn needs_dates(&self) -> bool {
        self.days.is_some() || self.nearest_date
    }

    /// Orders the tiles that hold one point and hands on those that are taken.
    pub(super) fn pick(
        &self,
        hits: &mut [(u32, Hit)],
        date: Option<i64>,
        mut take: impl FnMut(&Hit),
    ) -> Fate {
        if hits.iter().all(|(_, hit)| hit.edge_m < self.margin_m) {
            return Fate::NearEdge;
        }
        let apart = |hit: &Hit| self.days_apart(date, hit.tile);
        let owned = hits.iter().any(|(_, hit)| !hit.on_far_edge);
        let keeps = |hit: &Hit| (!owned || !hit.on_far_edge) && hit.edge_m >= self.margin_m;
        let key = |hit: &Hit| {
            let days = if self.nearest_date { apart(hit) } else { None };
            (days.unwrap_or(f64::INFINITY), hit.centre_m, hit.tile)
        };
        hits.sort_by(|(_, a), (_, b)| {
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0)
                .then(a.1.total_cmp(&b.1))
                .then(a.2.cmp(&b.2))
        });
        let (mut taken, mut undated) = (0, true);
        for (_, hit) in hits.iter().filter(|(_, hit)| keeps(hit)) {
            let days = apart(hit);
            undated &= days.is_none();
            let in_time = self
                .days
                .is_none_or(|most| days.is_some_and(|days| days <= most));
            if in_time && taken < self.most.max(1) {
                take(hit);
                taken += 1;
            }
        }
        match (taken, undated) {
            (1.., _) => Fate::Found,
            (0, true) => Fate::NoDate,
            (0, false) => Fate::OtherTime,
        }
    }

    /// Days between a point and a tile, if both have a date.
    #[allow(clippy::cast_precision_loss)] // milliseconds of 280,000 years are exact
    fn days_apart(&self, date: Option<i64>, tile: u32) -> Option<f64> {
        let known = |date: &i64| *date != NO_DATE;
        let date = date.filter(known)?;
        let other = self.tile_dates.get(tile as usize).copied().filter(known)?;
        Some(date.abs_diff(other) as f64 / MS_A_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn hit(tile: u32, centre_m: f64, edge_m: f64) -> (u32, Hit) {
        let hit = Hit {
            tile,
            x: 0.0,
            y: 0.0,
            edge_m,
            centre_m,
            on_far_edge: edge_m == 0.0,
        };
        (0, hit)
    }

    fn picked(choice: &Choice, date: Option<i64>, mut hits: Vec<(u32, Hit)>) -> (Vec<u32>, Fate) {
        let mut tiles = Vec::new();
        let fate = choice.pick(&mut hits, date, |hit| tiles.push(hit.tile));
        (tiles, fate)
    }

    #[test]
    fn nearest_centres_come_first_up_to_the_number_asked_for() {
        let hits = vec![hit(0, 30.0, 5.0), hit(1, 10.0, 25.0), hit(2, 20.0, 15.0)];
        for (most, tiles) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (9, vec![1, 2, 0]),
        ] {
            let choice = Choice {
                most,
                ..Choice::default()
            };
            assert_eq!(picked(&choice, None, hits.clone()), (tiles, Fate::Found));
        }
    }

    #[test]
    fn a_far_edge_counts_only_where_no_other_tile_is() {
        let two = Choice {
            most: 2,
            ..Choice::default()
        };
        let hits = vec![hit(0, 50.0, 0.0), hit(1, 60.0, 5.0)];
        assert_eq!(picked(&two, None, hits), (vec![1], Fate::Found));
        assert_eq!(
            picked(&two, None, vec![hit(0, 50.0, 0.0)]),
            (vec![0], Fate::Found)
        );
    }

    #[test]
    fn the_margin_leaves_out_tiles_and_then_points() {
        let choice = Choice {
            most: 2,
            margin_m: 10.0,
            ..Choice::default()
        };
        let hits = vec![hit(0, 30.0, 5.0), hit(1, 40.0, 10.0)];
        assert_eq!(picked(&choice, None, hits), (vec![1], Fate::Found));
        assert_eq!(
            picked(&choice, None, vec![hit(0, 3.0, 9.9)]),
            (vec![], Fate::NearEdge)
        );
    }

    #[test]
    fn the_nearest_date_goes_before_the_nearest_centre() {
        let choice = Choice {
            most: 3,
            nearest_date: true,
            tile_dates: vec![10 * DAY, 3 * DAY, NO_DATE],
            ..Choice::default()
        };
        let hits = || vec![hit(0, 1.0, 5.0), hit(1, 2.0, 5.0), hit(2, 0.5, 5.0)];
        assert_eq!(picked(&choice, Some(4 * DAY), hits()).0, [1, 0, 2]);
        assert_eq!(picked(&choice, Some(9 * DAY), hits()).0, [0, 1, 2]);
        assert_eq!(picked(&choice, None, hits()).0, [2, 0, 1]);
    }

    #[test]
    fn a_window_of_days_is_closed_and_needs_dates() {
        let choice = Choice {
            most: 1,
            days: Some(2.0),
            tile_dates: vec![10 * DAY, NO_DATE],
            ..Choice::default()
        };
        let at = |date, tile| picked(&choice, date, vec![hit(tile, 1.0, 5.0)]).1;
        assert_eq!(at(Some(12 * DAY), 0), Fate::Found);
        assert_eq!(at(Some(12 * DAY + 1), 0), Fate::OtherTime);
        assert_eq!(at(Some(12 * DAY), 1), Fate::NoDate);
        assert_eq!(at(None, 0), Fate::NoDate);
        assert_eq!(at(Some(NO_DATE), 0), Fate::NoDate);
    }
}
