import { describe, expect, it } from 'vitest';
import { Parser, type Heard } from '../src/api/events';

describe('the event stream', () => {
  const text = ': hello\n\nid: 7\nevent: alert.created\ndata: {"id":"1",\ndata: "n":2}\n\nevent: reset\r\ndata: {}\r\n\r\ndata: no json\n\nid: 9\ndata: {"x":"a:b"}\n\n';

  it('is read the same wherever it is cut', () => {
    const whole: Heard[] = [];
    new Parser((event) => whole.push(event)).push(text);
    expect(whole).toEqual([
      { id: '7', name: 'alert.created', data: { id: '1', n: 2 } },
      // A reset has no number of its own: the last one holds.
      { id: '7', name: 'reset', data: {} },
      { id: '9', name: 'message', data: { x: 'a:b' } },
    ]);
    for (let at = 0; at <= text.length; at++) {
      const heard: Heard[] = [];
      const parser = new Parser((event) => heard.push(event));
      parser.push(text.slice(0, at));
      parser.push(text.slice(at));
      expect(heard, String(at)).toEqual(whole);
    }
  });
});
