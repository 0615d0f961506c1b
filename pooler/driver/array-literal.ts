/** PostgreSQL's text for arrays (PostgreSQL docs, "Array Input and Output Syntax"), to JSON and from it. */

class Reader {
  readonly #text: string;
  readonly #element: (text: string) => string;
  readonly #delimiter: string;
  #at: number;

  constructor(text: string, element: (text: string) => string, delimiter: string) {
    this.#text = text;
    this.#element = element;
    this.#delimiter = delimiter;
    // `[1:1][-2:-1]={{…}}`: JSON has no word for the bounds.
    this.#at = text.startsWith('[') ? text.indexOf('=') + 1 : 0;
  }

  list(): string {
    this.#at++;
    const items: string[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] !== '}') {
      items.push(this.#item());
      if (this.#text[this.#at] === this.#delimiter) this.#at++;
    }
    this.#at++;
    return `[${items.join(',')}]`;
  }

  #item(): string {
    const first = this.#text[this.#at];
    if (first === '{') return this.list();
    if (first === '"') return this.#element(this.#quoted());
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const next = this.#text[this.#at];
      if (next === this.#delimiter || next === '}') break;
      this.#at++;
    }
    const item = this.#text.slice(start, this.#at);
    return item === 'NULL' ? 'null' : this.#element(item);
  }

  #quoted(): string {
    let value = '';
    let start = ++this.#at;
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined) return value;
      if (next === '\\') {
        value += this.#text.slice(start, this.#at);
        start = ++this.#at;
      } else if (next === '"') {
        value += this.#text.slice(start, this.#at++);
        return value;
      }
      this.#at++;
    }
  }
}

/** An array as the server writes it, as JSON text. `element` makes JSON of an element's text. */
export function arrayToJson(text: string, element: (text: string) => string, delimiter = ','): string {
  return new Reader(text, element, delimiter).list();
}

/** The array literal of a JSON array: objects in it are JSON, arrays in it are dimensions. */
export function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(literalOf).join(',')}}`;
}

function literalOf(value: unknown): string {
  if (value === null) return 'NULL';
  if (Array.isArray(value)) return arrayLiteral(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value === 'boolean' || typeof value === 'number' ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
