/** What lies over the points of the explorer: signs of tags, and what a boundary selects. */
import { json } from '../api/client';
import type { Boundary, Tags } from '../api/types';
import { FADED, FULL, Mask } from '../lib/mask';
import type { Explorer } from './explorer.svelte';
import { page } from './page.svelte';
import { Resource } from './resource.svelte';

/** Colours of the signs, told apart on dark and on light; the form helps who sees no colours. */
export const GLYPHS = ['#ffb000', '#fe6100', '#dc267f', '#785ef0', '#648fff', '#2ec27e', '#8a8f98', '#8f6b4f'];
const FORMS = 6;

export class LayersOf {
  tags = new Resource<Tags>();
  boundary = new Resource<{ mask: Mask | null; n: number }>();

  constructor(private readonly explorer: Explorer) {}

  get hasTags(): boolean {
    return page.hasTags;
  }

  loadTags(): void {
    const { table } = this.explorer;
    if (this.hasTags && table) void this.tags.load((asked) => json<Tags>(`/tables/${encodeURIComponent(table.name)}/tags`, asked));
  }

  /** One string, so that another address with the same tags is no other picture. */
  private wanted: string = $derived.by(() => JSON.stringify(this.explorer.view.tags));
  glyphs = $derived.by(() => {
    const wanted = JSON.parse(this.wanted) as string[];
    const rows = (name: string) => this.tags.data?.tags.find((tag) => tag.name === name)?.rows ?? [];
    return wanted.flatMap((name, at) => rows(name).map((row) => ({ row, form: at % FORMS, colour: GLYPHS[at % GLYPHS.length] })));
  });

  loadBoundary(): void {
    const { table, view } = this.explorer;
    const of = view.boundary;
    this.boundary.data = null;
    if (!of || !table?.vector_length) return;
    const n = table.n_rows;
    const body = { quantity: of.column, thresholds: [of.threshold], masks: true };
    void this.boundary.load(async (asked) => {
      const text = (await json<Boundary>(`/tables/${encodeURIComponent(table.name)}/boundary`, { ...asked, body })).rows[0]?.rows;
      const mask = text === undefined ? null : Mask.decode(text, n);
      return { mask, n: mask?.count() ?? 0 };
    });
  }

  /** What the boundary does not select is dimmed, whatever else is selected. */
  levels: Uint8Array | null = $derived.by(() => {
    const { table, view, levels } = this.explorer;
    const mask = view.boundary ? (this.boundary.data?.mask ?? null) : null;
    if (!mask || !table) return levels;
    const out = levels ? levels.slice() : new Uint8Array(table.n_rows).fill(FULL);
    for (let row = 0; row < out.length; row++) if (out[row] === FULL && !mask.has(row)) out[row] = FADED;
    return out;
  });
}
