/** Tables for terminals and logs: aligned columns of plain characters. */

export interface Column {
  readonly title: string
  /** Numbers stand at the right, words at the left. */
  readonly align: 'left' | 'right'
}

const GAP = '  '

/**
 * Title line, rule, rows and, below a second rule, `footer` rows. Cells must be one line each; a row may be
 * shorter than the table. Ends without a newline.
 */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  footer: readonly (readonly string[])[] = [],
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(...[[], ...rows, ...footer].map(row => textWidth(row[index] ?? '')), textWidth(title)),
  )
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, index) => pad(cells[index] ?? '', widths[index]!, align))
      .join(GAP)
      .trimEnd()
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1)))
  return [
    line(columns.map(column => column.title)),
    rule,
    ...rows.map(line),
    ...(footer.length > 0 ? [rule, ...footer.map(line)] : []),
  ].join('\n')
}

/** Names and their values below each other, values aligned. */
export function textPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => textWidth(name)))
  return pairs.map(([name, value]) => `${pad(name, width, 'left')}${GAP}${value}`).join('\n')
}

/** Characters, counting those outside the basic plane once. */
export function textWidth(text: string): number {
  return [...text].length
}

function pad(text: string, width: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)))
  return align === 'left' ? text + space : space + text
}
