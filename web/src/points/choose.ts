/**
 * Which back end draws: the graphics card where there is a real one, else the processor.
 *
 * A card that is simulated in software (SwiftShader, llvmpipe) draws a million points twenty times slower than the
 * processor bins them. `?renderer=gl` or `cpu` decides by hand, for tests and for who knows better.
 */
import { CpuLayer } from './cpu';
import { GlLayer } from './gl';
import type { PointLayer } from './layer';

export interface Choice {
  readonly layer: PointLayer;
  /** Why this one, for people. */
  readonly why: string;
}

const SIMULATED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/** What the card says it is; empty where there is no WebGL 2. */
export function cardName(): string {
  const probe = document.createElement('canvas').getContext('webgl2');
  if (!probe) return '';
  const info = probe.getExtension('WEBGL_debug_renderer_info');
  const name = String(probe.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : probe.RENDERER));
  probe.getExtension('WEBGL_lose_context')?.loseContext();
  return name;
}

export function choose(canvas: HTMLCanvasElement, wanted: string | null): Choice {
  const card = wanted === 'cpu' ? '' : cardName();
  const isGood = card !== '' && (wanted === 'gl' || !SIMULATED.test(card));
  if (isGood) {
    try {
      return { layer: new GlLayer(canvas), why: `drawn by ${card}` };
    } catch (error) {
      // A canvas that has met WebGL draws nothing else: there must be a new one.
      return { layer: new CpuLayer(replaced(canvas)), why: `${String(error)}; drawn by the processor` };
    }
  }
  const why =
    wanted === 'cpu'
      ? 'drawn by the processor, as the address asks'
      : card
        ? `the graphics card is simulated (${card}); the processor is faster`
        : 'no graphics card can be used; drawn by the processor';
  return { layer: new CpuLayer(canvas), why };
}

function replaced(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const fresh = canvas.cloneNode() as HTMLCanvasElement;
  canvas.replaceWith(fresh);
  return fresh;
}
