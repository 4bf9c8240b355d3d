/** Where a command's words go: results to stdout, everything that only accompanies them to stderr. */
/** SGR codes that begin and end a style (ECMA-48, section 8.3.117). */
const styles = { bold: [1, 22], dim: [2, 22], red: [31, 39], yellow: [33, 39] } as const

type Style = keyof typeof styles

export interface OutputOptions {
  /** One JSON object on stdout instead of text. */
  readonly json?: boolean
  /** Neither progress nor notes. */
  readonly quiet?: boolean
}

/** The two streams of a terminal program, as far as it uses them. */
export interface TextStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export class Output {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly #stdout: TextStream
  readonly #stderr: TextStream
  #hasProgress = false

  constructor(
    { json = false, quiet = false }: OutputOptions = {},
    stdout: TextStream = process.stdout,
    stderr: TextStream = process.stderr,
  ) {
    this.isJson = json
    this.isQuiet = quiet
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /** Whether progress is one redrawn line; elsewhere `step` lines stay below each other. */
  get redraws(): boolean {
    return this.#stderr.isTTY === true
  }

  /** A fact worth a line of its own. */
  note(text: string): void {
    if (this.isQuiet) return
    this.#clear()
    this.#stderr.write(`${this.dim(text)}\n`)
  }

  /** Something the user should know even when nothing else is said. */
  warn(text: string): void {
    this.#clear()
    this.#stderr.write(`${this.#paint('yellow', 'warning:', this.#stderr)} ${text}\n`)
  }

  /** What is happening now; shown on a terminal only, in place of what was shown before. */
  progress(text: string): void {
    if (this.isQuiet || !this.redraws) return
    // A terminal of unknown width says 0.
    const columns = this.#stderr.columns || 80
    const line = [...text].slice(0, Math.max(1, columns - 1)).join('')
    this.#stderr.write(`\r\x1b[2K${line}`)
    this.#hasProgress = true
  }

  /** A step that is done, such as an epoch: redrawn on a terminal, a line of its own elsewhere. */
  step(text: string): void {
    if (this.redraws) this.progress(text)
    else if (!this.isQuiet) this.#stderr.write(`${text}\n`)
  }

  /** What the command is for: the text, or the object with --json. Called once, at the end. */
  result(value: object, text: string): void {
    this.#clear()
    this.#stdout.write(this.isJson ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`)
  }

  /** A failure: an object on stdout with --json, else a sentence and what to do about it on stderr. */
  failure(error: { readonly code: string; readonly message: string; readonly hint?: string }): void {
    this.#clear()
    if (this.isJson) {
      this.#stdout.write(`${JSON.stringify({ error }, null, 2)}\n`)
      return
    }
    this.#stderr.write(`${this.#paint('red', 'error:', this.#stderr)} ${error.message}\n`)
    if (error.hint !== undefined) this.#stderr.write(`${this.dim('hint:')} ${error.hint}\n`)
  }

  bold(text: string): string {
    return this.#paint('bold', text, this.#stdout)
  }

  dim(text: string): string {
    return this.#paint('dim', text, this.#stderr)
  }

  #paint(style: Style, text: string, stream: TextStream): string {
    const wanted = stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
    if (!wanted) return text
    const [begin, end] = styles[style]
    return `\x1b[${begin}m${text}\x1b[${end}m`
  }

  /** Takes the redrawn line away; nothing else is said after it. */
  close(): void {
    this.#clear()
  }

  #clear(): void {
    if (!this.#hasProgress) return
    this.#stderr.write('\r\x1b[2K')
    this.#hasProgress = false
  }
}
