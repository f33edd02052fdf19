//! Why a photo makes no pair.
use gair_core::pairing::Fate;

/// What became of a photo; the texts stand in the column `reason` of rejected photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// It makes a pair.
    None,
    /// It repeats an earlier row and is left out of every table.
    Repeated,
    /// A coordinate is missing or no number.
    NoCoordinates,
    /// A latitude beyond 90 degrees.
    BeyondLat,
    /// A longitude beyond 180 degrees.
    BeyondLon,
    /// No tile holds it.
    Outside,
    /// It is closer to the edge of its tile than the margin.
    NearEdge,
    /// It, or its tile, has no date where one is needed.
    NoDate,
    /// Its tile is of another time.
    OtherTime,
    /// A heading is needed and not known.
    NoHeading,
    /// It faces another way than asked for.
    OtherHeading,
    /// Its position is known less well than asked for.
    Inaccurate,
    /// Another photo of its sequence is too close.
    NearSequence,
    /// Its column of splits is empty.
    NoSplit,
    /// Its column of blocks is empty.
    NoBlock,
    /// Its tile is too close to one of another split.
    InBuffer,
    /// Its tile has as many photos as it may.
    AboveCap,
}

impl Reason {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::AboveCap as usize + 1;

    /// Every reason a photo can be rejected for.
    pub const REJECTED: [Self; 15] = [
        Self::NoCoordinates,
        Self::BeyondLat,
        Self::BeyondLon,
        Self::Outside,
        Self::NearEdge,
        Self::NoDate,
        Self::OtherTime,
        Self::NoHeading,
        Self::OtherHeading,
        Self::Inaccurate,
        Self::NearSequence,
        Self::NoSplit,
        Self::NoBlock,
        Self::InBuffer,
        Self::AboveCap,
    ];

    /// The text of the column `reason`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::None | Self::Repeated => "",
            Self::NoCoordinates => "no coordinates",
            Self::BeyondLat => "latitude beyond 90",
            Self::BeyondLon => "longitude beyond 180",
            Self::Outside => "outside every tile",
            Self::NearEdge => "closer to the tile's edge than the margin",
            Self::NoDate => "no date to compare",
            Self::OtherTime => "too many days from its tile",
            Self::NoHeading => "no heading",
            Self::OtherHeading => "heading outside the range",
            Self::Inaccurate => "position not accurate enough",
            Self::NearSequence => "close to another photo of its sequence",
            Self::NoSplit => "no split in the split column",
            Self::NoBlock => "no block in the block column",
            Self::InBuffer => "in the buffer between splits",
            Self::AboveCap => "its tile has enough photos",
        }
    }

    /// Whether the row itself is at fault, not where the photo lies.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(
            self,
            Self::NoCoordinates | Self::BeyondLat | Self::BeyondLon
        )
    }

    /// Why coordinates in degrees cannot be used, if they cannot.
    pub(crate) fn of_coordinates([lon, lat]: [f64; 2]) -> Self {
        if !(lon.is_finite() && lat.is_finite()) {
            Self::NoCoordinates
        } else if lat.abs() > 90.0 {
            Self::BeyondLat
        } else if lon.abs() > 180.0 {
            Self::BeyondLon
        } else {
            Self::None
        }
    }
}

impl From<Fate> for Reason {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Found => Self::None,
            Fate::Outside => Self::Outside,
            Fate::NearEdge => Self::NearEdge,
            Fate::NoDate => Self::NoDate,
            Fate::OtherTime => Self::OtherTime,
        }
    }
}
