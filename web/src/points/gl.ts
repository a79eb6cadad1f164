/** Points on the graphics card: WebGL 2, one draw call a frame, one byte of colour and one of level a point. */
import { pxPerUnit, type Camera, type Size } from '../lib/camera';
import type { Colours, PointLayer, Rgb } from './layer';

const VERTEX = `#version 300 es
in float u; in float v; in float colour; in float level;
uniform vec2 scale; uniform vec2 offset; uniform float side; uniform float pass;
flat out float index; flat out float shown;
void main() {
  // Ghosts first, what is faded next, what is in full above.
  float mine = level < 0.5 ? 0.0 : level > 1.5 ? 1.0 : 2.0;
  bool isOut = mine != pass || isnan(u) || isnan(v);
  gl_Position = isOut ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(vec2(u, v) * scale + offset, 0.0, 1.0);
  gl_PointSize = side;
  index = colour; shown = mine;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
flat in float index; flat in float shown;
uniform sampler2D table; uniform vec3 plain; uniform vec3 ghost; uniform float isColoured; uniform float side; uniform float opacity;
out vec4 color;
void main() {
  if (side > 3.0 && length(gl_PointCoord - 0.5) > 0.5) discard;
  vec3 full = isColoured > 0.5 ? texture(table, vec2((index + 0.5) / 256.0, 0.5)).rgb : plain;
  float a = shown > 1.5 ? opacity : shown > 0.5 ? 0.75 : 0.3;
  color = vec4((shown > 1.5 ? full : ghost) * a, a);
}`;

export class GlLayer implements PointLayer {
  readonly kind = 'gl';
  private readonly gl: WebGL2RenderingContext;
  private readonly program: WebGLProgram;
  private readonly buffers: Record<'u' | 'v' | 'colour' | 'level', WebGLBuffer>;
  private readonly texture: WebGLTexture;
  private readonly at: Record<string, WebGLUniformLocation | null> = {};
  private n = 0;
  private isColoured = false;
  private hasLevels = false;
  private plain: Rgb = [90, 209, 192];
  private ghost: Rgb = [60, 68, 78];

  constructor(private readonly canvas: HTMLCanvasElement) {
    const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error('this browser has no WebGL 2');
    this.gl = gl;
    this.program = program(gl);
    const buffer = () => gl.createBuffer() as WebGLBuffer;
    this.buffers = { u: buffer(), v: buffer(), colour: buffer(), level: buffer() };
    this.texture = gl.createTexture() as WebGLTexture;
    for (const name of ['scale', 'offset', 'side', 'pass', 'table', 'plain', 'ghost', 'isColoured', 'opacity']) {
      this.at[name] = gl.getUniformLocation(this.program, name);
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  private upload(name: 'u' | 'v' | 'colour' | 'level', data: Float32Array | Uint8Array): void {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data as ArrayBufferView<ArrayBuffer>, gl.STATIC_DRAW);
  }

  setXY(u: Float32Array, v: Float32Array): void {
    this.n = u.length;
    this.upload('u', u);
    this.upload('v', v);
  }

  /** The card looks at every point anyway. */
  setIndex(): void {}

  setColours(colours: Colours | null): void {
    const { gl } = this;
    this.isColoured = colours !== null;
    if (!colours) return;
    this.upload('colour', colours.bytes);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours.table);
    for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.NEAREST);
  }

  setLevels(levels: Uint8Array | null): void {
    this.hasLevels = levels !== null;
    if (levels) this.upload('level', levels);
  }

  setPlain(plain: Rgb, ghost: Rgb): void {
    [this.plain, this.ghost] = [plain, ghost];
  }

  draw(camera: Camera, size: Size, sizePx: number): void {
    const { gl, at } = this;
    const [width, height] = [Math.max(1, size.width | 0), Math.max(1, size.height | 0)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.n === 0) return;
    gl.useProgram(this.program);
    this.attribute('u', gl.FLOAT, true, 0);
    this.attribute('v', gl.FLOAT, true, 0);
    this.attribute('colour', gl.UNSIGNED_BYTE, this.isColoured, 0);
    this.attribute('level', gl.UNSIGNED_BYTE, this.hasLevels, 1);
    const s = pxPerUnit(camera, { width, height });
    const [sx, sy] = [(2 * s) / width, (2 * s) / height];
    gl.uniform2f(at.scale, sx, sy);
    gl.uniform2f(at.offset, -camera.cx * sx, -camera.cy * sy);
    gl.uniform1f(at.side, sizePx);
    gl.uniform1f(at.opacity, this.n > 0.12 * width * height ? 0.7 : 1);
    gl.uniform1f(at.isColoured, this.isColoured ? 1 : 0);
    gl.uniform3f(at.plain, this.plain[0] / 255, this.plain[1] / 255, this.plain[2] / 255);
    gl.uniform3f(at.ghost, this.ghost[0] / 255, this.ghost[1] / 255, this.ghost[2] / 255);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const pass of this.hasLevels ? [0, 1, 2] : [2]) {
      gl.uniform1f(at.pass, pass);
      gl.drawArrays(gl.POINTS, 0, this.n);
    }
  }

  private attribute(name: 'u' | 'v' | 'colour' | 'level', kind: number, isThere: boolean, other: number): void {
    const { gl } = this;
    const place = gl.getAttribLocation(this.program, name);
    if (place < 0) return;
    if (!isThere) {
      gl.disableVertexAttribArray(place);
      gl.vertexAttrib1f(place, other);
      return;
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 1, kind, false, 0, 0);
  }

  pixels(): Uint8ClampedArray {
    const { gl } = this;
    const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
    const out = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, out);
    return new Uint8ClampedArray(out.buffer);
  }

  destroy(): void {
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}

function program(gl: WebGL2RenderingContext): WebGLProgram {
  const made = gl.createProgram() as WebGLProgram;
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind) as WebGLShader;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) {
    throw new Error(`the graphics card refuses the program: ${gl.getProgramInfoLog(made)}`);
  }
  return made;
}
