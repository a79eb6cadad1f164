/** Answers of the API that the page reads, as `openapi.json` describes them. */

export type Kind = 'number' | 'text' | 'boolean';

export interface ColumnView {
  name: string;
  kind: Kind;
  n_missing: number;
  low?: number;
  high?: number;
  n_texts?: number;
  is_category: boolean;
  /** The file that it was read from. */
  file?: string;
  /** The question that an answer's shares are of. */
  question?: string;
}

export interface TableView {
  name: string;
  n_rows: number;
  columns: ColumnView[];
  /** What it is ranked by where nobody says another. */
  score?: string;
  maps: { x: string; y: string }[];
  vector_length?: number;
  n_images: number;
}

export interface Project {
  title: string;
  tables: TableView[];
  overview: {
    n_classifications?: number;
    n_subjects?: number;
    n_retired?: number;
    n_volunteers: number;
    n_active?: number;
    retired_by_reason: Record<string, number>;
    by_day: Record<string, number>;
    retired_by_day: Record<string, Record<string, number>>;
    outlook?: { n_left: number; n_retired: number; window_days: number; last_day: string; days: number; days_low: number; days_high: number };
  };
  n_images: number;
  n_light_curves: number;
  has_votes: boolean;
  takes_labels: boolean;
  takes_slices: boolean;
  /** Whether this key may give labels; absent in a copy. */
  may_write?: boolean;
  n_gold: number;
  n_tagged: number;
  left_out: string[];
}

export interface Histogram {
  column: string;
  kind: Kind;
  low?: number;
  high?: number;
  categories: string[];
  all: number[];
  passing: number[];
  selected: number[];
  n_others: [number, number, number];
  n_missing: number;
}

export interface Found {
  filter?: string;
  n_rows: number;
  n_passing: number;
  n_selected: number;
  n_unknown: number;
  passing?: string;
  selected?: string;
  histograms: Histogram[];
}

export type Cell = number | string | boolean | null;

export interface Row {
  row: number;
  subject_id: string;
  has_image: boolean;
  has_light_curve: boolean;
  /** The workflow in which volunteers saw it last. */
  workflow_id?: string;
  values: Record<string, Cell>;
}

export interface Rows {
  n: number;
  rows: Row[];
}

export interface Neighbours {
  neighbours: { row: number; subject_id: string; has_image: boolean; distance: number }[];
  /** Why there are none, where the subject has no vector in the table. */
  why_none: string | null;
}

export interface Subject {
  subject_id: string;
  has_image: boolean;
  /** Names of further frames; a copy has none. */
  frames?: string[];
  has_light_curve: boolean;
  attention?: {
    classes: { name: string; logit?: number }[];
    overlaps: { class: string; other: string; soft_iou?: number; z?: number }[];
  };
  tags: string[];
  rows: Record<string, number>;
  values: Record<string, Record<string, Cell>>;
  previous?: string;
  next?: string;
}

export interface Curve {
  subject_id: string;
  time_days: number[];
  flux: (number | null)[];
  n_points: number;
  is_decimated: boolean;
  marks: [number, number][];
  features: { from_days: number; to_days: number; score: number; score_sd?: number }[];
}

/** Value and ends of an interval. */
export type Share = [number, number, number];

export interface Threshold {
  n?: number;
  share?: number;
  answer?: string;
}

export interface Step {
  at?: string;
  answers: string[];
  n: number;
  n_of: number;
  n_votes: number[];
  share: Share[];
  weighted: Share[];
}

export interface RuleEnd {
  rule: string;
  about?: string;
  at?: number;
  answer?: string;
  answer_all?: string;
  threshold: Threshold;
}

export interface Votes {
  subject_id: string;
  level: number;
  questions: { workflow_id: string; task: string; is_multiple: boolean; answers: string[]; steps: Step[]; rules: RuleEnd[] }[];
  live_retires_at: number;
  live_alerts: Threshold[];
  rules: string[];
}

export interface Estimate {
  value: number;
  low: number;
  high: number;
}

export interface BoundaryRow {
  threshold: number;
  n: number;
  prevalence?: Estimate;
  selected?: Estimate;
  precision?: Estimate;
  recall?: Estimate;
  f1?: Estimate;
  sentence: string;
  /** Why nothing can be concluded from it. */
  too_few?: string;
  groups: { name: string; n: number; n_selected?: number }[];
  rows?: string;
}

export interface Boundary {
  quantity: string;
  n_train: number;
  n_held_out: number;
  n_components: number;
  level: number;
  rows: BoundaryRow[];
}

/** A step of `volary.toml`. */
export interface Step {
  id: string;
  line: string;
  command: string;
  state: 'up_to_date' | 'out_of_date' | 'not_done';
  took_s?: number;
}

export interface Job {
  id: string;
  step_id: string;
  line: string;
  state: 'running' | 'stopping' | 'reading' | 'done' | 'failed' | 'stopped';
  started_at: string;
  ended_at?: string;
  code?: number;
  done?: { n: number; of: number; what: string };
  n_lines: number;
  log: string[];
  problem?: string;
  changes: { table: string; column?: string; became: 'new' | 'changed' | 'gone' }[];
}

export interface Jobs {
  may_run: boolean;
  has_project: boolean;
  steps: Step[];
  problem?: string;
  jobs: Job[];
}

/** A question of a workflow; its name stands in columns and labels. */
export interface Question {
  name: string;
  text: string;
  form: 'single' | 'multiple';
  /** The workflow asks to mark or draw; asked here is whether there is anything. */
  is_marking: boolean;
  answers: { label: string; next?: string }[];
  next?: string;
}

export interface QuestionTree {
  workflow_id: string;
  title: string;
  version: string;
  /** Whether the workflow says which question follows which. */
  is_linked: boolean;
  first: string;
  questions: Question[];
  left_out: string[];
}

/** Where a signal is known to lie in a light curve. */
export interface Signal {
  from_days: number;
  to_days: number;
  is_injected: boolean;
}

/** What is known of a subject: told to who has answered, and to nobody before. */
export interface Known {
  is_answered: boolean;
  gold?: Record<string, string>;
  signals?: Signal[];
}

export interface Label {
  id: string;
  subject_id: string;
  question: string;
  value?: string;
  by: string;
  at: string;
  retracts?: string;
  /** Known answers, told to who has just answered. */
  gold?: Record<string, string>;
  /** Known signals of its light curve, likewise. */
  signals?: Signal[];
}

export interface Readers {
  n_readers: number;
  n_shared: number;
  n_same: number;
  alpha?: number;
  alpha_low?: number;
  alpha_high?: number;
  missing?: string;
  disagreements: { subject_id: string; said: [number, string][] }[];
}

export interface Machine {
  level: number;
  bins: { low: number; high: number; n: number; n_yes: number; share?: number; share_low?: number; share_high?: number }[];
  n: number;
  n_agree: number;
  agree_low?: number;
  agree_high?: number;
  drift?: Drift;
}

export interface Drift {
  window_days: number;
  from: string;
  to: string;
  n: number;
  n_agree: number;
  share: number;
  share_low: number;
  share_high: number;
  n_windows: number;
  n_before: number;
  share_before: number;
  band_low: number;
  band_high: number;
  is_off: boolean;
}

export interface DataUse {
  label_set?: { version: string; n_lines: number; n_labels: number };
  n_opted_out: number;
  models: {
    folder: string;
    kind: string;
    id: string;
    run: string;
    seed?: number | null;
    learned_from: { path: string; bytes: number; blake3: string }[];
    steps: string[];
    leaves_out_opted_out: boolean;
    n_out_since?: number;
  }[];
}

export interface SliceKnown {
  n: number;
  level: number;
  n_attention: number;
  overlaps: { class: string; other: string; n: number; mean: number; low?: number; high?: number }[];
  sides: { name: 'new' | 'experienced' | 'all'; from: number; to?: number; n_people: number; n_votes: number; disagree: number; disagree_low: number; disagree_high: number }[];
}

export interface SavedSlice {
  id: string;
  name: string;
  table: string;
  filter: string;
  at: string;
  n?: number;
  problem?: string;
  errors: { task: string; n: number; n_wrong?: number; rate?: number; rate_low?: number; rate_high?: number; n_rest: number; rate_rest?: number }[];
}

export interface SavedSlices {
  takes_slices: boolean;
  few: number;
  slices: SavedSlice[];
}

export interface Tags {
  tags: { name: string; n: number; rows: number[] }[];
  n_tags: number;
}

export interface Sheet {
  kind: string;
  file: string;
  columns: string[];
  rows: (string | null)[][];
  n_rows: number;
}

export interface Run {
  id: string;
  file: string;
  command: string;
  command_line: string[];
  version: string;
  seed?: number | null;
  inputs: { path: string; bytes: number; blake3: string }[];
  outputs: { path: string; bytes: number; blake3: string }[];
  wall_s?: number | null;
}

export interface Classes {
  level: number;
  questions: { workflow_id: string; task: string; is_multiple: boolean; classes: { answer: string; n_people: number; n: number; share: number; share_low: number; share_high: number }[] }[];
}

export interface WhatIf {
  method: string;
  methods: string[];
  level: number;
  questions: {
    workflow_id: string;
    task: string;
    n_subjects: number;
    n_changed: number;
    share: number;
    share_low: number;
    share_high: number;
    changed: { subject_id: string; equal?: string; weighted?: string }[];
  }[];
}

export interface Ones {
  volunteers: {
    pseudonym: string;
    n_classifications: number;
    n_gold: number;
    has_evidence: boolean;
    skills: { task: string; class: string; n: number; n_right: number; skill: number; skill_low: number; skill_high: number }[];
  }[];
  anonymous: { n_sessions: number; n_classifications: number };
  n_opted_out: number;
  enough: number;
  n: number;
  links: { next?: string };
}

export interface Crowd {
  n_people: number;
  n_classifications: number;
  anonymous: { n_sessions: number; n_classifications: number };
  n_opted_out: number;
  share_of_busiest_tenth?: number;
  by_experience: {
    from: number;
    to: number;
    n_people: number;
    n_classifications: number;
    agreement_quarter?: number;
    agreement_half?: number;
    agreement_three_quarters?: number;
    share_came_back: number;
    share_came_back_low: number;
    share_came_back_high: number;
  }[];
  by_agreement: number[];
  n_too_little: number;
}
