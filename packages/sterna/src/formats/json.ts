/** What JSON.parse does not tell. */

/**
 * The first key that an object names twice, with escapes undone; JSON.parse would silently keep the later
 * value. The text has passed JSON.parse.
 */
export function findDuplicateKey(text: string): string | undefined {
  const keysOfOpen: Set<string>[] = []
  let i = 0
  while (i < text.length) {
    const character = text[i]
    if (character === '{' || character === '[') keysOfOpen.push(new Set())
    else if (character === '}' || character === ']') keysOfOpen.pop()
    if (character !== '"') {
      i++
      continue
    }
    const end = endOfString(text, i)
    let next = end
    while (next < text.length && ' \t\r\n'.includes(text[next]!)) next++
    if (text[next] === ':') {
      const key: unknown = JSON.parse(text.slice(i, end))
      const keys = keysOfOpen.at(-1)
      if (typeof key === 'string' && keys) {
        if (keys.has(key)) return key
        keys.add(key)
      }
    }
    i = end
  }
  return undefined
}

/** The index behind the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i + 1
}
