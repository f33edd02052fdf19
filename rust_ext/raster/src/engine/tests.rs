//! What a caller sees of a worker that ends, or breaks down.
use std::sync::mpsc::sync_channel;

use super::*;

fn cutter(receiver: Receiver<Sent>) -> SceneCutter {
    SceneCutter {
        program: None,
        receiver: Some(receiver),
        cancel: Arc::default(),
        cost: CutCost {
            tiles: 9,
            blocks: 0,
            redecoded_blocks: 0,
            decoded_bytes: 0,
            peak_bytes: 0,
        },
        ready: VecDeque::new(),
        files: Arc::default(),
        dropped: 0,
    }
}

#[test]
fn a_worker_that_breaks_down_is_not_one_that_has_ended() {
    let (sender, receiver) = sync_channel(2);
    sender.send(Ok(Some((Vec::new(), 2)))).unwrap();
    drop(sender);
    let mut broken = cutter(receiver);
    let found = broken.receive(Duration::from_secs(1));
    assert!(matches!(found, Ok(Received::Tiles)));
    let found = broken.receive(Duration::from_secs(1));
    assert!(matches!(found, Err(Error::Broken)), "{found:?}");
    assert_eq!(broken.dropped(), 2);
}

#[test]
fn a_worker_that_says_so_has_ended() {
    let (sender, receiver) = sync_channel(1);
    sender.send(Ok(None)).unwrap();
    let mut ended = cutter(receiver);
    for _ in 0..2 {
        let found = ended.receive(Duration::from_secs(1));
        assert!(matches!(found, Ok(Received::End)), "{found:?}");
    }
}
