/** What the API says when something is wrong (RFC 9457), as an error that pages can show. */

interface Body {
  type?: unknown;
  detail?: unknown;
}

export class Problem extends Error {
  /** HTTP status; 0: the gateway was not reached at all. */
  readonly status: number;
  /** What a program decides by, such as `second-factor-needed`. */
  readonly kind: string;
  /** Seconds after which asking again makes sense. */
  readonly retryAfter: number | null;

  constructor(status: number, detail: string, kind = 'about:blank', retryAfter: number | null = null) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.kind = kind;
    this.retryAfter = retryAfter;
  }

  /** Whether it may be another answer in a moment. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The problem that an answer is. */
export async function problemOf(answer: Response): Promise<Problem> {
  const body = (await answer.json().catch(() => ({}))) as Body;
  const detail = typeof body.detail === 'string' ? body.detail : `the gateway answers ${answer.status}`;
  const after = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const kind = typeof body.type === 'string' ? body.type : 'about:blank';
  return new Problem(answer.status, detail, kind, Number.isFinite(after) ? after : null);
}

/** Any error as one sentence for a person. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something went wrong';
}
