//! What the server counts, as Prometheus reads it (text format 0.0.4).
//!
//! A dozen lines of text need no library: counters by label, one histogram of latencies by route.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Upper ends of the histogram's buckets, in seconds.
const BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: [u64; BUCKETS_S.len()],
    n: u64,
    sum_s: f64,
}

/// Counters and a histogram.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    counters: Mutex<BTreeMap<(&'static str, String), u64>>,
    latencies: Mutex<BTreeMap<String, Histogram>>,
}

/// Name and explanation of every counter.
const COUNTERS: [(&str, &str); 9] = [
    ("volary_requests_total", "Requests answered, by route, method and status."),
    ("volary_events_total", "Events submitted, by what became of them."),
    ("volary_incoming_problems_total", "Records of webhooks and polls that could not be read."),
    ("volary_deliveries_total", "Attempts to deliver to a webhook, by result."),
    ("volary_polls_total", "Pages asked of the polled API, by result."),
    ("volary_streams_total", "Event streams opened."),
    ("volary_connections_refused_total", "Connections turned away because there were too many."),
    ("volary_rate_limited_total", "Requests refused because a token sent too many."),
    ("volary_refused_total", "Requests refused before they reached a route, by reason."),
];

impl Metrics {
    /// Adds to a counter; `labels` as `a="b"`, empty for none. Values of labels are our own words.
    pub(crate) fn add(&self, name: &'static str, labels: String, n: u64) {
        debug_assert!(COUNTERS.iter().any(|(known, _)| *known == name), "{name} is not in the list");
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.entry((name, labels)).or_default() += n;
    }

    /// A request took so long.
    pub(crate) fn took(&self, route: &str, seconds: f64) {
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        if !latencies.contains_key(route) {
            latencies.insert(route.to_owned(), Histogram::default());
        }
        let Some(histogram) = latencies.get_mut(route) else { return };
        histogram.n += 1;
        histogram.sum_s += seconds;
        for (at, end) in BUCKETS_S.iter().enumerate() {
            histogram.counts[at] += u64::from(seconds <= *end);
        }
    }

    /// The text, with these gauges: name, explanation, value.
    pub(crate) fn text(&self, gauges: &[(&str, &str, f64)]) -> String {
        let mut text = String::new();
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, help) in COUNTERS {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for ((_, labels), value) in counters.iter().filter(|((of, _), _)| *of == name) {
                let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        let name = "volary_request_seconds";
        let _ = writeln!(text, "# HELP {name} Time to answer.\n# TYPE {name} histogram");
        let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (route, histogram) in latencies {
            for (end, count) in BUCKETS_S.iter().zip(histogram.counts) {
                let _ = writeln!(text, "{name}_bucket{{route=\"{route}\",le=\"{end}\"}} {count}");
            }
            let Histogram { n, sum_s, .. } = histogram;
            let _ = writeln!(text, "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {n}");
            let _ = writeln!(text, "{name}_sum{{route=\"{route}\"}} {sum_s}");
            let _ = writeln!(text, "{name}_count{{route=\"{route}\"}} {n}");
        }
        for (name, help, value) in gauges {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.add("volary_events_total", "outcome=\"new\"".into(), 3);
        metrics.add("volary_events_total", "outcome=\"new\"".into(), 2);
        metrics.took("/api/v1/alerts", 0.004);
        metrics.took("/api/v1/alerts", 20.0);
        let text = metrics.text(&[("volary_up", "Always 1.", 1.0)]);
        for line in [
            "volary_events_total{outcome=\"new\"} 5",
            "volary_request_seconds_bucket{route=\"/api/v1/alerts\",le=\"0.0025\"} 0",
            "volary_request_seconds_bucket{route=\"/api/v1/alerts\",le=\"0.005\"} 1",
            "volary_request_seconds_bucket{route=\"/api/v1/alerts\",le=\"+Inf\"} 2",
            "volary_request_seconds_count{route=\"/api/v1/alerts\"} 2",
            "# TYPE volary_up gauge",
            "volary_up 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        // Every sample stands under a TYPE of its own name.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
            let family = family.unwrap_or(name);
            assert!(text.contains(&format!("# TYPE {family} ")), "{line}");
        }
    }
}
