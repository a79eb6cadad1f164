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
  };
  n_images: number;
  n_light_curves: number;
  has_votes: boolean;
  takes_labels: boolean;
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
  has_light_curve: boolean;
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
  groups: { name: string; n: number; n_selected?: number }[];
}

export interface Boundary {
  quantity: string;
  n_train: number;
  n_held_out: number;
  n_components: number;
  level: number;
  rows: BoundaryRow[];
}

export interface Label {
  id: string;
  subject_id: string;
  question: string;
  value?: string;
  by: string;
  at: string;
  retracts?: string;
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
