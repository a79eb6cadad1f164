//! Work on several threads with the results in order: the shape of every long read.
//!
//! One thread produces, `threads` work, the caller's thread consumes in the order of production. Only a
//! few items are under way at once, whatever the speed of either end, so memory stays flat.

use std::collections::BTreeMap;

use crossbeam_channel::bounded;

/// Runs `produce` until it gives `None`, `work` on each item, `consume` on each result in order.
///
/// # Errors
/// The first error of `produce` or `consume`; nothing is consumed after it.
pub(crate) fn ordered<T, U, E>(
    threads: usize,
    mut produce: impl FnMut() -> Result<Option<T>, E> + Send,
    work: impl Fn(T) -> U + Sync,
    mut consume: impl FnMut(U) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    U: Send,
    E: Send,
{
    let threads = threads.max(1);
    let in_flight = threads * 5;
    let (token_back, tokens) = bounded::<()>(in_flight);
    let (send_item, items) = bounded::<(u64, T)>(in_flight);
    let (send_result, results) = bounded::<(u64, Result<U, E>)>(in_flight);
    std::thread::scope(|scope| {
        let errors = send_result.clone();
        scope.spawn(move || {
            for sequence in 0.. {
                let sent = match produce() {
                    Ok(None) => break,
                    Ok(Some(item)) => send_item.send((sequence, item)).is_ok(),
                    Err(error) => {
                        // The consumer may be gone already; then nobody needs the error.
                        let _ = errors.send((sequence, Err(error)));
                        false
                    }
                };
                // A token per item in excess of `in_flight` comes back when a result was consumed.
                if !sent || (sequence + 1 >= in_flight as u64 && tokens.recv().is_err()) {
                    break;
                }
            }
        });
        for _ in 0..threads {
            let (items, send_result, work) = (items.clone(), send_result.clone(), &work);
            scope.spawn(move || {
                for (sequence, item) in items {
                    if send_result.send((sequence, Ok(work(item)))).is_err() {
                        break;
                    }
                }
            });
        }
        drop((items, send_result));
        // Owned here, so that they end with an early return and nobody waits for a consumer that is gone.
        let (token_back, results) = (token_back, results);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (sequence, result) in results {
            early.insert(sequence, result);
            while let Some(result) = early.remove(&next) {
                consume(result?)?;
                next += 1;
                // The producer may have finished already.
                let _ = token_back.send(());
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::ordered;

    fn squares(threads: usize, n: u64, fail_at: Option<u64>) -> (Vec<u64>, Result<(), String>) {
        let mut next = 0;
        let mut out = Vec::new();
        let result = ordered(
            threads,
            || {
                next += 1;
                if Some(next) == fail_at {
                    return Err(format!("at {next}"));
                }
                Ok((next <= n).then_some(next))
            },
            |x| x * x,
            |x| {
                out.push(x);
                Ok(())
            },
        );
        (out, result)
    }

    #[test]
    fn order_is_kept_for_any_number_of_threads() {
        let expected: Vec<u64> = (1..=500).map(|x| x * x).collect();
        for threads in [0, 1, 2, 7] {
            assert_eq!(squares(threads, 500, None), (expected.clone(), Ok(())));
        }
        assert_eq!(squares(2, 0, None).0, [0_u64; 0]);
    }

    #[test]
    fn an_error_ends_the_work_after_what_came_before_it() {
        let (out, result) = squares(3, 500, Some(100));
        assert_eq!(result, Err("at 100".to_owned()));
        assert_eq!(out.len(), 99);
    }

    #[test]
    fn a_consumer_that_fails_stops_everything() {
        let mut n = 0_u64;
        let result = ordered(
            2,
            || {
                n += 1;
                Ok(Some(n))
            },
            |x| x,
            |x| if x < 50 { Ok(()) } else { Err("enough") },
        );
        assert_eq!(result, Err("enough"));
    }
}
