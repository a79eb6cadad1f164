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
}

export interface TableView {
  name: string;
  n_rows: number;
  columns: ColumnView[];
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
    retired_by_reason: Record<string, number>;
    by_day: Record<string, number>;
    retired_by_day: Record<string, Record<string, number>>;
    outlook?: { n_left: number; n_retired: number; window_days: number; last_day: string; days: number; days_low: number; days_high: number };
  };
  n_images: number;
  n_light_curves: number;
  has_votes: boolean;
  takes_labels: boolean;
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
  values: Record<string, Cell>;
}

export interface Rows {
  n: number;
  rows: Row[];
}

export interface Neighbours {
  neighbours: { row: number; subject_id: string; has_image: boolean; distance: number }[];
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

export interface Votes {
  subject_id: string;
  questions: {
    task: string;
    answers: string[];
    steps: { at?: string; answer?: string; n: number; n_votes: number[]; share: [number, number, number][] }[];
  }[];
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

export interface Crowd {
  n_people: number;
  n_classifications: number;
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
  }[];
  by_agreement: number[];
  n_too_little: number;
}
