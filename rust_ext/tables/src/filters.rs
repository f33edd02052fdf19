//! Which photos are looked for tiles at all.
use crate::columns::Photos;
use crate::reason::Reason;
use arrow::array::{Array, AsArray, Float32Array};
use arrow::datatypes::Float32Type;

/// What is asked of a photo's heading.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Heading {
    /// Nothing.
    #[default]
    Any,
    /// That it is known.
    Known,
    /// That it lies between two, clockwise from the first.
    Between(f32, f32),
}

/// What is asked of a photo by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Filters {
    /// Of its heading.
    pub heading: Heading,
    /// The largest radius of its position in metres; photos that tell none are kept.
    pub max_accuracy_m: Option<f32>,
    /// The least distance in metres to every kept photo of the same sequence.
    pub min_distance_m: Option<f64>,
}

impl Heading {
    fn refuses(self, heading: Option<f32>) -> Reason {
        match (self, heading) {
            (Self::Any, _) | (Self::Known, Some(_)) => Reason::None,
            (Self::Known | Self::Between(..), None) => Reason::NoHeading,
            (Self::Between(from, to), Some(heading)) => {
                let turned = (heading - from).rem_euclid(360.0);
                if turned <= (to - from).rem_euclid(360.0) {
                    Reason::None
                } else {
                    Reason::OtherHeading
                }
            }
        }
    }
}

impl Filters {
    /// Why each photo is left out, by what its own row says.
    pub(crate) fn apply(&self, photos: &Photos) -> Vec<Reason> {
        let numbers = |name| {
            let column = photos.batch.column_by_name(name);
            column.and_then(|column| column.as_primitive_opt::<Float32Type>())
        };
        let (headings, radii) = (numbers("heading"), numbers("h_accuracy_m"));
        let mut reasons: Vec<Reason> = photos
            .lonlat
            .iter()
            .map(|point| Reason::of_coordinates(*point))
            .collect();
        for (row, reason) in reasons.iter_mut().enumerate() {
            if *reason == Reason::None && self.heading != Heading::Any {
                *reason = self.heading.refuses(value(headings, row));
            }
            if *reason == Reason::None
                && let Some(most) = self.max_accuracy_m
                && value(radii, row).is_some_and(|radius| radius > most)
            {
                *reason = Reason::Inaccurate;
            }
        }
        reasons
    }
}

fn value(column: Option<&Float32Array>, row: usize) -> Option<f32> {
    let column = column.filter(|column| column.is_valid(row))?;
    Some(column.value(row)).filter(|value| !value.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_headings_go_clockwise_and_over_north() {
        let over_north = Heading::Between(315.0, 45.0);
        for (heading, kept) in [
            (315.0, true),
            (0.0, true),
            (45.0, true),
            (45.1, false),
            (180.0, false),
        ] {
            assert_eq!(
                over_north.refuses(Some(heading)) == Reason::None,
                kept,
                "{heading}"
            );
        }
        assert_eq!(
            Heading::Between(10.0, 20.0).refuses(Some(375.0)),
            Reason::None
        );
        assert_eq!(over_north.refuses(None), Reason::NoHeading);
        assert_eq!(Heading::Any.refuses(None), Reason::None);
    }
}
