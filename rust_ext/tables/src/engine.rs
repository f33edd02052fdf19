//! Passes over a table: looks first, then pairs, wave by wave.
//!
//! A wave is a few batches that are worked on by all threads; what depends on earlier rows is done
//! between, in the order of the table, so that results do not depend on the number of threads.
use crate::caps::Caps;
use crate::ids::Suspects;
use crate::look::{Look, Looked};
use crate::marks::SharedMarks;
use crate::place::{Known, Past, Placed, Tally};
use crate::plan::PairPlan;
use crate::reason::Reason;
use crate::sink::ParquetSink;
use crate::{Error, Result, reader, rows};
use arrow::array::RecordBatch;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches that are worked on at once.
const WAVE: usize = 4;

/// What a pass over the table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// To see rows and ids; with `true`, ids are told apart at once.
    Look(bool),
    /// To compare rows whose ids may be the same.
    Compare,
    /// To see which tiles are in use and how many photos they have, and to draw photos.
    Survey,
    /// To write pairs.
    Write,
}

/// What the last pass wrote.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Rows in all.
    pub rows: u64,
    /// Pairs.
    pub pairs: u64,
    /// Rows that repeat an earlier one.
    pub repeated: u64,
    /// Photos that make no pair, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Pairs of each split, by number.
    pub splits: Vec<u64>,
    /// West, south, east, north of the pairs.
    pub bounds: Option<[f64; 4]>,
    /// Blocks of the pairs, where they come from a column.
    pub blocks: u64,
}

/// The tiles that pairs are of: each with a split, by position in the names.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// Numbers of tiles.
    pub tiles: Vec<u32>,
    /// The split of each.
    pub splits: Vec<u16>,
    /// The names of splits.
    pub names: Vec<String>,
}

/// One pairing of one table.
#[derive(Debug)]
pub struct Engine {
    plan: PairPlan,
    known: Known,
    work: Work,
    /// Rows done in this pass.
    rows_done: u64,
    outputs: Outputs,
}

/// Parquet files that pairs and rejected photos go to; what has none is handed out.
#[derive(Debug, Clone, Default)]
struct Outputs {
    pairs: Option<PathBuf>,
    rejected: Option<PathBuf>,
}

/// The pass that is under way.
#[derive(Debug)]
enum Work {
    Idle,
    Look(Box<Look>),
    Compare(Suspects),
    Pairs(Box<Pairs>),
}

#[derive(Debug)]
struct Pairs {
    past: Past,
    first_row: u64,
    pending: Vec<RecordBatch>,
    used: SharedMarks,
    /// Pairs of each tile; counted in surveys.
    photos_of_tile: Vec<u64>,
    caps: Option<Caps>,
    writes: bool,
    tally: Tally,
    blocks: HashSet<u32>,
    sink: Option<ParquetSink>,
    rejected: Option<ParquetSink>,
    ready: Vec<(RecordBatch, Option<RecordBatch>)>,
}

impl Engine {
    /// Starts with a plan.
    #[must_use]
    pub fn new(plan: PairPlan) -> Self {
        Self {
            plan,
            known: Known::default(),
            work: Work::Idle,
            rows_done: 0,
            outputs: Outputs::default(),
        }
    }

    /// Says where pairs and rejected photos go as Parquet; what has no file is to be taken.
    pub fn write_to(&mut self, pairs: Option<PathBuf>, rejected: Option<PathBuf>) {
        self.outputs = Outputs { pairs, rejected };
    }

    /// Starts a pass; one under way is given up.
    pub fn begin(&mut self, phase: Phase) {
        self.rows_done = 0;
        self.work = match phase {
            Phase::Look(hash) => Work::Look(Box::new(Look::new(&self.plan.columns, hash))),
            Phase::Compare => match std::mem::replace(&mut self.work, Work::Idle) {
                Work::Compare(suspects) => Work::Compare(suspects),
                _ => Work::Compare(Suspects::new(HashSet::new())),
            },
            Phase::Survey => {
                self.known.selected = None;
                Work::Pairs(Box::new(Pairs::new(&self.plan, false)))
            }
            Phase::Write => Work::Pairs(Box::new(Pairs::new(&self.plan, true))),
        };
    }

    /// Hands rows to the pass, any number.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let starts = (0..batch.num_rows()).step_by(reader::ROWS);
        let mut parts = starts.map(|at| batch.slice(at, reader::ROWS.min(batch.num_rows() - at)));
        parts.try_for_each(|part| self.add_part(part))
    }

    /// Hands on a batch so small that a wave of them takes little memory.
    fn add_part(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        match &mut self.work {
            Work::Idle => {}
            Work::Look(look) => look.add(&batch)?,
            Work::Compare(suspects) => {
                let first = self.rows_done;
                suspects.add(&self.plan.columns.read(&batch, first)?, first)?;
            }
            Work::Pairs(pairs) => {
                pairs.pending.push(batch);
                if pairs.pending.len() == WAVE {
                    pairs.wave(&self.plan, &self.known, &self.outputs)?;
                }
            }
        }
        self.rows_done += rows;
        Ok(())
    }

    /// Hands all batches of a Parquet file to the pass, at most `limit` rows; `progress` is told
    /// how many rows are done.
    ///
    /// # Errors
    /// [`Error::Cancelled`] soon after `cancel` is set; [`Error::File`] where a file cannot be read
    /// or written; [`Error::Data`] where rows are not what they should be.
    pub fn read<E: From<Error>>(
        &mut self,
        path: &Path,
        limit: Option<u64>,
        cancel: &AtomicBool,
        progress: &mut impl FnMut(u64) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let coordinates_only = matches!(self.work, Work::Look(_));
        let columns = if coordinates_only {
            self.plan.columns.only(&["photo_id", "lon", "lat"])
        } else {
            self.plan.columns.clone()
        };
        let names: Vec<&str> = columns
            .specs
            .iter()
            .map(|spec| spec.source.as_str())
            .collect();
        for batch in reader::read(path, &names, limit)? {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled.into());
            }
            self.add(&batch?)?;
            progress(self.rows_done)?;
        }
        Ok(())
    }

    /// Ends the first look.
    ///
    /// # Errors
    /// [`Error::File`] where temporary files fail.
    pub fn looked(&mut self) -> Result<Looked> {
        let Work::Look(look) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Ok(Looked::default());
        };
        let (looked, repeated) = look.finish()?;
        self.work = Work::Compare(Suspects::new(repeated));
        Ok(looked)
    }

    /// Ends the comparison of rows: how many repeat an earlier one.
    ///
    /// # Errors
    /// [`Error::SameId`] where an id stands for two rows that differ.
    pub fn compared(&mut self) -> Result<usize> {
        if let Work::Compare(suspects) = std::mem::replace(&mut self.work, Work::Idle) {
            self.known.repeated = suspects.repeated()?;
        }
        Ok(self.known.repeated.len())
    }

    /// Ends the survey: the tiles in use.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub fn surveyed(&mut self) -> Result<Used> {
        let Work::Pairs(mut pairs) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Ok(Used::default());
        };
        pairs.wave(&self.plan, &self.known, &self.outputs)?;
        self.known.selected = pairs.caps.take().map(Caps::finish);
        let most = self.plan.cap.most.map_or(u64::MAX, |most| most as u64);
        let photos = pairs.photos_of_tile.iter();
        self.known.photos_of_tile = photos.map(|photos| *photos.min(&most)).collect();
        Ok(pairs.used())
    }

    /// Says which pairs give way: tile and name of the split.
    pub fn give_way(&mut self, pairs: &[(u32, String)]) {
        for (tile, split) in pairs {
            let number = self.plan.splits.iter().position(|name| name == split);
            let number = number.unwrap_or_else(|| {
                self.plan.splits.push(split.clone());
                self.plan.splits.len() - 1
            });
            self.known
                .yields
                .add(*tile, u16::try_from(number).unwrap_or(u16::MAX));
        }
    }

    /// Pairs and rejected photos that no file takes, in order.
    pub fn take(&mut self) -> Vec<(RecordBatch, Option<RecordBatch>)> {
        match &mut self.work {
            Work::Pairs(pairs) => std::mem::take(&mut pairs.ready),
            _ => Vec::new(),
        }
    }

    /// Works on the last batches: what was written, and the tiles in use.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub fn written(&mut self) -> Result<(Written, Used)> {
        let Work::Pairs(pairs) = &mut self.work else {
            return Ok((Written::default(), Used::default()));
        };
        pairs.wave(&self.plan, &self.known, &self.outputs)?;
        let tally = pairs.tally.clone();
        let written = Written {
            rows: tally.rows,
            pairs: tally.pairs,
            repeated: tally.repeated,
            rejected: tally.rejected,
            splits: tally.splits,
            bounds: tally.bounds,
            blocks: pairs.blocks.len() as u64,
        };
        Ok((written, pairs.used()))
    }

    /// Ends the files, with texts of the whole pair table; true where rejected photos have one.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be written.
    pub fn close(&mut self, metadata: &[(String, String)]) -> Result<bool> {
        let Work::Pairs(pairs) = std::mem::replace(&mut self.work, Work::Idle) else {
            return Ok(false);
        };
        if let Some(sink) = pairs.sink {
            sink.close(metadata)?;
        }
        let any = pairs.rejected.is_some();
        pairs.rejected.map_or(Ok(()), |sink| sink.close(&[]))?;
        Ok(any)
    }
}

impl Pairs {
    fn new(plan: &PairPlan, writes: bool) -> Self {
        let draws = plan.cap.most.filter(|_| !writes);
        Self {
            past: Past::new(plan),
            first_row: 0,
            pending: Vec::new(),
            used: SharedMarks::new(plan.tiles.ids.len()),
            photos_of_tile: vec![0; if writes { 0 } else { plan.tiles.ids.len() }],
            caps: draws.map(Caps::new),
            writes,
            tally: Tally::default(),
            blocks: HashSet::new(),
            sink: None,
            rejected: None,
            ready: Vec::new(),
        }
    }

    fn used(&self) -> Used {
        let (tiles, splits) = self.used.all().into_iter().unzip();
        Used {
            tiles,
            splits,
            names: self.past.splits.names.clone(),
        }
    }

    /// Works on the batches that wait.
    fn wave(&mut self, plan: &PairPlan, known: &Known, outputs: &Outputs) -> Result<()> {
        let mut numbered = Vec::with_capacity(self.pending.len());
        for batch in self.pending.drain(..) {
            let rows = batch.num_rows() as u64;
            numbered.push((self.first_row, batch));
            self.first_row += rows;
        }
        let read = numbered.into_par_iter();
        let mut placed: Vec<Placed> = read
            .map(|(first, batch)| Placed::read(plan, &batch, first))
            .collect::<Result<_>>()?;
        for one in &mut placed {
            one.compare(plan, &mut self.past, known)?;
        }
        let (past, used) = (&self.past, &self.used);
        placed
            .par_iter_mut()
            .try_for_each(|one| one.choose(plan, past, known, used))?;
        for one in &mut placed {
            self.count(one);
            if let Some(size) = plan.cap.group.filter(|_| self.writes) {
                one.deal(size, &mut self.past, known);
            }
        }
        if self.writes {
            self.write(plan, &placed, outputs)
        } else {
            Ok(())
        }
    }

    /// Counts pairs, in order, and offers photos to the draw.
    fn count(&mut self, placed: &Placed) {
        self.tally.add(&placed.tally);
        let matches = &placed.matches;
        if !self.writes {
            for tile in &matches.tile {
                self.photos_of_tile[*tile as usize] += 1;
            }
        }
        if let Some(caps) = &mut self.caps {
            for (pair, tile) in matches.tile.iter().enumerate() {
                let row = placed.first_row + u64::from(matches.point[pair]);
                let xy = [matches.x[pair], matches.y[pair]];
                caps.offer(*tile, xy, placed.hashes[pair], row);
            }
        }
        self.blocks.extend(&placed.blocks);
    }

    fn write(&mut self, plan: &PairPlan, placed: &[Placed], outputs: &Outputs) -> Result<()> {
        let past = &self.past;
        let made: Vec<(RecordBatch, Option<RecordBatch>)> = placed
            .par_iter()
            .map(|one| Ok((rows::pairs(plan, past, one)?, rows::rejected(one)?)))
            .collect::<Result<_>>()?;
        let (pairs, mut rejected): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        if let Some(path) = &outputs.rejected {
            let some = rejected.iter_mut().filter_map(Option::take).collect();
            store(&mut self.rejected, path, some)?;
        }
        if let Some(path) = &outputs.pairs {
            return store(&mut self.sink, path, pairs);
        }
        self.ready.extend(pairs.into_iter().zip(rejected));
        Ok(())
    }
}

/// Encodes batches on all threads and writes them in order; the first one starts the file.
fn store(sink: &mut Option<ParquetSink>, path: &Path, batches: Vec<RecordBatch>) -> Result<()> {
    let Some(first) = batches.first() else {
        return Ok(());
    };
    if sink.is_none() {
        *sink = Some(ParquetSink::create(path, first.schema())?);
    }
    let Some(sink) = sink else { return Ok(()) };
    let shared = &*sink;
    let groups: Vec<_> = batches
        .into_par_iter()
        .filter(|batch| batch.num_rows() > 0)
        .map(|batch| shared.encode(&batch))
        .collect::<Result<_>>()?;
    groups.into_iter().try_for_each(|group| sink.append(group))
}
