//! Photos with the tiles that were chosen for them, batch by batch.
use crate::caps::Selected;
use crate::columns::{Photos, time_type};
use crate::marks::{Marks, SharedMarks};
use crate::plan::{Names, PairPlan, SplitSource};
use crate::reason::Reason;
use crate::thinning::Thinning;
use crate::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use gair_core::pairing::{Matches, NO_DATE};
use std::collections::{BTreeMap, HashSet};

/// What stands for a split or block that a photo does not have.
const NONE: u32 = u32::MAX;

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) photos: Photos,
    pub(crate) first_row: u64,
    /// What became of each photo.
    pub(crate) reasons: Vec<Reason>,
    /// The pairs, in the order of the photos.
    pub(crate) matches: Matches,
    /// The split of each pair.
    pub(crate) splits: Vec<u16>,
    /// The block of each pair, where blocks come from a column.
    pub(crate) blocks: Vec<u32>,
    /// The group of each pair among those of its tile.
    pub(crate) groups: Vec<u32>,
    /// The hash that a tile's photos are drawn by, of each pair.
    pub(crate) hashes: Vec<u64>,
    /// Number of the split, or of the block, that each photo's own column names.
    own: Vec<u32>,
    /// Counts of this batch.
    pub(crate) tally: Tally,
}

/// Counts of a batch or of a whole table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) pairs: u64,
    pub(crate) repeated: u64,
    pub(crate) rejected: BTreeMap<Reason, u64>,
    /// Pairs of each split.
    pub(crate) splits: Vec<u64>,
    /// West, south, east, north of the pairs.
    pub(crate) bounds: Option<[f64; 4]>,
}

impl Tally {
    fn of(placed: &Placed) -> Self {
        let mut tally = Self {
            rows: placed.reasons.len() as u64,
            pairs: placed.matches.tile.len() as u64,
            ..Self::default()
        };
        let mut reasons = [0_u64; Reason::COUNT];
        for reason in &placed.reasons {
            reasons[*reason as usize] += 1;
        }
        tally.repeated = reasons[Reason::Repeated as usize];
        for reason in Reason::REJECTED {
            if reasons[reason as usize] > 0 {
                tally.rejected.insert(reason, reasons[reason as usize]);
            }
        }
        for split in &placed.splits {
            let split = usize::from(*split);
            if tally.splits.len() <= split {
                tally.splits.resize(split + 1, 0);
            }
            tally.splits[split] += 1;
        }
        for photo in &placed.matches.point {
            let [lon, lat] = placed.photos.lonlat[*photo as usize];
            tally.stretch([lon, lat, lon, lat]);
        }
        tally
    }

    fn stretch(&mut self, [west, south, east, north]: [f64; 4]) {
        let [w, s, e, n] = self.bounds.unwrap_or([west, south, east, north]);
        self.bounds = Some([w.min(west), s.min(south), e.max(east), n.max(north)]);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.pairs += other.pairs;
        self.repeated += other.repeated;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(*reason).or_insert(0) += count;
        }
        self.splits
            .resize(self.splits.len().max(other.splits.len()), 0);
        for (sum, count) in self.splits.iter_mut().zip(&other.splits) {
            *sum += count;
        }
        if let Some(bounds) = other.bounds {
            self.stretch(bounds);
        }
    }
}

/// What earlier batches leave behind for later ones, in the order of the table.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) splits: Names,
    pub(crate) blocks: Names,
    /// The split of each of `blocks`.
    block_splits: Vec<u16>,
    thinning: Option<Thinning>,
    /// Pairs of each tile so far.
    counts: Vec<u64>,
}

/// What earlier passes found.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Rows that repeat an earlier one.
    pub(crate) repeated: HashSet<u64>,
    /// Tiles whose pairs of a split give way to those of another.
    pub(crate) yields: Marks,
    /// Photos that were drawn for each tile.
    pub(crate) selected: Option<Selected>,
    /// Pairs of each tile in the end.
    pub(crate) photos_of_tile: Vec<u64>,
}

impl Known {
    /// Whether no pair was left out.
    fn is_empty(&self) -> bool {
        self.yields.is_empty() && self.selected.is_none()
    }
}

impl Past {
    pub(crate) fn new(plan: &PairPlan) -> Self {
        Self {
            splits: Names::new(&plan.splits),
            blocks: Names::default(),
            block_splits: Vec::new(),
            thinning: plan.filters.min_distance_m.map(Thinning::new),
            counts: Vec::new(),
        }
    }
}

impl Placed {
    /// Reads a batch and looks at each row by itself.
    pub(crate) fn read(plan: &PairPlan, batch: &RecordBatch, first_row: u64) -> Result<Self> {
        let photos = plan.columns.read(batch, first_row)?;
        let reasons = plan.filters.apply(&photos);
        Ok(Self {
            photos,
            first_row,
            reasons,
            matches: Matches::default(),
            splits: Vec::new(),
            blocks: Vec::new(),
            groups: Vec::new(),
            hashes: Vec::new(),
            own: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Looks at each row in the light of earlier ones; batches come in order.
    pub(crate) fn compare(
        &mut self,
        plan: &PairPlan,
        past: &mut Past,
        known: &Known,
    ) -> Result<()> {
        if !known.repeated.is_empty() {
            for (row, reason) in (self.first_row..).zip(&mut self.reasons) {
                if known.repeated.contains(&row) {
                    *reason = Reason::Repeated;
                }
            }
        }
        if let Some(thinning) = &mut past.thinning
            && let Some(sequences) = self.photos.texts("sequence_id")
        {
            let rows = self.reasons.iter_mut().zip(&self.photos.lonlat);
            for (sequence, (reason, point)) in sequences.iter().zip(rows) {
                if let Some(sequence) = sequence
                    && *reason == Reason::None
                    && !thinning.keeps(sequence, *point)
                {
                    *reason = Reason::NearSequence;
                }
            }
        }
        self.own = match &plan.split_source {
            SplitSource::Tile => Vec::new(),
            SplitSource::Column => self.numbers("split", |name| past.splits.number(name))?,
            SplitSource::Blocks {
                column,
                seed,
                borders,
            } => {
                let own = self.numbers(column, |name| past.blocks.number(name))?;
                for name in &past.blocks.names[past.block_splits.len()..] {
                    past.block_splits
                        .push(SplitSource::draw(name, seed, borders));
                }
                own
            }
        };
        Ok(())
    }

    fn numbers(&self, column: &str, mut number: impl FnMut(&str) -> u32) -> Result<Vec<u32>> {
        let texts = self
            .photos
            .texts(column)
            .ok_or_else(|| Error::Data(format!("no column of texts {column:?}")))?;
        let named = texts.iter().map(|text| text.map_or(NONE, &mut number));
        Ok(named.collect())
    }

    /// Chooses tiles, drops pairs that earlier passes left out, and marks the others as used.
    pub(crate) fn choose(
        &mut self,
        plan: &PairPlan,
        past: &Past,
        known: &Known,
        used: &SharedMarks,
    ) -> Result<()> {
        let nowhere = [f64::NAN; 2];
        let looked_for: Vec<[f64; 2]> = self
            .reasons
            .iter()
            .zip(&self.photos.lonlat)
            .map(|(reason, point)| {
                if *reason == Reason::None {
                    *point
                } else {
                    nowhere
                }
            })
            .collect();
        let dates = plan.choice.needs_dates().then(|| self.dates());
        let (matches, fates) = plan
            .finder
            .choose(&looked_for, dates.as_deref(), &plan.choice)?;
        for (reason, fate) in self.reasons.iter_mut().zip(fates) {
            if *reason == Reason::None {
                *reason = fate.into();
            }
        }
        if plan.split_source == SplitSource::Tile && plan.cap.most.is_none() && known.is_empty() {
            let split = |tile: &u32| plan.tiles.splits[*tile as usize];
            self.splits = matches.tile.iter().map(split).collect();
            self.matches = matches;
        } else {
            self.keep(plan, past, known, &matches)?;
        }
        for (tile, split) in self.matches.tile.iter().zip(&self.splits) {
            used.add(*tile, *split);
        }
        self.tally = Tally::of(self);
        Ok(())
    }

    /// Keeps the pairs that nothing speaks against.
    fn keep(&mut self, plan: &PairPlan, past: &Past, known: &Known, all: &Matches) -> Result<()> {
        let draws = plan.cap.most.is_some();
        let photos = self.photos.clone();
        let ids = photos.ids()?;
        let mut kept_any = vec![false; self.reasons.len()];
        for pair in 0..all.point.len() {
            let (photo, tile) = (all.point[pair] as usize, all.tile[pair]);
            let row = self.first_row + photo as u64;
            let against = match self.split_of(plan, past, photo, tile) {
                Err(reason) => Some(reason),
                Ok(split) if known.yields.has(tile, split) => Some(Reason::InBuffer),
                Ok(_) if known.selected.as_ref().is_some_and(|s| !s.has(tile, row)) => {
                    Some(Reason::AboveCap)
                }
                Ok(split) => {
                    self.splits.push(split);
                    None
                }
            };
            if let Some(against) = against {
                if !kept_any[photo] {
                    self.reasons[photo] = against;
                }
                continue;
            }
            (kept_any[photo], self.reasons[photo]) = (true, Reason::None);
            self.matches.point.push(all.point[pair]);
            self.matches.tile.push(tile);
            self.matches.x.push(all.x[pair]);
            self.matches.y.push(all.y[pair]);
            self.matches.edge_m.push(all.edge_m[pair]);
            if matches!(plan.split_source, SplitSource::Blocks { .. }) {
                self.blocks.push(self.own[photo]);
            }
            if draws && known.selected.is_none() {
                let digits = gair_core::hash::hash16(&[plan.cap.seed.as_str(), ids.value(photo)]);
                self.hashes
                    .push(u64::from_str_radix(&digits, 16).unwrap_or(0));
            }
        }
        Ok(())
    }

    /// The split of a photo in a tile, or why it has none.
    #[allow(clippy::cast_possible_truncation)] // checked
    fn split_of(
        &self,
        plan: &PairPlan,
        past: &Past,
        photo: usize,
        tile: u32,
    ) -> std::result::Result<u16, Reason> {
        match plan.split_source {
            SplitSource::Tile => Ok(plan.tiles.splits[tile as usize]),
            SplitSource::Column if self.own[photo] >= u32::from(u16::MAX) => Err(Reason::NoSplit),
            SplitSource::Column => Ok(self.own[photo] as u16),
            SplitSource::Blocks { .. } if self.own[photo] == NONE => Err(Reason::NoBlock),
            SplitSource::Blocks { .. } => Ok(past.block_splits[self.own[photo] as usize]),
        }
    }

    /// Numbers the pairs of each tile in groups; batches come in order.
    ///
    /// Photos are dealt out like cards, so that neighbours in the table are in different groups.
    #[allow(clippy::cast_possible_truncation)] // groups of a tile are far fewer than 2^32
    pub(crate) fn deal(&mut self, size: u32, past: &mut Past, known: &Known) {
        past.counts.resize(known.photos_of_tile.len(), 0);
        let size = u64::from(size.max(1));
        self.groups = self
            .matches
            .tile
            .iter()
            .map(|tile| {
                let tile = *tile as usize;
                let groups = known.photos_of_tile[tile].div_ceil(size).max(1);
                past.counts[tile] += 1;
                ((past.counts[tile] - 1) % groups) as u32
            })
            .collect();
    }

    /// Milliseconds of each photo's date, or [`NO_DATE`].
    pub(crate) fn dates(&self) -> Vec<i64> {
        let column = self.photos.batch.column_by_name("captured_at");
        let Some(column) = column.filter(|column| *column.data_type() == time_type()) else {
            return vec![NO_DATE; self.reasons.len()];
        };
        let times = column.as_primitive::<TimestampMillisecondType>();
        times.iter().map(|time| time.unwrap_or(NO_DATE)).collect()
    }
}
