/**
 * The slice language once more, for a copy of the page, which has no server to ask. The parser that counts is
 * `volary-space`'s; this one understands the same and is held to it by a test that counts with both.
 */
import { numberOf } from '../lib/filter';
import { isIn, numberAt, UNKNOWN, type Column } from './table';

export type Node =
  | { readonly form: 'and' | 'or'; readonly parts: readonly Node[] }
  | { readonly form: 'not'; readonly of: Node }
  | { readonly form: 'compare'; readonly column: Name; readonly op: Op; readonly with: Literal | Name }
  | { readonly form: 'between'; readonly column: Name; readonly low: number; readonly high: number }
  | { readonly form: 'in'; readonly column: Name; readonly values: readonly (string | number)[] }
  | { readonly form: 'contains' | 'has'; readonly column: Name; readonly text: string }
  | { readonly form: 'missing' | 'flag'; readonly column: Name };

/** Names under which the table may have the column, the best first. */
export interface Name {
  readonly names: readonly string[];
}
type Literal = string | number | boolean;
type Op = '<' | '<=' | '=' | '!=' | '>=' | '>';

/** What cannot be followed, and at which characters. */
export class Fault extends Error {
  constructor(
    message: string,
    readonly from: number,
    readonly to: number,
  ) {
    super(message);
  }
}

interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'sign' | 'end';
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const WORDS = ['and', 'or', 'not', 'between', 'in', 'is', 'missing', 'contains', 'has', 'true', 'false'];
/** Letters and digits as Rust takes them: what belongs to a number goes on until it ends, and is then one or is none. */
const PATTERN = /\p{White_Space}+|([\p{Alphabetic}_][\p{Alphabetic}\p{N}_.]*)|"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([-+]?[0-9.](?:[\p{Alphabetic}\p{N}.]|(?<=[eE])[-+])*)|(<=|>=|!=|<>|==|[<>=(),])/uy;

/** Longer ones are refused by the server as well. */
const MAX_CHARS = 20_000;

function tokens(text: string): Token[] {
  if (text.length > MAX_CHARS && Array.from(text).length > MAX_CHARS) throw new Fault(`a filter has at most ${MAX_CHARS} characters`, MAX_CHARS, text.length);
  const out: Token[] = [];
  let at = 0;
  while (at < text.length) {
    PATTERN.lastIndex = at;
    const found = PATTERN.exec(text);
    if (!found) {
      const whole = String.fromCodePoint(text.codePointAt(at) as number);
      throw new Fault(`${JSON.stringify(whole)} means nothing here; take it out`, at, at + whole.length);
    }
    const [whole, word, name, quoted, number, sign] = found;
    const to = at + whole.length;
    if (word !== undefined) out.push({ kind: 'word', text: word, from: at, to });
    else if (name !== undefined) out.push({ kind: 'name', text: name.replaceAll('""', '"'), from: at, to });
    else if (quoted !== undefined) out.push({ kind: 'text', text: quoted.replaceAll("''", "'"), from: at, to });
    else if (number !== undefined) {
      if (numberOf(number) === null) throw new Fault(`${JSON.stringify(number)} is no number; write numbers as 0.5, -3 or 1e6`, at, to);
      out.push({ kind: 'number', text: number, from: at, to });
    } else if (sign !== undefined) out.push({ kind: 'sign', text: sign === '<>' ? '!=' : sign === '==' ? '=' : sign, from: at, to });
    at = to;
  }
  out.push({ kind: 'end', text: '', from: text.length, to: text.length });
  return out;
}

const DEEPEST = 64;

/** Reads an expression. Throws a {@link Fault}. */
export function parse(text: string): Node {
  const all = tokens(text);
  let at = 0;
  let depth = 0;
  const peek = () => all[at];
  const expected = (what: string) => new Fault(`${what} is expected here`, peek().from, peek().to);
  const word = (wanted: string) => {
    const is = peek().kind === 'word' && peek().text.toLowerCase() === wanted;
    if (is) at++;
    return is;
  };
  const sign = (wanted: string) => {
    const is = peek().kind === 'sign' && peek().text === wanted;
    if (is) at++;
    return is;
  };
  function list(joint: 'and' | 'or', inner: () => Node): Node {
    const parts = [inner()];
    while (word(joint)) parts.push(inner());
    return parts.length === 1 ? parts[0] : { form: joint, parts };
  }
  const any = (): Node => list('or', () => list('and', not));
  function deeper(inner: () => Node): Node {
    if (++depth > DEEPEST) throw new Fault('too many parentheses', peek().from, peek().to);
    const out = inner();
    depth--;
    return out;
  }
  function not(): Node {
    if (word('not')) return { form: 'not', of: deeper(not) };
    if (sign('(')) {
      const out = deeper(any);
      if (!sign(')')) throw expected('a closing parenthesis');
      return out;
    }
    return condition();
  }
  function side(): Literal | Name {
    const token = peek();
    at++;
    if (token.kind === 'number') return Number(token.text) + 0;
    if (token.kind === 'text') return token.text;
    if (token.kind === 'name') return { names: [token.text] };
    const low = token.text.toLowerCase();
    if (token.kind === 'word' && (low === 'true' || low === 'false')) return low === 'true';
    if (token.kind !== 'word' || WORDS.includes(low)) {
      at--;
      throw expected('a column or a value');
    }
    if (!sign('(')) return { names: [token.text] };
    const of = peek();
    if (!['word', 'name', 'text'].includes(of.kind)) throw expected('a class');
    at++;
    if (!sign(')')) throw expected('a closing parenthesis');
    const names = [`${token.text}(${of.text})`, `${token.text}_${of.text}`];
    return { names: token.text === 'consensus' ? [...names, of.text] : names };
  }
  function quoted(): string {
    if (peek().kind !== 'text') throw expected('a text in single quotes');
    return all[at++].text;
  }
  function number(): number {
    if (peek().kind !== 'number') throw expected('a number');
    return Number(all[at++].text);
  }
  function condition(): Node {
    const from = peek().from;
    const left = side();
    const token = peek();
    if (token.kind === 'sign' && ['<', '<=', '=', '!=', '>=', '>'].includes(token.text)) {
      at++;
      const right = side();
      const op = token.text as Op;
      if (isName(left)) return { form: 'compare', column: left, op, with: right };
      if (isName(right)) return { form: 'compare', column: right, op: turned(op), with: left };
      throw new Fault('a comparison needs a column', from, all[at - 1].to);
    }
    if (!isName(left)) throw expected('a comparison');
    const column = left;
    const isNot = word('not');
    let node: Node;
    if (word('between')) {
      const low = number();
      if (!word('and')) throw expected('`and`');
      const high = number();
      if (low > high) throw new Fault('the lower end comes first', from, all[at - 1].to);
      node = { form: 'between', column, low, high };
    } else if (word('in')) {
      if (!sign('(')) throw expected('a list in parentheses');
      const values: (string | number)[] = [];
      do {
        const value = peek();
        if (value.kind !== 'number' && value.kind !== 'text') throw expected('a number or a text');
        at++;
        values.push(value.kind === 'number' ? Number(value.text) : value.text);
        if (typeof values[0] !== typeof values[values.length - 1]) throw new Fault('a list holds numbers or texts, not both', value.from, value.to);
      } while (sign(','));
      if (!sign(')')) throw expected('a closing parenthesis');
      node = { form: 'in', column, values };
    } else if (word('contains')) node = { form: 'contains', column, text: quoted() };
    else if (word('has')) node = { form: 'has', column, text: quoted() };
    else if (isNot) throw expected('`between`, `in`, `contains` or `has`');
    else if (word('is')) {
      const negated = word('not');
      if (!word('missing')) throw expected('`missing`');
      node = { form: 'missing', column };
      return negated ? { form: 'not', of: node } : node;
    } else node = { form: 'flag', column };
    return isNot ? { form: 'not', of: node } : node;
  }
  if (peek().kind === 'end') throw new Fault('there is nothing to filter by', 0, 0);
  const out = any();
  if (peek().kind !== 'end') throw new Fault('this comes after the end of the condition', peek().from, peek().to);
  return out;
}

const isName = (side: Literal | Name): side is Name => typeof side === 'object';
const turned = (op: Op): Op => (({ '<': '>', '<=': '>=', '>=': '<=', '>': '<' }) as Partial<Record<Op, Op>>)[op] ?? op;

/** The columns that it asks for. */
export function names(node: Node): Name[] {
  switch (node.form) {
    case 'and':
    case 'or':
      return node.parts.flatMap(names);
    case 'not':
      return names(node.of);
    case 'compare':
      return typeof node.with === 'object' ? [node.column, node.with] : [node.column];
    default:
      return [node.column];
  }
}

export type Kind = 'number' | 'text' | 'boolean';
const KIND_NAMES: Record<Kind, string> = { number: 'numbers', text: 'texts', boolean: 'true or false' };

/** Throws where a condition asks of a column what its kind does not have, as `check` of `volary-space` does. */
export function check(node: Node, kindOf: (name: Name) => Kind): void {
  const wants = (name: Name, kind: Kind, hint: string) => {
    const is = kindOf(name);
    if (is !== kind) throw new Fault(`column ${JSON.stringify(name.names[0])} holds ${KIND_NAMES[is]}, not ${KIND_NAMES[kind]}; ${hint}`, 0, 0);
  };
  switch (node.form) {
    case 'and':
    case 'or':
      node.parts.forEach((part) => check(part, kindOf));
      return;
    case 'not':
      return check(node.of, kindOf);
    case 'missing':
      return;
    case 'flag':
      return wants(node.column, 'boolean', "write a comparison, such as `> 0.5` or `= 'text'`");
    case 'between':
      return wants(node.column, 'number', 'only numbers have a between');
    case 'contains':
    case 'has':
      return wants(node.column, 'text', 'use `=` or `>` for numbers');
    case 'in':
      if (typeof node.values[0] === 'string') return wants(node.column, 'text', 'numbers take no quotes');
      return wants(node.column, 'number', 'put texts in single quotes');
    case 'compare': {
      const { column, op, with: side } = node;
      const kind = isName(side) ? kindOf(side) : typeof side === 'string' ? 'text' : (typeof side as Kind);
      wants(column, kind, isName(side) ? 'compare columns of one kind' : HINTS[kind]);
      if (kind !== 'number' && op !== '=' && op !== '!=') throw new Fault('only numbers have an order; use `=`, `!=` or `in`', 0, 0);
    }
  }
}

const HINTS: Record<Kind, string> = {
  number: 'compare texts with a text in single quotes',
  boolean: 'compare with a number or a text',
  text: 'numbers take no quotes',
};

/** Of each row 0 (false), 1 (true) or 2 (unknown, since a value is missing); what {@link check} has let pass. */
export function truth(node: Node, of: (name: Name) => Column, nRows: number): Uint8Array {
  switch (node.form) {
    case 'and':
    case 'or': {
      const deciding = node.form === 'and' ? 0 : 1;
      const out = truth(node.parts[0], of, nRows);
      for (const part of node.parts.slice(1)) {
        const next = truth(part, of, nRows);
        for (let row = 0; row < nRows; row++) {
          if (out[row] === deciding || next[row] === deciding) out[row] = deciding;
          else if (next[row] === UNKNOWN) out[row] = UNKNOWN;
        }
      }
      return out;
    }
    case 'not': {
      const out = truth(node.of, of, nRows);
      for (let row = 0; row < nRows; row++) if (out[row] !== UNKNOWN) out[row] = 1 - out[row];
      return out;
    }
    case 'compare': {
      if (typeof node.with !== 'object') return compared(of(node.column), node.op, node.with, nRows);
      const [a, b] = [of(node.column), of(node.with)];
      const text = (column: Column, row: number) => (column.kind === 'number' ? undefined : column.texts[column.codes[row]]);
      return each(nRows, (row) => {
        if (a.kind === 'number') return holds(node.op, numberAt(a, row), numberAt(b, row));
        const [left, right] = [text(a, row), text(b, row)];
        return left === undefined || right === undefined ? undefined : (left === right) === (node.op === '=');
      });
    }
    case 'between': {
      const column = of(node.column);
      return each(nRows, (row) => {
        const value = numberAt(column, row);
        return Number.isNaN(value) ? undefined : value >= node.low && value <= node.high;
      });
    }
    case 'in': {
      const wanted = new Set<string | number>(node.values);
      return texts(of(node.column), nRows, (text) => wanted.has(text), (value) => wanted.has(value));
    }
    case 'contains': {
      const wanted = node.text.toLowerCase();
      return texts(of(node.column), nRows, (text) => text.toLowerCase().includes(wanted), () => undefined);
    }
    case 'has': {
      // A tag is `ring`, and is shown as `#ring`.
      const bare = (one: string) => one.trim().replace(/^#+/, '').toLowerCase();
      const wanted = bare(node.text);
      return texts(of(node.column), nRows, (text) => text.split(';').some((one) => bare(one) === wanted), () => undefined);
    }
    case 'missing': {
      const column = of(node.column);
      return each(nRows, (row) => !isIn(column, row));
    }
    case 'flag':
      return compared(of(node.column), '=', true, nRows);
  }
}

function each(nRows: number, holds: (row: number) => boolean | undefined): Uint8Array {
  const out = new Uint8Array(nRows);
  for (let row = 0; row < nRows; row++) {
    const is = holds(row);
    out[row] = is === undefined ? UNKNOWN : is ? 1 : 0;
  }
  return out;
}

function holds(op: Op, a: number, b: number): boolean | undefined {
  if (Number.isNaN(a) || Number.isNaN(b)) return undefined;
  switch (op) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '=':
      return a === b;
    case '!=':
      return a !== b;
    case '>=':
      return a >= b;
    case '>':
      return a > b;
  }
}

/** A condition on a column's texts, asked once for each different one; or on its numbers. */
function texts(column: Column, nRows: number, ofText: (text: string) => boolean, ofNumber: (value: number) => boolean | undefined): Uint8Array {
  if (column.kind === 'number') {
    return each(nRows, (row) => (Number.isNaN(column.values[row]) ? undefined : ofNumber(column.values[row])));
  }
  const known = column.texts.map(ofText);
  return each(nRows, (row) => known[column.codes[row]]);
}

/** Texts, and true and false, are the same or not, and come in no order. */
function compared(column: Column, op: Op, value: Literal, nRows: number): Uint8Array {
  if (typeof value === 'number') return each(nRows, (row) => holds(op, numberAt(column, row), value));
  const wanted = String(value);
  return texts(column, nRows, (text) => (text === wanted) === (op === '='), () => undefined);
}
