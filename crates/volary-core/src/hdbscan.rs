//! HDBSCAN: DBSCAN at every density at once, keeping the clusters that live longest. How odd a point is in its
//! own cluster is GLOSH (Campello, Moulavi, Zimek & Sander 2015, doi:10.1145/2733381).
//!
//! Campello, Moulavi & Sander 2013 (doi:10.1007/978-3-642-37456-2_14); condensed tree and excess of mass as
//! in McInnes, Healy & Astels 2017 (doi:10.21105/joss.00205). Labels and membership probabilities are
//! those of scikit-learn 1.6, the oddness is that of hdbscan 0.8.44 (golden tests say so), where distances do
//! not tie; ties are broken by the order of the points.
//!
//! Whatever has a distance: marks of volunteers (`volary_crowd::shapes`) as well as vectors of a network
//! (`volary_space::clusters`), which is why it stands here. Every pair is compared: meant for some ten thousand.
//!
//! Our own and not a library's: `hdbscan` 0.12 and `petal-clustering` 0.14 give no probabilities, which
//! weigh the centres of `point_reducer_hdbscan`.

/// What is asked of HDBSCAN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hdbscan {
    /// Smaller clusters are noise; at least 2.
    pub min_cluster_size: usize,
    /// A point's core distance is that to its so-manieth nearest, itself the first.
    pub min_samples: usize,
    /// Which clusters of the tree are taken.
    pub selection: Selection,
    /// Whether all points may be one cluster.
    pub allow_single_cluster: bool,
}

/// Which clusters of the tree are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Those with the most excess of mass.
    #[default]
    Eom,
    /// The leaves.
    Leaf,
}

/// A cluster for each point (`None` is noise), and how surely it belongs there, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Memberships {
    /// Cluster by point.
    pub labels: Vec<Option<u32>>,
    /// Probability by point.
    pub probabilities: Vec<f64>,
    /// How odd each point is where it is, 0 to 1: 1 − ε/ε(point), ε(point) the distance at which it leaves the
    /// last cluster that it was in, ε that at which the densest part of this dissolves (GLOSH).
    pub oddness: Vec<f64>,
}

/// A merge of two nodes; points are nodes below `n`, merges follow in order.
#[derive(Clone, Copy)]
struct Merge {
    left: usize,
    right: usize,
    distance: f64,
    size: usize,
}

/// A row of the condensed tree: `child` (a point, or a cluster of `size`) leaves `parent` at `lambda`.
#[derive(Clone, Copy)]
struct Leaving {
    parent: usize,
    child: usize,
    lambda: f64,
    size: usize,
}

/// Clusters of `n` points.
pub fn hdbscan(n: usize, distance: &impl Fn(usize, usize) -> f64, params: &Hdbscan) -> Memberships {
    hdbscan_by(&core_distances(n, distance, params.min_samples), distance, params)
}

/// The same where the core distances are known: of each point that to its `min_samples`-th nearest, itself the
/// first.
pub fn hdbscan_by(
    core: &[f64],
    distance: &impl Fn(usize, usize) -> f64,
    params: &Hdbscan,
) -> Memberships {
    let n = core.len();
    if n < 2 || params.min_cluster_size < 2 || n < params.min_cluster_size {
        let nothing = vec![0.0; n];
        return Memberships { labels: vec![None; n], probabilities: nothing.clone(), oddness: nothing };
    }
    let merges = single_linkage(n, reachable_by(core, distance));
    let tree = condense(n, &merges, params.min_cluster_size);
    let chosen = choose(n, &tree, params);
    let (labels, probabilities) = label(n, &tree, &chosen, params.allow_single_cluster);
    Memberships { labels, probabilities, oddness: oddness(n, &tree) }
}

/// The distance to each point's `k`-th nearest, itself the first.
pub fn core_distances(n: usize, distance: &impl Fn(usize, usize) -> f64, k: usize) -> Vec<f64> {
    let at = k.clamp(1, n.max(1)) - 1;
    let core = |i: usize| {
        let mut row: Vec<f64> = (0..n).map(|j| if i == j { 0.0 } else { distance(i, j) }).collect();
        *row.select_nth_unstable_by(at, f64::total_cmp).1
    };
    (0..n).map(core).collect()
}

/// Edges of the minimum spanning tree of mutual reachability, shortest first.
pub fn spanning_tree(
    n: usize,
    distance: &impl Fn(usize, usize) -> f64,
    min_samples: usize,
) -> Vec<(usize, usize, f64)> {
    reachable_by(&core_distances(n, distance, min_samples), distance)
}

/// The same where the core distances are known (Prim).
fn reachable_by(core: &[f64], distance: &impl Fn(usize, usize) -> f64) -> Vec<(usize, usize, f64)> {
    let n = core.len();
    if n == 0 {
        return Vec::new();
    }
    let mut nearest = vec![(f64::INFINITY, 1_usize.min(n - 1)); n];
    let mut in_tree = vec![false; n];
    let mut current = 0;
    let mut edges = Vec::with_capacity(n - 1);
    for _ in 1..n {
        in_tree[current] = true;
        let mut best: Option<usize> = None;
        for j in (0..n).filter(|&j| !in_tree[j]) {
            let reach = distance(current, j).max(core[current]).max(core[j]);
            if reach < nearest[j].0 {
                nearest[j] = (reach, current);
            }
            if best.is_none_or(|b| nearest[j].0 < nearest[b].0) {
                best = Some(j);
            }
        }
        let Some(next) = best else { break };
        edges.push((nearest[next].1, next, nearest[next].0));
        current = next;
    }
    edges.sort_by(|a, b| a.2.total_cmp(&b.2));
    edges
}

fn single_linkage(n: usize, edges: Vec<(usize, usize, f64)>) -> Vec<Merge> {
    let mut parent: Vec<usize> = (0..2 * n).collect();
    let size_of = |merges: &[Merge], node: usize| if node < n { 1 } else { merges[node - n].size };
    let mut merges: Vec<Merge> = Vec::with_capacity(n - 1);
    for (a, b, distance) in edges {
        let (left, right) = (root(&mut parent, a), root(&mut parent, b));
        let size = size_of(&merges, left) + size_of(&merges, right);
        let node = n + merges.len();
        (parent[left], parent[right]) = (node, node);
        merges.push(Merge { left, right, distance, size });
    }
    merges
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

/// Nodes of a subtree, level by level.
fn subtree(n: usize, merges: &[Merge], top: usize) -> Vec<usize> {
    let mut nodes = vec![top];
    let mut at = 0;
    while at < nodes.len() {
        if let Some(merge) = nodes[at].checked_sub(n).map(|m| merges[m]) {
            nodes.extend([merge.left, merge.right]);
        }
        at += 1;
    }
    nodes
}

/// Clusters are numbered from `n` (all points) on.
fn condense(n: usize, merges: &[Merge], min_cluster_size: usize) -> Vec<Leaving> {
    let top = n + merges.len() - 1;
    let mut cluster_of = vec![0; top + 1];
    cluster_of[top] = n;
    let mut next = n + 1;
    let mut is_done = vec![false; top + 1];
    let mut tree = Vec::new();
    let size_of = |node: usize| node.checked_sub(n).map_or(1, |m| merges[m].size);
    for node in subtree(n, merges, top) {
        if node < n || is_done[node] {
            continue;
        }
        let Merge { left, right, distance, .. } = merges[node - n];
        let lambda = if distance > 0.0 { 1.0 / distance } else { f64::INFINITY };
        let here = cluster_of[node];
        let is_big = |child: usize| size_of(child) >= min_cluster_size;
        for child in [left, right] {
            if !is_big(child) {
                for below in subtree(n, merges, child) {
                    is_done[below] = true;
                    if below < n {
                        tree.push(Leaving { parent: here, child: below, lambda, size: 1 });
                    }
                }
            } else if is_big(left) && is_big(right) {
                cluster_of[child] = next;
                tree.push(Leaving { parent: here, child: next, lambda, size: size_of(child) });
                next += 1;
            } else {
                cluster_of[child] = here;
            }
        }
    }
    tree
}

/// How much mass each cluster has in excess of what it was born with.
fn stabilities(n: usize, tree: &[Leaving], n_clusters: usize) -> Vec<f64> {
    let mut birth = vec![0.0; n_clusters];
    for row in tree.iter().filter(|r| r.child >= n) {
        birth[row.child - n] = row.lambda;
    }
    let mut stability = vec![0.0; n_clusters];
    for row in tree {
        stability[row.parent - n] += (row.lambda - birth[row.parent - n]) * row.size as f64;
    }
    stability
}

/// The clusters taken, by number above `n`.
fn choose(n: usize, tree: &[Leaving], params: &Hdbscan) -> Vec<bool> {
    let n_clusters = tree.iter().map(|r| r.parent.max(r.child)).max().unwrap_or(n).max(n) - n + 1;
    let mut children = vec![Vec::new(); n_clusters];
    for row in tree.iter().filter(|r| r.child >= n) {
        children[row.parent - n].push(row.child - n);
    }
    let first = usize::from(!params.allow_single_cluster);
    let mut is_chosen = vec![false; n_clusters];
    match params.selection {
        Selection::Leaf => {
            for cluster in 1..n_clusters {
                is_chosen[cluster] = children[cluster].is_empty();
            }
        }
        Selection::Eom => {
            let mut stability = stabilities(n, tree, n_clusters);
            // A child's number is above its parent's, so that children come before parents here.
            for cluster in (first..n_clusters).rev() {
                let below: f64 = children[cluster].iter().map(|&c| stability[c]).sum();
                if below > stability[cluster] {
                    stability[cluster] = below;
                } else {
                    let mut under = children[cluster].clone();
                    while let Some(c) = under.pop() {
                        is_chosen[c] = false;
                        under.extend(&children[c]);
                    }
                    is_chosen[cluster] = true;
                }
            }
        }
    }
    is_chosen
}

/// Labels and probabilities.
fn label(n: usize, tree: &[Leaving], is_chosen: &[bool], single: bool) -> (Vec<Option<u32>>, Vec<f64>) {
    let mut number = vec![None; is_chosen.len()];
    let mut next = 0;
    for (slot, _) in number.iter_mut().zip(is_chosen).filter(|(_, chosen)| **chosen) {
        *slot = Some(next);
        next += 1;
    }
    // The nearest chosen cluster at or above each cluster; parents come before children.
    let mut home: Vec<usize> = (0..is_chosen.len()).collect();
    for row in tree.iter().filter(|r| r.child >= n && !is_chosen[r.child - n]) {
        home[row.child - n] = home[row.parent - n];
    }
    let mut last = vec![0.0_f64; is_chosen.len()];
    for row in tree {
        last[row.parent - n] = last[row.parent - n].max(row.lambda);
    }
    let is_alone = is_chosen[0] && next == 1 && single;
    let mut labels = vec![None; n];
    let mut probabilities = vec![0.0; n];
    for row in tree.iter().filter(|r| r.child < n) {
        let cluster = home[row.parent - n];
        // Where all are one cluster, only those count that stay to its end.
        let stays = cluster != 0 || (is_alone && row.lambda >= last[0]);
        let Some(label) = number[cluster].filter(|_| stays) else { continue };
        labels[row.child] = Some(label);
        let most = last[cluster];
        probabilities[row.child] =
            if most == 0.0 || row.lambda.is_infinite() { 1.0 } else { row.lambda.min(most) / most };
    }
    (labels, probabilities)
}

/// GLOSH. The cluster that a point leaves last need not be a chosen one.
fn oddness(n: usize, tree: &[Leaving]) -> Vec<f64> {
    let n_clusters = tree.iter().map(|r| r.parent.max(r.child)).max().unwrap_or(n).max(n) - n + 1;
    let mut densest = vec![0.0_f64; n_clusters];
    for row in tree {
        densest[row.parent - n] = densest[row.parent - n].max(row.lambda);
    }
    // A child's rows stand behind those of its parent, so that backwards every child is done before it is used.
    for row in tree.iter().rev().filter(|r| r.child >= n) {
        densest[row.parent - n] = densest[row.parent - n].max(densest[row.child - n]);
    }
    let mut oddness = vec![0.0; n];
    for row in tree.iter().filter(|r| r.child < n) {
        let most = densest[row.parent - n];
        if most > 0.0 && row.lambda.is_finite() {
            oddness[row.child] = if most.is_finite() { 1.0 - row.lambda / most } else { 1.0 };
        }
    }
    oddness
}
